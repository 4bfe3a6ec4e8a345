// Command startup makes garbage while it starts, as a service that parses a catalogue does, and more on request.
package main

import (
	"flag"
	"net/http"

	"example.com/programs/internal/web"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "host:port")
	admin := flag.String("admin", "", "host:port of /debug/pprof/")
	garbage := flag.Int("garbage", 64, "MiB that are written at the start and dropped")
	flag.Parse()
	touch(*garbage << 20)
	mux := http.NewServeMux()
	web.Handle(mux, "/transient", transient)
	web.Serve(web.Listen(*listen), *admin, mux)
}

// transient answers /transient?bytes=N once N bytes were written and dropped.
func transient(q web.Query) (any, error) {
	size, err := q.Int("bytes", 1<<20)
	if err != nil {
		return nil, err
	}
	return touch(size), nil
}

func touch(size int) int {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i)
	}
	return len(b)
}
