// Package web holds what the test programs share: serving, query parameters and memory that is surely resident.
package web

import (
	"fmt"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof" // registers /debug/pprof/ on http.DefaultServeMux
	"os"
	"strconv"
)

// Listen binds address, or ends the program with Go's own words and status 1.
func Listen(address string) net.Listener {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

// Serve answers /healthz and what mux knows on listener, and /debug/pprof/ on admin unless that is empty; it never returns.
func Serve(listener net.Listener, admin string, mux *http.ServeMux) {
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	if admin != "" {
		adminListener := Listen(admin)
		go func() { log.Fatal(http.Serve(adminListener, http.DefaultServeMux)) }()
	}
	log.Fatal(http.Serve(listener, mux))
}

// Handle registers a handler whose error becomes a 400, and whose text the answer.
func Handle(mux *http.ServeMux, path string, answer func(Query) (any, error)) {
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		reply, err := answer(Query{r})
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, reply)
	})
}

// Query reads the parameters of a request.
type Query struct{ request *http.Request }

// Int is the parameter name, or fallback where it is missing; anything but a number of at least 0 is an error.
func (q Query) Int(name string, fallback int) (int, error) {
	text := q.request.URL.Query().Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s=%q: want a whole number of at least 0", name, text)
	}
	return n, nil
}

// Bool is whether the parameter name is "true".
func (q Query) Bool(name string) bool {
	return q.request.URL.Query().Get(name) == "true"
}

// Touch writes to each page of block, which makes it resident.
func Touch(block []byte) []byte {
	for i := 0; i < len(block); i += os.Getpagesize() {
		block[i] = 1
	}
	return block
}
