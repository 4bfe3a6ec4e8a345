package main

import (
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"time"
)

// node is an object that holds a pointer: the runtime packs smaller ones
// without any into shared blocks, which are not counted one by one.
type node struct {
	next *node
	n    [2]int64
}

// workshop keeps what its requests are told to keep.
type workshop struct {
	mu   sync.Mutex
	kept [][]byte
}

func routeWork(mux *http.ServeMux) {
	mux.HandleFunc("/work", new(workshop).work)
	mux.HandleFunc("/burn", burn)
}

// work allocates ?objects= of ?size= bytes, the last one of ?last=, and ?nodes=
// of 24 bytes, and keeps ?keep= of the objects: live heap, bytes and objects
// of a request are what the parameters say, so that a change can be made to
// measure.
func (s *workshop) work(w http.ResponseWriter, r *http.Request) {
	objects, ok := queryInt(w, r, "objects", 40, 10_000)
	if !ok {
		return
	}
	size, ok := queryInt(w, r, "size", 1024, 1<<20)
	if !ok {
		return
	}
	last, ok := queryInt(w, r, "last", size, 1<<20)
	if !ok {
		return
	}
	nodes, ok := queryInt(w, r, "nodes", 0, 10_000)
	if !ok {
		return
	}
	keep, ok := queryInt(w, r, "keep", 0, 10_000)
	if !ok {
		return
	}
	made := make([][]byte, objects)
	for i := range made {
		if i == objects-1 {
			size = last
		}
		made[i] = resident(size)
	}
	var chain *node
	for i := 0; i < nodes; i++ {
		chain = &node{next: chain}
	}
	s.mu.Lock()
	s.kept = append(s.kept, made[:min(keep, objects)]...)
	s.mu.Unlock()
	fmt.Fprintln(w, len(made), chain != nil)
}

// burn spends ?ms= milliseconds of each second in forced collections, from now
// on.
func burn(w http.ResponseWriter, r *http.Request) {
	ms, ok := queryInt(w, r, "ms", 50, 500)
	if !ok || ms == 0 {
		return
	}
	go func() {
		for {
			start := time.Now()
			runtime.GC()
			time.Sleep(time.Since(start) * time.Duration(1000-ms) / time.Duration(ms))
		}
	}()
	fmt.Fprintln(w, ms)
}
