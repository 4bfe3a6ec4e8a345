package main

import (
	"fmt"
	"net/http"
	"sync"
)

const (
	bufferSize        = 10 << 10
	buffersPerRequest = 100
)

type buffer [bufferSize]byte

// bufferPool holds pointers: a slice put into a Pool would allocate its header
// each time.
var bufferPool = sync.Pool{New: func() any { return new(buffer) }}

func routeBuffers(mux *http.ServeMux) {
	mux.HandleFunc("/buffers/leaky", leakyBuffers)
	mux.HandleFunc("/buffers/pooled", pooledBuffers)
}

// leakyBuffers is bad: nobody closes done, so the worker never ends. Its stack
// keeps the map reachable, and the pool, never given anything back, allocates
// 1 MB anew for each request.
func leakyBuffers(w http.ResponseWriter, _ *http.Request) {
	done := make(chan struct{})
	fmt.Fprintln(w, <-work(done))
}

// pooledBuffers is good, by one line: the worker ends with its request and
// puts the buffers back.
func pooledBuffers(w http.ResponseWriter, _ *http.Request) {
	done := make(chan struct{})
	defer close(done)
	fmt.Fprintln(w, <-work(done))
}

// work fills 100 pooled buffers of 10 KB in a goroutine, which holds them
// until done is closed. The channel yields how many bytes were filled.
func work(done <-chan struct{}) <-chan int {
	filled := make(chan int, 1)
	go func() {
		held := takeBuffers()
		defer putBuffers(held)
		filled <- fill(held)
		<-done
	}()
	return filled
}

func takeBuffers() map[int]*buffer {
	held := make(map[int]*buffer, buffersPerRequest)
	for i := 0; i < buffersPerRequest; i++ {
		held[i] = bufferPool.Get().(*buffer)
	}
	return held
}

func putBuffers(held map[int]*buffer) {
	for _, b := range held {
		bufferPool.Put(b)
	}
}

func fill(held map[int]*buffer) int {
	total := 0
	for i, b := range held {
		for j := range b {
			b[j] = byte(i)
		}
		total += len(b)
	}
	return total
}
