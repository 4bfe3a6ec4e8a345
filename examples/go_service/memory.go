package main

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

const mostBytes = 1 << 30

// hoard is a leak held by the hand: it grows and ends when it is told to.
type hoard struct {
	mu     sync.Mutex
	blocks [][]byte
}

func routeMemory(mux *http.ServeMux) {
	h := new(hoard)
	mux.HandleFunc("/leak", h.leak)
	mux.HandleFunc("/release", h.release)
	mux.HandleFunc("/spike", spike)
}

// leak answers once ?bytes= more are resident, and keeps them.
func (h *hoard) leak(w http.ResponseWriter, r *http.Request) {
	n, ok := queryInt(w, r, "bytes", 1<<20, mostBytes)
	if !ok {
		return
	}
	block := resident(n)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.blocks = append(h.blocks, block)
	fmt.Fprintln(w, n)
}

// release undoes leak, down to the kernel: without FreeOSMemory the runtime
// would keep the freed pages resident for its next allocations.
func (h *hoard) release(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	h.blocks = nil
	h.mu.Unlock()
	debug.FreeOSMemory()
	fmt.Fprintln(w, "ok")
}

// spike holds ?bytes= for ?ms= milliseconds and drops them. The runtime keeps
// the freed pages for a while: RSS outlives the heap, until /release.
func spike(w http.ResponseWriter, r *http.Request) {
	n, ok := queryInt(w, r, "bytes", 1<<20, mostBytes)
	if !ok {
		return
	}
	ms, ok := queryInt(w, r, "ms", 5, 60_000)
	if !ok {
		return
	}
	block := resident(n)
	time.Sleep(time.Duration(ms) * time.Millisecond)
	runtime.KeepAlive(block)
	fmt.Fprintln(w, n)
}

// resident allocates n bytes and writes to each page: the kernel gives a page
// of its own only to what was written.
func resident(n int) []byte {
	block := make([]byte, n)
	for i := 0; i < n; i += os.Getpagesize() {
		block[i] = 1
	}
	return block
}
