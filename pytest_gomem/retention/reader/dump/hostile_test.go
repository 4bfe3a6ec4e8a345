package dump

import (
	"bytes"
	"math/rand"
	"runtime"
	"testing"
)

// exhaust reads all that a dump can be asked for.
func exhaust(d *Dump) {
	sum := uint64(0)
	add := func(offset, value uint64) bool {
		sum += offset + value
		return true
	}
	for i := 0; i < d.Len(); i++ {
		d.Pointers(i, add)
		d.Word(i, d.Size(i)-8)
		d.Find(d.Address(i) + d.Size(i))
		d.Site(i)
	}
	for _, g := range d.Goroutines {
		for i := range g.Frames {
			d.FramePointers(&g.Frames[i], add)
			d.Frame(&g.Frames[i], 0, MaxChunk)
		}
	}
	for _, s := range d.Segments {
		for _, offset := range s.Pointers {
			sum += uint64(s.Data[offset+7])
		}
	}
}

// mutate changes some bytes, mostly near records: small numbers and lengths are what a parser believes.
func mutate(random *rand.Rand, raw []byte) []byte {
	out := append([]byte(nil), raw...)
	for n := 1 + random.Intn(4); n > 0; n-- {
		at := len(Magic) + random.Intn(len(out)-len(Magic))
		switch random.Intn(6) {
		case 0:
			out[at] ^= 1 << uint(random.Intn(8))
		case 1:
			out[at] = byte(random.Intn(20))
		case 2:
			for end := min(len(out), at+1+random.Intn(10)); at < end; at++ {
				out[at] = 0xff
			}
		case 3:
			out = append(out[:at], out[min(len(out), at+1+random.Intn(16)):]...)
		case 4:
			end := min(len(out), at+1+random.Intn(64))
			out = append(out[:end:end], out[at:]...)
		case 5:
			out = out[:at+1]
		}
		if len(out) <= len(Magic)+1 {
			break
		}
	}
	return out
}

func TestMutantsNeitherPanicNorTakeMemory(t *testing.T) {
	raw := ofEachKind()
	random := rand.New(rand.NewSource(1))
	good := 0
	var before, after runtime.MemStats
	for n := 0; n < 3000; n++ {
		mutant := mutate(random, raw)
		runtime.ReadMemStats(&before)
		d, err := read(mutant)
		if err == nil {
			exhaust(d)
			good++
		}
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 4<<20 {
			t.Fatalf("mutant %d took %d bytes", n, taken)
		}
	}
	if good == 0 || good == 3000 {
		t.Error("the mutants are of one kind", good)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(ofEachKind())
	f.Add(params(tagObject, 4096, "12345678", 1, 0, 0, tagEOF))
	f.Fuzz(func(t *testing.T, raw []byte) {
		limits := DefaultLimits()
		limits.Segment = 1 << 20
		if d, err := Read(bytes.NewReader(raw), int64(len(raw)), limits); err == nil {
			exhaust(d)
		}
	})
}

// ofEachKind is a dump with a record of each kind.
func ofEachKind() []byte {
	word := "\x00\x10\x00\x00\x00\x00\x00\x00"
	parts := []any{tagItab, 70, 80, tagType, 80, 8, "main.T", 1, tagOtherRoot, "a root", 4096}
	for i := 0; i < 40; i++ {
		parts = append(parts, tagObject, 4096+16*i, word+word, 1, 0, 1, 8, 0)
	}
	for i := 0; i < 3; i++ {
		parts = append(parts, tagGoroutine, 1, 2, i+1, 4, Waiting, 0, 0, 5, "chan receive", 0, 0, 0, 0)
		parts = append(parts, tagStackFrame, 10000, 0, 0, word+word, 500, 510, 510, "main.f", 1, 8, 0)
		parts = append(parts, tagDefer, 4096, 1, 1, 1, 4112, 500, 0, tagPanic, 4096, 1, 80, 4112, 0, 0)
	}
	parts = append(parts, tagOSThread, 1, 2, 3, tagData, 1000, word+word, 1, 0, 0, tagBSS, 2000, word, 0)
	parts = append(parts, tagFinalizer, 4112, 4128, 500, 0, 80, tagQueuedFinalizer, 4144, 4160, 500, 0, 80, tagMemStats)
	for i := 0; i < memStatsNumbers; i++ {
		parts = append(parts, i)
	}
	parts = append(parts, tagMemProf, 7, 16, 2, "main.f", "main.go", 10, "main.main", "main.go", 20, 5, 1)
	return params(append(parts, tagAllocSample, 4096, 7, tagEOF)...)
}
