// A service whose requests have to help the collector: they allocate much beside a heap that takes long to mark.
package main

import (
	"flag"
	"net/http"
	"runtime"
	"sync"
)

type node struct {
	next    *node
	payload [56]byte
}

var (
	live *node
	sink [4]*node
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "host:port")
	flag.Parse()
	for i := 0; i < 200_000; i++ {
		live = &node{next: live}
	}
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/churn", func(http.ResponseWriter, *http.Request) { churn(200_000) })
	http.HandleFunc("/collect", func(http.ResponseWriter, *http.Request) { collect() })
	if err := http.ListenAndServe(*listen, nil); err != nil {
		panic(err)
	}
}

func churn(count int) {
	var group sync.WaitGroup
	for worker := range sink {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < count; i++ {
				sink[worker] = &node{next: live}
			}
		}()
	}
	group.Wait()
}

func collect() {
	runtime.GC()
}
