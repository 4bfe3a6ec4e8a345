// Command traced makes the execution traces that tests/recorded keeps, and says what is in them.
//
// Usage: traced OUTDIR
//
// OUTDIR receives trace and trace.json: how many GC cycles began for each cause, how often MemStats were read, and
// on which line the mark assists are.
package main

import (
	"encoding/json"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"runtime/pprof"
	"runtime/trace"
	"time"
	_ "unsafe"
)

// forcegcperiod is after how many ns without a cycle the runtime begins one.
//
//go:linkname forcegcperiod runtime.forcegcperiod
var forcegcperiod int64

// node is small and has pointers, so that it takes time to mark.
type node struct {
	next *node
	data [6]int
}

var (
	kept   [1 << 12]*node
	length = 8
	sample = []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
)

// truth is what the trace should show.
type truth struct {
	GoVersion string            `json:"go_version"`
	Causes    map[string]uint64 `json:"causes"`
	Stops     map[string]uint64 `json:"stops"`
	Line      int               `json:"line"` // of the assists
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: traced OUTDIR")
	}
	for i := range kept {
		allocate(i)
	}
	said := truth{
		GoVersion: runtime.Version(), Causes: map[string]uint64{}, Stops: map[string]uint64{"read mem stats": 1},
		Line: allocates,
	}
	debug.SetGCPercent(-1) // so that no cycle runs when the trace begins
	runtime.GC()
	file, err := os.Create(filepath.Join(os.Args[1], "trace"))
	if err != nil {
		log.Fatal(err)
	}
	if err := trace.Start(file); err != nil {
		log.Fatal(err)
	}
	debug.SetGCPercent(100)
	count := func(cause string, work func()) {
		before := cycles()
		work()
		if n := cycles() - before; n > 0 {
			said.Causes[cause] = n
		}
	}
	count("heap goal", churn)
	time.Sleep(1200 * time.Millisecond) // a part of the trace holds a second
	debug.SetGCPercent(-1) // what follows begins no further one
	count("runtime.GC", runtime.GC)
	count("FreeOSMemory", debug.FreeOSMemory)
	if leaks := pprof.Lookup("goroutineleak"); leaks != nil {
		count("goroutine leak profile", func() { _ = leaks.WriteTo(io.Discard, 0) })
	}
	debug.SetGCPercent(100) // without a goal the runtime begins none by the clock, either
	count("periodic", func() {
		usual := forcegcperiod
		forcegcperiod = int64(20 * time.Millisecond)
		for before := cycles(); cycles() < before+2; {
			time.Sleep(10 * time.Millisecond)
		}
		forcegcperiod = usual
		time.Sleep(50 * time.Millisecond)
	})
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	trace.Stop()
	if err := file.Close(); err != nil {
		log.Fatal(err)
	}
	text, err := json.Marshal(said)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(os.Args[1], "trace.json"), append(text, '\n'), 0o644); err != nil {
		log.Fatal(err)
	}
}

// churn allocates until two cycles have ended, and the last one that it began.
func churn() {
	before := cycles()
	for i := 0; cycles() < before+2; i++ {
		for j := 0; j < 200; j++ {
			allocate(i*200 + j)
		}
	}
	for last := cycles(); ; last = cycles() {
		time.Sleep(50 * time.Millisecond)
		if cycles() == last {
			return
		}
	}
}

// allocates is the line of the function below that does.
const allocates = 132

func allocate(at int) {
	var list *node
	for i := 0; i < length; i++ {
		list = &node{next: list}
	}
	kept[at%len(kept)] = list
}

func cycles() uint64 {
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
