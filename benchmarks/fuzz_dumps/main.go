// Reads mutants of a heap dump with the packages of the reader, and says how that went, as JSON.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gomem/heapreader/answer"
	"gomem/heapreader/dump"
	"gomem/heapreader/program"
	"gomem/heapreader/typing"
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

// read does all that the reader does with a dump, perhaps as if it were the earlier dump too.
func read(raw []byte, p *program.Program, hasBase bool) error {
	d, err := dump.Read(bytes.NewReader(raw), int64(len(raw)), dump.DefaultLimits())
	if err != nil {
		return err
	}
	defer d.Close()
	types, err := typing.Run(d, p)
	if err != nil {
		return err
	}
	var before *answer.Before
	if hasBase {
		before = answer.Remember(d, types)
	}
	found, err := answer.Of(d, types, before, 12)
	if err != nil {
		return err
	}
	return json.NewEncoder(io.Discard).Encode(found)
}

func (f *fuzzer) try(p *program.Program, seed int64) {
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
	err := read(mutant(f.raw, f.believed, seed), p, seed%3 == 0)
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
	binary := flag.String("binary", "", "the program that wrote it")
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
	programs := make([]*program.Program, *workers)
	for at := range programs {
		if programs[at], err = program.Load(*binary, ""); err != nil {
			log.Fatal(err)
		}
	}
	if err := read(raw, programs[0], true); err != nil {
		log.Fatal("the dump itself is refused: ", err)
	}
	next := atomic.Int64{}
	next.Store(*first)
	var group sync.WaitGroup
	for _, p := range programs {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				seed := next.Add(1) - 1
				if seed >= *first+*count {
					return
				}
				f.try(p, seed)
			}
		}()
	}
	group.Wait()
	f.found.Mutants = f.found.Accepted + f.found.Refused + f.found.Panics
	json.NewEncoder(os.Stdout).Encode(f.found)
}
