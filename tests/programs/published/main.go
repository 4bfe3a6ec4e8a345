// Command published tells of itself by expvar at /debug/vars (--expvar) and in Prometheus' format at /metrics (--metrics).
//
// /alloc?bytes= allocates that much, and keeps it with ?keep=true. --lie doubles what /metrics tells of allocation.
// Both pages tell how many allocations there were, and the bytes that are kept; /metrics counts its readers too.
package main

import (
	"expvar"
	"flag"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"example.com/programs/internal/web"
)

var (
	mu      sync.Mutex
	kept    [][]byte
	held    int
	allocs  = map[bool]int{}
	scrapes int
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "host:port")
	vars := flag.Bool("expvar", false, "serve /debug/vars")
	metrics := flag.Bool("metrics", false, "serve /metrics")
	lie := flag.Bool("lie", false, "tell twice of what was allocated in /metrics")
	flag.Parse()
	mux := http.NewServeMux()
	web.Handle(mux, "/alloc", alloc)
	expvar.Publish("store", expvar.Func(func() any {
		mu.Lock()
		defer mu.Unlock()
		return map[string]any{"heldBytes": held, "allocs": allocs[true] + allocs[false], "name": "blocks"}
	}))
	if *vars {
		mux.Handle("/debug/vars", expvar.Handler())
	}
	if *metrics {
		web.Handle(mux, "/metrics", func(web.Query) (any, error) { return page(*lie), nil })
	}
	web.Serve(web.Listen(*listen), "", mux)
}

func alloc(q web.Query) (any, error) {
	bytes, err := q.Int("bytes", 1<<20)
	if err != nil {
		return nil, err
	}
	block := web.Touch(make([]byte, bytes))
	mu.Lock()
	defer mu.Unlock()
	allocs[q.Bool("keep")]++
	if q.Bool("keep") {
		kept = append(kept, block)
		held += bytes
	}
	return bytes, nil
}

// page is what client_golang's Go and process collectors write of these samples.
func page(lie bool) string {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	gc := debug.GCStats{PauseQuantiles: make([]time.Duration, 5)}
	debug.ReadGCStats(&gc)
	total := float64(m.TotalAlloc)
	if lie {
		total *= 2
	}
	var out strings.Builder
	tell := func(name, kind string, value float64) {
		fmt.Fprintf(&out, "# HELP %s As client_golang has it.\n# TYPE %s %s\n%s ", name, name, kind, name)
		out.WriteString(strconv.FormatFloat(value, 'g', -1, 64) + "\n")
	}
	fmt.Fprintf(&out, "# TYPE go_gc_duration_seconds summary\n")
	for i, quantile := range gc.PauseQuantiles {
		fmt.Fprintf(&out, "go_gc_duration_seconds{quantile=\"%g\"} %g\n", float64(i)/4, quantile.Seconds())
	}
	fmt.Fprintf(&out, "go_gc_duration_seconds_sum %g\n", gc.PauseTotal.Seconds())
	fmt.Fprintf(&out, "go_gc_duration_seconds_count %d\n", gc.NumGC)
	tell("go_goroutines", "gauge", float64(runtime.NumGoroutine()))
	tell("go_memstats_alloc_bytes_total", "counter", total)
	tell("go_memstats_mallocs_total", "counter", float64(m.Mallocs))
	tell("go_memstats_heap_alloc_bytes", "gauge", float64(m.HeapAlloc))
	tell("go_memstats_heap_sys_bytes", "gauge", float64(m.HeapSys))
	tell("go_memstats_next_gc_bytes", "gauge", float64(m.NextGC))
	mu.Lock()
	defer mu.Unlock()
	scrapes++
	tell("store_held_bytes", "gauge", float64(held))
	tell("scrapes_total", "counter", float64(scrapes))
	fmt.Fprintf(&out, "# TYPE store_allocs_total counter\n")
	for keep, count := range allocs {
		fmt.Fprintf(&out, "store_allocs_total{keep=\"%t\"} %d\n", keep, count)
	}
	tell("process_resident_memory_bytes", "gauge", float64(resident()))
	tell("process_cpu_seconds_total", "counter", spent().Seconds())
	return out.String()
}

func resident() int {
	text, _ := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1])
	return pages * os.Getpagesize()
}

func spent() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Truncate(10 * time.Millisecond)
}
