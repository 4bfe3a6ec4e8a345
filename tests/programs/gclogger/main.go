// Command gclogger makes its gctrace lines hard to read: /burn?cycles=300 collects while 4 goroutines and a child write.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/programs/internal/web"
)

const (
	loggers      = 4
	parentCycles = 20 // before any noise starts: the child's numbers and the look-alikes are stale from the first
	childCycles  = 10
)

// noise is what the loggers write in turn: plain text, whole look-alikes with stale or far numbers, torn ones.
var noise = []string{
	"level=info msg=\"order accepted\" payload=" + strings.Repeat("x", 200) + "\n",
	"gc 1 @0.011s 3%: 0.020+0.15+0.017 ms clock, 0.040+0.10/0.20/0.30+0.034 ms cpu, 4->4->2 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P\n",
	"gc 999999 @9.011s 3%: 0.020+0.15+0.017 ms clock, 0.040+0.10/0.20/0.30+0.034 ms cpu, 4->4->2 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P\n",
	"gc 12 @0.0",
	"gc 13 completed by the garbage collectors of the city\n",
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "host:port")
	admin := flag.String("admin", "", "host:port of /debug/pprof/")
	child := flag.Bool("child", false, "collect 10 times and end")
	flag.Parse()
	if *child {
		collect(childCycles)
		return
	}
	collect(parentCycles)
	mux := http.NewServeMux()
	web.Handle(mux, "/burn", burn)
	web.Handle(mux, "/numgc", func(web.Query) (any, error) { return numGC(), nil })
	web.Serve(web.Listen(*listen), *admin, mux)
}

// burn collects at least ?cycles= times amid noise, and answers with NumGC when all is quiet again.
func burn(q web.Query) (any, error) {
	cycles, err := q.Int("cycles", 300)
	if err != nil {
		return nil, err
	}
	var writers sync.WaitGroup
	var quiet atomic.Bool
	for i := 0; i < loggers; i++ {
		writers.Add(1)
		go func() {
			defer writers.Done()
			makeNoise(&quiet)
		}()
	}
	runChild()
	churn(numGC() + uint32(cycles))
	quiet.Store(true)
	writers.Wait()
	// Ends a cycle that is still under way, which would add to NumGC after the answer.
	runtime.GC()
	return numGC(), nil
}

func makeNoise(quiet *atomic.Bool) {
	for !quiet.Load() {
		for _, piece := range noise {
			fmt.Fprint(os.Stderr, piece)
		}
		// Unpaced, 50 MB go by in a second and few gctrace lines survive; so, some 3 MB, and lines of every fate.
		time.Sleep(100 * time.Microsecond)
	}
}

// runChild waits for a process that inherits GODEBUG and stderr, so that its gctrace lines count from 1 among ours.
func runChild() {
	command := exec.Command(os.Args[0], "--child")
	command.Stderr = os.Stderr
	if err := command.Run(); err != nil {
		log.Print(err)
	}
}

// churn allocates garbage until NumGC has reached target: cycles as the heap's growth starts them, not forced ones.
func churn(target uint32) {
	var garbage []byte
	for numGC() < target {
		for i := 0; i < 64; i++ {
			garbage = make([]byte, 64<<10)
		}
	}
	runtime.KeepAlive(garbage)
}

func collect(cycles int) {
	for i := 0; i < cycles; i++ {
		runtime.GC()
	}
}

// numGC is exact: the count of finished cycles, at this moment.
func numGC() uint32 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.NumGC
}
