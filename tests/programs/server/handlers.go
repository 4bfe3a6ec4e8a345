package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"example.com/programs/internal/web"
)

func routes(children []int) *http.ServeMux {
	mux := http.NewServeMux()
	kept := &keeper{end: make(chan struct{})}
	web.Handle(mux, "/alloc", kept.alloc)
	web.Handle(mux, "/goroutines", kept.goroutines)
	web.Handle(mux, "/multiply", kept.multiply)
	web.Handle(mux, "/release", kept.release)
	web.Handle(mux, "/clock", clock)
	web.Handle(mux, "/panic", die)
	web.Handle(mux, "/fatal", throw)
	web.Handle(mux, "/exit", exit)
	web.Handle(mux, "/stderr", stderr)
	web.Handle(mux, "/sleep", sleep)
	web.Handle(mux, "/children", func(web.Query) (any, error) {
		list, err := json.Marshal(children)
		return string(list), err
	})
	return mux
}

// keeper holds what /alloc?keep=true and /goroutines made until /release.
type keeper struct {
	mu     sync.Mutex
	blocks [][]byte
	end    chan struct{}
}

// alloc answers when ?bytes= are resident on the heap, and keeps them with ?keep=true.
func (k *keeper) alloc(q web.Query) (any, error) {
	bytes, err := q.Int("bytes", 1<<20)
	if err != nil {
		return nil, err
	}
	block := web.Touch(make([]byte, bytes))
	if q.Bool("keep") {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.blocks = append(k.blocks, block)
	}
	return bytes, nil
}

// goroutines answers when ?n= goroutines more are running, each until /release, or for ?ms= milliseconds.
func (k *keeper) goroutines(q web.Query) (any, error) {
	n, err := q.Int("n", 1)
	if err != nil {
		return nil, err
	}
	ms, err := q.Int("ms", 0)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	end := k.end
	k.mu.Unlock()
	var started sync.WaitGroup
	started.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			started.Done()
			if ms > 0 {
				time.Sleep(time.Duration(ms) * time.Millisecond)
				return
			}
			<-end
		}()
	}
	started.Wait()
	return n, nil
}

// multiply starts a goroutine every millisecond until /release.
func (k *keeper) multiply(web.Query) (any, error) {
	k.mu.Lock()
	end := k.end
	k.mu.Unlock()
	go func() {
		for range time.Tick(time.Millisecond) {
			select {
			case <-end:
				return
			default:
				go func() { <-end }()
			}
		}
	}()
	return "ok", nil
}

// release drops the blocks, ends the goroutines and gives the pages back to the kernel.
func (k *keeper) release(web.Query) (any, error) {
	k.mu.Lock()
	k.blocks = nil
	close(k.end)
	k.end = make(chan struct{})
	k.mu.Unlock()
	debug.FreeOSMemory()
	return "ok", nil
}

// clock allocates ?bytes= a hundred times a second from now on, whatever is asked for meanwhile.
func clock(q web.Query) (any, error) {
	bytes, err := q.Int("bytes", 1<<20)
	if err != nil {
		return nil, err
	}
	go func() {
		for range time.Tick(10 * time.Millisecond) {
			web.Touch(make([]byte, bytes))
		}
	}()
	return bytes, nil
}

// die panics in a goroutine of its own: net/http would recover a handler's panic.
func die(web.Query) (any, error) {
	go func() { panic("boom") }()
	select {}
}

// throw makes the runtime itself give up, with a "fatal error" that no recover can catch.
func throw(web.Query) (any, error) {
	new(sync.Mutex).Unlock()
	return nil, nil
}

// exit ends the process with ?code=.
func exit(q web.Query) (any, error) {
	code, err := q.Int("code", 1)
	if err != nil {
		return nil, err
	}
	os.Exit(code)
	return nil, nil
}

// stderr writes ?lines= numbered lines, each ?len= bytes long with its newline.
func stderr(q web.Query) (any, error) {
	lines, err := q.Int("lines", 1)
	if err != nil {
		return nil, err
	}
	length, err := q.Int("len", 80)
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriter(os.Stderr)
	for i := 1; i <= lines; i++ {
		line := fmt.Sprintf("line %d ", i)
		fmt.Fprintln(out, line+strings.Repeat("x", max(0, length-len(line)-1)))
	}
	return lines, out.Flush()
}

// sleep answers after ?ms= milliseconds.
func sleep(q web.Query) (any, error) {
	ms, err := q.Int("ms", 0)
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return ms, err
}
