package main

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"net/http"
	"sync"
	"unsafe"
)

// sample has no pointers and no padding: its memory is its encoding, which
// encodeUnsafe relies on.
type sample struct {
	Time  int64
	Value float64
}

const sampleCount = 16 << 10

var samples = newSamples()

// encodeBuffers holds plain bytes, so [:0] on one keeps nothing else alive.
var encodeBuffers = sync.Pool{New: func() any { return new([]byte) }}

func newSamples() []sample {
	s := make([]sample, sampleCount)
	for i := range s {
		s[i] = sample{Time: int64(i), Value: math.Sqrt(float64(i))}
	}
	return s
}

func routeEncode(mux *http.ServeMux) {
	mux.HandleFunc("/encode/fresh", encodeFresh)
	mux.HandleFunc("/encode/pool", encodePool)
	mux.HandleFunc("/encode/unsafe", encodeUnsafe)
}

// encodeFresh is bad: the slice starts empty, so that append outgrows and
// throws away one array after another, and the last one with the request.
func encodeFresh(w http.ResponseWriter, _ *http.Request) {
	answer(w, appendSamples(nil, samples))
}

// encodePool is good: from the second request on, a buffer of the right size
// is there already.
func encodePool(w http.ResponseWriter, _ *http.Request) {
	buffer := encodeBuffers.Get().(*[]byte)
	defer encodeBuffers.Put(buffer)
	*buffer = appendSamples((*buffer)[:0], samples)
	answer(w, *buffer)
}

// encodeUnsafe copies nothing: it reads the samples' own memory as bytes. The
// price: the bytes change with the samples, so they must not be written to or
// outlive this call, and their order is the machine's.
func encodeUnsafe(w http.ResponseWriter, _ *http.Request) {
	size := len(samples) * int(unsafe.Sizeof(sample{}))
	answer(w, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(samples))), size))
}

func appendSamples(to []byte, from []sample) []byte {
	for _, s := range from {
		to = binary.NativeEndian.AppendUint64(to, uint64(s.Time))
		to = binary.NativeEndian.AppendUint64(to, math.Float64bits(s.Value))
	}
	return to
}

// answer sends a checksum, the same for all three, instead of 256 KiB: the
// network shall not be part of what is measured.
func answer(w http.ResponseWriter, encoded []byte) {
	fmt.Fprintf(w, "%d bytes crc32 %08x\n", len(encoded), crc32.ChecksumIEEE(encoded))
}
