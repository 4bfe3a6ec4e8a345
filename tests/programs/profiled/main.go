// Command profiled is a service whose functions allocate what they are told to, to the byte, and whose profiles may be
// broken in every way that has been seen.
package main

import (
	"bytes"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/http/pprof"
	"os"
	"strings"
	"time"

	"example.com/programs/internal/web"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "host:port")
	admin := flag.String("admin", "", "host:port of /debug/pprof/")
	broken := flag.String("broken", "", "how binary profiles are broken: html, status, truncated, cut, slow, endless, die")
	after := flag.Int("after", 0, "how many of them are whole before")
	flag.Parse()
	mux := http.NewServeMux()
	web.Handle(mux, "/allocate", allocate)
	if *admin != "" {
		listener := web.Listen(*admin)
		go func() { _ = http.Serve(listener, profiles(*broken, *after)) }()
	}
	web.Serve(web.Listen(*listen), "", mux)
}

var (
	sink []byte
	kept [][]byte
)

// allocate makes ?count= objects of ?size= bytes in main.lean or main.fat, and keeps them if told to.
func allocate(query web.Query) (any, error) {
	size, err := query.Int("size", 1024)
	if err != nil {
		return nil, err
	}
	count, err := query.Int("count", 1)
	if err != nil {
		return nil, err
	}
	make := lean
	if query.Bool("fat") {
		make = fat
	}
	for i := 0; i < count; i++ {
		if made := make(size); query.Bool("keep") {
			kept = append(kept, made)
		}
	}
	return count * size, nil
}

//go:noinline
func lean(size int) []byte {
	sink = make([]byte, size)
	return sink
}

//go:noinline
func fat(size int) []byte {
	return fatter(size)
}

//go:noinline
func fatter(size int) []byte {
	sink = make([]byte, size)
	return sink
}

// profiles is /debug/pprof/, where the text forms are whole and the binary ones, from a number on, broken.
func profiles(how string, after int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isText := r.URL.Query().Get("debug") != ""
		if !isText {
			after--
		}
		if how == "" || isText || after >= 0 {
			pprof.Index(w, r)
			return
		}
		breakProfile(how, w, r)
	})
}

func breakProfile(how string, w http.ResponseWriter, r *http.Request) {
	switch how {
	case "html":
		_, _ = w.Write([]byte("<!DOCTYPE html><html><body>Please log in</body></html>"))
	case "status":
		http.Error(w, "profiling is switched off", http.StatusForbidden)
	case "truncated":
		_, _ = w.Write(half(r))
	case "cut":
		w.Header().Set("Content-Length", "1000000")
		_, _ = w.Write(half(r))
	case "slow":
		time.Sleep(time.Minute)
	case "endless":
		for i := 0; i < 600; i++ {
			_, _ = w.Write([]byte(strings.Repeat("x", 100)))
			w.(http.Flusher).Flush()
			time.Sleep(100 * time.Millisecond)
		}
	case "die":
		os.Exit(7)
	}
}

// half is the first half of a whole profile.
func half(r *http.Request) []byte {
	recorder := httptest.NewRecorder()
	pprof.Index(recorder, r)
	whole := bytes.Clone(recorder.Body.Bytes())
	return whole[:len(whole)/2]
}
