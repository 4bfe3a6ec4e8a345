// Limited is a service whose memory comes to a limit in the ways that its paths name.
package main

import (
	"flag"
	"log"
	"net/http"
	_ "net/http/pprof"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

func main() {
	listen := flag.String("listen", "", "address to serve on")
	eat := flag.Int("eat", 0, "as a child: bytes to use, then end")
	flag.Parse()
	if *eat > 0 {
		touch(make([]byte, *eat))
		return
	}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {})
	http.HandleFunc("/leak", handle(remember))
	http.HandleFunc("/burst", handle(spread))
	http.HandleFunc("/hold", handle(hold))
	http.HandleFunc("/churn", handle(churn))
	http.HandleFunc("/cache", handle(fillCache))
	http.HandleFunc("/map", handle(mapFile))
	http.HandleFunc("/child", handle(runChild))
	log.Fatal(http.ListenAndServe(*listen, nil))
}

// handle gives a function the number n of the query.
func handle(work func(n int) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("n"))
		if err == nil {
			err = work(n)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

// fillCache writes a file of n bytes that only the page cache holds, and reads it.
func fillCache(n int) error {
	file, err := os.CreateTemp("", "limited")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	piece := make([]byte, 1<<20)
	for written := 0; written < n; written += len(piece) {
		if _, err := file.Write(piece); err != nil {
			return err
		}
	}
	for at := int64(0); at < int64(n); at += int64(len(piece)) {
		if _, err := file.ReadAt(piece, at); err != nil {
			return err
		}
	}
	return nil
}

// mapFile has n bytes of a file in memory for a moment, as an embedded database has.
func mapFile(n int) error {
	file, err := os.CreateTemp("", "limited")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if _, err := file.Write(make([]byte, 1<<20)); err != nil {
		return err
	}
	if err := file.Truncate(int64(n)); err != nil {
		return err
	}
	pages, err := syscall.Mmap(int(file.Fd()), 0, n, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return err
	}
	defer syscall.Munmap(pages)
	for at := 0; at < n; at += 4096 {
		sum += int(pages[at])
	}
	time.Sleep(100 * time.Millisecond) // as long as several samples take
	return nil
}

// sum is of pages that were read.
var sum int

// runChild has a child process use n bytes.
func runChild(n int) error {
	return exec.Command(os.Args[0], "-eat", strconv.Itoa(n)).Run()
}

// churn makes garbage that the collector has to scan for n milliseconds.
func churn(n int) error {
	for end := time.Now().Add(time.Duration(n) * time.Millisecond); time.Now().Before(end); {
		for i := 0; i < 100; i++ {
			newest = &node{}
		}
	}
	return nil
}
