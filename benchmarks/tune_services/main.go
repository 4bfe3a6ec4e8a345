// Three services as programs that load themselves: each does a fixed number of requests, and says what they took.
//
//	tuneservices large|churn|batch REQUESTS
package main

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
)

// What the collector has to follow.
type node struct {
	next  *node
	other *node
	body  [48]byte
}

var sink atomic.Pointer[[]byte]

// large keeps a store full of small objects; each request replaces a few of them.
func large(workers, requests int) func() {
	const keys = 96 << 10 // of 64 bytes: 6 MiB
	store := make([]*node, keys)
	for i := range store {
		store[i] = &node{other: store[i/2]}
	}
	return func() {
		each(workers, requests, func(worker, request int) {
			per := keys / workers
			at := worker*per + request*61%(per-32)
			for i := at; i < at+32; i++ {
				store[i] = &node{other: store[i/2]}
			}
			garbage(14 << 10)
		})
		runtime.KeepAlive(store)
	}
}

// churn keeps next to nothing, and allocates a lot for each request.
func churn(workers, requests int) func() {
	const keys = 48 << 10 // 3 MiB
	store := make([]*node, keys)
	for i := range store {
		store[i] = &node{other: store[i/2]}
	}
	return func() {
		each(workers, requests, func(worker, request int) {
			var list *node
			for range 64 {
				list = &node{next: list}
			}
			garbage(32 << 10)
			runtime.KeepAlive(list)
		})
		runtime.KeepAlive(store)
	}
}

// batch reads a chunk into an index that grows, writes it out, and drops it, three times.
func batch(workers, requests int) func() {
	const chunks = 3
	return func() {
		for range chunks {
			index := make([]map[int]*node, workers)
			for worker := range index {
				index[worker] = map[int]*node{}
			}
			each(workers, requests/chunks, func(worker, request int) {
				for i := range 16 {
					key := request*16 + i
					index[worker][key] = &node{other: index[worker][key/2]}
				}
				garbage(6 << 10)
			})
			runtime.KeepAlive(index)
		}
	}
}

// garbage is what a request allocates, and works on: some 250 MB/s a processor, as services do.
func garbage(size int) {
	for size > 0 {
		buffer := make([]byte, 2<<10)
		buffer[0] = byte(size)
		for range 2 {
			sum := md5.Sum(buffer)
			copy(buffer, sum[:])
		}
		sink.Store(&buffer)
		size -= len(buffer)
	}
}

func each(workers, requests int, do func(worker, request int)) {
	var wait sync.WaitGroup
	for worker := range workers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for request := range requests / workers {
				do(worker, request)
			}
		}()
	}
	wait.Wait()
}

func cpu() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func read(names ...string) []uint64 {
	samples := make([]metrics.Sample, len(names))
	for i, name := range names {
		samples[i].Name = name
	}
	metrics.Read(samples)
	values := make([]uint64, len(names))
	for i, sample := range samples {
		values[i] = sample.Value.Uint64()
	}
	return values
}

func main() {
	kinds := map[string]func(workers, requests int) func(){"large": large, "churn": churn, "batch": batch}
	requests, err := strconv.Atoi(os.Args[2])
	kind := kinds[os.Args[1]]
	if err != nil || kind == nil {
		fmt.Fprintln(os.Stderr, "tuneservices large|churn|batch REQUESTS")
		os.Exit(2)
	}
	workers := runtime.GOMAXPROCS(0)
	work := kind(workers, requests)
	const cycles, limiter = "/gc/cycles/total:gc-cycles", "/gc/limiter/last-enabled:gc-cycle"
	const goal, live, allocated = "/gc/heap/goal:bytes", "/gc/heap/live:bytes", "/gc/heap/allocs:bytes"
	before, began := read(cycles, allocated), cpu()
	work()
	took, after := cpu()-began, read(cycles, allocated, limiter, goal, live)
	err = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"cpu":         took,
		"requests":    requests,
		"gc_cycles":   after[0] - before[0],
		"first_cycle": before[0],
		"total_alloc": after[1] - before[1],
		"limiter":     after[2],
		"goal":        after[3],
		"live_heap":   after[4],
	})
	if err != nil {
		panic(err)
	}
}
