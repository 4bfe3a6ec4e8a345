package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"sync"
)

const copySize = 32 << 10

type copyBuffer [copySize]byte

var copyPool = sync.Pool{New: func() any { return new(copyBuffer) }}

func routeUpload(mux *http.ServeMux) {
	mux.HandleFunc("/upload/readall", hashBody(readAll))
	mux.HandleFunc("/upload/stream", hashBody(stream))
}

// hashBody answers with the SHA-256 of the request's body.
func hashBody(sum func(body io.Reader) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		digest, err := sum(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%x\n", digest)
	}
}

// readAll is bad: the whole body lies in memory at once, and io.ReadAll, which
// cannot know its size, copies it into ever larger slices on the way. The
// client decides how much memory the service takes.
func readAll(body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(data)
	return digest[:], nil
}

// stream is good: whatever the body's size, it passes through one pooled
// buffer of 32 KB.
func stream(body io.Reader) ([]byte, error) {
	buffer := copyPool.Get().(*copyBuffer)
	defer copyPool.Put(buffer)
	hash := sha256.New()
	if _, err := io.CopyBuffer(hash, body, buffer[:]); err != nil {
		return nil, err
	}
	return hash.Sum(nil), nil
}
