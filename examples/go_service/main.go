// Command go_service is a small HTTP service that does the same work in a bad
// and in a good way, so that the memory each way costs can be measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	_ "net/http/pprof" // registers /debug/pprof/ on http.DefaultServeMux
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "host:port of the application")
	admin := flag.String("admin", "", "host:port of /debug/pprof/ (empty: not served)")
	flag.Parse()
	if err := run(*listen, *admin); err != nil {
		log.Fatal(err)
	}
}

// run serves until SIGINT, SIGTERM or the first server that fails.
func run(listen, admin string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed := make(chan error, 2)
	app := serve(listen, routes(), failed)
	if admin != "" {
		// A port of its own keeps profiles from the public, and has no
		// WriteTimeout that would cut off a /debug/pprof/allocs?seconds=30.
		defer serve(admin, http.DefaultServeMux, failed).Close()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := app.Shutdown(grace); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return app.Close()
}

func serve(address string, handler http.Handler, failed chan<- error) *http.Server {
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	return server
}

func routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", idle)
	mux.HandleFunc("/idle", idle)
	routeLogs(mux)
	routeBuffers(mux)
	routeUpload(mux)
	routeEncode(mux)
	routeMemory(mux)
	routeWork(mux)
	return mux
}

// idle does nothing: what it costs is the price of a request as such.
func idle(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "ok")
}

// queryInt reads the parameter name, 0 to most; on anything else it answers
// 400 itself and returns false.
func queryInt(w http.ResponseWriter, r *http.Request, name string, fallback, most int) (int, bool) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return fallback, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		http.Error(w, fmt.Sprintf("%s=%q: want a whole number from 0 to %d", name, text, most), http.StatusBadRequest)
		return 0, false
	}
	return n, true
}
