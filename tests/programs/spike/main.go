// Command spike serves /spike?mb=200&ms=5: that much memory outside the Go heap is resident for that time, then unmapped.
package main

import (
	"flag"
	"net/http"
	"syscall"
	"time"

	"example.com/programs/internal/web"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "host:port")
	admin := flag.String("admin", "", "host:port of /debug/pprof/")
	flag.Parse()
	mux := http.NewServeMux()
	web.Handle(mux, "/spike", spike)
	web.Serve(web.Listen(*listen), *admin, mux)
}

// spike maps memory of its own, since the Go runtime would keep freed pages resident and RSS would not fall.
func spike(q web.Query) (any, error) {
	mb, err := q.Int("mb", 200)
	if err != nil {
		return nil, err
	}
	ms, err := q.Int("ms", 5)
	if err != nil {
		return nil, err
	}
	block, err := syscall.Mmap(-1, 0, mb<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	web.Touch(block)
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return mb << 20, syscall.Munmap(block)
}
