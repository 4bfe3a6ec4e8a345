// Command recordings produces the gctrace streams that tests/recorded keeps, and the truth about them.
//
// Usage: GODEBUG=gctrace=1 recordings plain|logging|child OUTDIR
//
// The stream goes to stderr. OUTDIR receives truth.json, heap_debug1.txt and goroutine_debug1.txt, taken after the
// last collection.
//
// Usage: recordings stacks OUTDIR
//
// OUTDIR receives goroutine_debug2.txt, the stacks of goroutines that wait in many ways: see stacks.go.
//
// Usage: recordings connections OUTDIR
//
// OUTDIR receives goroutine_connections.txt, the stacks behind HTTP connections: see connections.go.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"sync"
	"time"
)

// ring is how many cycles runtime.MemStats remembers.
const ring = 256

// truth is what the runtime knows at the end; PauseNs holds the last cycles, newest last, at most ring of them.
type truth struct {
	GoVersion   string   `json:"go_version"`
	NumGC       uint32   `json:"num_gc"`
	NumForcedGC uint32   `json:"num_forced_gc"`
	GOMAXPROCS  int      `json:"gomaxprocs"`
	ChildNumGC  int      `json:"child_num_gc"`
	PauseNs     []uint64 `json:"pause_ns"`
}

var (
	held [][]byte
	junk []byte
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "helper" {
		helper(os.Args[2])
		return
	}
	if len(os.Args) != 3 {
		log.Fatal("usage: recordings plain|logging|child|stacks|connections OUTDIR")
	}
	childNumGC := 0
	switch os.Args[1] {
	case "plain":
		plain()
	case "logging":
		logging()
	case "child":
		childNumGC = child()
	case "stacks":
		stacks()
		if err := saveProfile("goroutine", filepath.Join(os.Args[2], "goroutine_debug2.txt"), 2); err != nil {
			log.Fatal(err)
		}
		return
	case "connections":
		connections()
		if err := saveProfile("goroutine", filepath.Join(os.Args[2], "goroutine_connections.txt"), 2); err != nil {
			log.Fatal(err)
		}
		return
	default:
		log.Fatalf("unknown mode %q", os.Args[1])
	}
	if err := save(os.Args[2], childNumGC); err != nil {
		log.Fatal(err)
	}
}

// churn allocates garbage until n more cycles have ended, none of them forced.
func churn(n uint32) {
	for until := numGC() + n; numGC() < until; {
		for i := 0; i < 64; i++ {
			junk = make([]byte, 16<<10)
		}
	}
}

func numGC() uint32 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NumGC
}

// plain turns the pause ring, with a heap that grows and shrinks, forced collections and, where the release has it, a
// collection that looks for leaked goroutines. It ends with nothing on stderr but gctrace.
func plain() {
	churn(100)
	for i := 0; i < 64; i++ {
		held = append(held, make([]byte, 1<<20))
		if i%8 == 0 {
			runtime.GC()
		}
	}
	churn(20)
	held = nil
	debug.FreeOSMemory()
	if leaks := pprof.Lookup("goroutineleak"); leaks != nil {
		_ = leaks.WriteTo(io.Discard, 0)
	}
	churn(150)
}

// logging has four writers race with the runtime for stderr: whole lines, unfinished ones, and lines that look like
// gctrace.
func logging() {
	const rounds, writers = 250, 4
	var ready, done sync.WaitGroup
	starts := make([]chan int, writers)
	for w := range starts {
		starts[w] = make(chan int)
		ready.Add(1)
		go func(w int) {
			ready.Done()
			for round := range starts[w] {
				time.Sleep(time.Duration(w*40) * time.Microsecond)
				writeLog(w, round)
				done.Done()
			}
		}(w)
	}
	ready.Wait()
	for round := 0; round < rounds; round++ {
		done.Add(writers)
		for _, start := range starts {
			start <- round
		}
		if round%2 == 0 {
			runtime.GC()
		} else {
			churn(1)
		}
		done.Wait()
	}
	for _, start := range starts {
		close(start)
	}
}

func writeLog(writer, round int) {
	switch {
	case writer == 0:
		log.Printf("writer %d served request %d", writer, round)
	case writer == 1 && round%5 == 0:
		fmt.Fprint(os.Stderr, "progress...")
	case writer == 2 && round%10 == 0:
		fmt.Fprintf(os.Stderr, "gc %d @0.%03ds 1%%: 0.010+0.20+0.010 ms clock, 0.020+0/0/0+0.020 ms cpu, "+
			"4->4->2 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P\n", 5*round, round)
	case writer == 3 && round%10 == 0:
		fmt.Fprintf(os.Stderr, "gc %d: pause too long\nscvg: 8 MB released\n", round)
	default:
		for line := 0; line < 4; line++ {
			fmt.Fprintf(os.Stderr, "writer %d line %d\n", writer, line)
			time.Sleep(20 * time.Microsecond)
		}
	}
}

// child runs, in the middle of its own cycles, another Go program that inherits GODEBUG and stderr and collects more
// often. It returns how many lines that one printed.
func child() int {
	churn(10)
	time.Sleep(400 * time.Millisecond)
	command := exec.Command(os.Args[0], "helper", "120")
	command.Stderr = os.Stderr
	pipe, err := command.StdoutPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := command.Start(); err != nil {
		log.Fatal(err)
	}
	for i := 0; i < 20; i++ {
		churn(1)
		time.Sleep(5 * time.Millisecond)
	}
	said, err := io.ReadAll(pipe)
	if err == nil {
		err = command.Wait()
	}
	if err != nil {
		log.Fatal(err)
	}
	churn(10)
	count, err := strconv.Atoi(string(said))
	if err != nil {
		log.Fatal(err)
	}
	return count
}

func helper(cycles string) {
	count, err := strconv.Atoi(cycles)
	if err != nil {
		log.Fatal(err)
	}
	for i := 0; i < count; i++ {
		churn(1)
		time.Sleep(time.Millisecond)
	}
	debug.SetGCPercent(-1)
	fmt.Print(numGC())
}

// save writes the truth; no cycle may start once it is read.
func save(dir string, childNumGC int) error {
	debug.SetGCPercent(-1)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	known := truth{
		GoVersion: runtime.Version(), NumGC: m.NumGC, NumForcedGC: m.NumForcedGC,
		GOMAXPROCS: runtime.GOMAXPROCS(0), ChildNumGC: childNumGC,
	}
	first := uint32(1)
	if m.NumGC > ring {
		first = m.NumGC - ring + 1
	}
	for cycle := first; cycle <= m.NumGC; cycle++ {
		known.PauseNs = append(known.PauseNs, m.PauseNs[(cycle+ring-1)%ring])
	}
	text, err := json.Marshal(known)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "truth.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	for _, name := range []string{"heap", "goroutine"} {
		if err := saveProfile(name, filepath.Join(dir, name+"_debug1.txt"), 1); err != nil {
			return err
		}
	}
	return nil
}

func saveProfile(name, path string, debug int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.Lookup(name).WriteTo(file, debug); err != nil {
		return err
	}
	return file.Close()
}
