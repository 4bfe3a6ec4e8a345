// Reads mutants of a heap dump with the packages of the reader, and says how that went, as JSON.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gomem/heapreader/dump"
)

// A mutant that takes longer ends the run.
const patience = 60 * time.Second

const mostTold = 20

type result struct {
	Mutants  int      `json:"mutants"`
	Accepted int      `json:"accepted"`
	Refused  int      `json:"refused"`
	Panics   int      `json:"panics"`
	Told     []string `json:"told"`    // of the panics, in words
	Slowest  float64  `json:"slowest"` // seconds
}

type fuzzer struct {
	raw      []byte
	believed []int
	mutex    sync.Mutex
	found    result
}

// read does all that the reader does with a dump.
func (f *fuzzer) read(raw []byte) error {
	d, err := dump.Read(bytes.NewReader(raw), int64(len(raw)), dump.DefaultLimits())
	if err != nil {
		return err
	}
	return d.Close()
}

func (f *fuzzer) try(seed int64) {
	began := time.Now()
	overdue := time.AfterFunc(patience, func() {
		log.Fatalf("mutant %d takes more than %v", seed, patience)
	})
	defer overdue.Stop()
	defer func() {
		if reason := recover(); reason != nil {
			stack := strings.Split(string(debug.Stack()), "\n")
			f.mutex.Lock()
			defer f.mutex.Unlock()
			f.found.Panics++
			if len(f.found.Told) < mostTold {
				told := strings.Join(stack[min(len(stack), 7):min(len(stack), 13)], " ")
				f.found.Told = append(f.found.Told, fmt.Sprintf("mutant %d panics: %v: %s", seed, reason, told))
			}
		}
	}()
	err := f.read(mutant(f.raw, f.believed, seed))
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if err == nil {
		f.found.Accepted++
	} else {
		f.found.Refused++
	}
	f.found.Slowest = max(f.found.Slowest, time.Since(began).Seconds())
}

func main() {
	path := flag.String("dump", "", "the dump that is mutated")
	first := flag.Int64("first", 0, "number of the first mutant")
	count := flag.Int64("mutants", 1000, "how many")
	workers := flag.Int("workers", 2, "how many at a time")
	flag.Parse()
	raw, err := os.ReadFile(*path)
	if err != nil {
		log.Fatal(err)
	}
	f := &fuzzer{raw: raw, found: result{Told: []string{}}}
	if f.believed, err = places(raw); err != nil {
		log.Fatal(err)
	}
	if err := f.read(raw); err != nil {
		log.Fatal("the dump itself is refused: ", err)
	}
	next := atomic.Int64{}
	next.Store(*first)
	var group sync.WaitGroup
	for range *workers {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				seed := next.Add(1) - 1
				if seed >= *first+*count {
					return
				}
				f.try(seed)
			}
		}()
	}
	group.Wait()
	f.found.Mutants = f.found.Accepted + f.found.Refused + f.found.Panics
	json.NewEncoder(os.Stdout).Encode(f.found)
}
