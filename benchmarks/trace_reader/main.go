// Command trace_reader works in one of three ways while it is traced, until its trace has a size.
//
// Usage: trace_reader heap|hand|channels BYTES FILE
package main

import (
	"encoding/json"
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/trace"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// counted is a file that knows how much was written.
type counted struct {
	*os.File
	bytes atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	c.bytes.Add(int64(len(p)))
	return c.File.Write(p)
}

type node struct {
	next  *node
	value [6]int
}

var kept [1 << 14]*node

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: trace_reader heap|hand|channels BYTES FILE")
	}
	most, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	file, err := os.Create(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	to := &counted{File: file}
	if err := trace.Start(to); err != nil {
		log.Fatal(err)
	}
	work := map[string]func(int){"heap": heap, "hand": hand, "channels": channels}[os.Args[1]]
	for turn := 0; to.bytes.Load() < most; turn++ {
		work(turn)
	}
	trace.Stop()
	if err := file.Close(); err != nil {
		log.Fatal(err)
	}
}

// heap has goroutines allocate on several lines, so that they assist.
func heap(turn int) {
	var done sync.WaitGroup
	for worker := 0; worker < 4; worker++ {
		done.Add(1)
		go func(worker int) {
			defer done.Done()
			for i := 0; i < 2000; i++ {
				list(turn + worker*2000 + i)
				if i%50 == 0 {
					encode()
				}
			}
		}(worker)
	}
	done.Wait()
}

func list(at int) {
	var first *node
	for i := 0; i < 16; i++ {
		first = &node{next: first}
	}
	kept[at%len(kept)] = first
}

func encode() {
	values := make(map[string][]int)
	for i := 0; i < 20; i++ {
		values[strconv.Itoa(i)] = make([]int, 50)
	}
	if _, err := json.Marshal(values); err != nil {
		log.Fatal(err)
	}
}

// hand collects, frees and reads MemStats by hand.
func hand(turn int) {
	for i := 0; i < 500; i++ {
		list(turn*500 + i)
	}
	switch turn % 3 {
	case 0:
		runtime.GC()
	case 1:
		debug.FreeOSMemory()
	default:
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
	}
}

// channels passes what it allocates from goroutine to goroutine.
func channels(turn int) {
	to, back := make(chan *node), make(chan *node)
	go func() {
		for one := range to {
			back <- &node{next: one}
		}
		close(back)
	}()
	for i := 0; i < 1000; i++ {
		to <- &node{}
		kept[(turn*1000+i)%len(kept)] = <-back
	}
	close(to)
	time.Sleep(time.Millisecond)
}
