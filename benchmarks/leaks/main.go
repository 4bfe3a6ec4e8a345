// A service with a path per leak: each request keeps one thing for ever. It knows how much it keeps.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"
	"sync/atomic"
)

// What a request of most paths keeps; it has the size of a size class.
const payload = 16 << 10

// kept counts the bytes that the paths keep, but not the maps, lists and timers that hold them.
var requests, kept atomic.Int64

// fill is a payload as a client might have sent it, and counts as kept.
func fill() []byte {
	data := make([]byte, payload)
	for at := range data {
		data[at] = 'a' + byte(at%26)
	}
	kept.Add(payload)
	return data
}

// work is garbage that every request makes, so that the heap is collected.
func work(number int64) string {
	text := make([]byte, 0, 16)
	for range 64 {
		text = strconv.AppendInt(make([]byte, 0, 512), number, 10)
	}
	return string(text)
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	flag.Parse()
	settings := load()
	upstream, err := serveUpstream()
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, len(settings), "settings")
	})
	http.HandleFunc("/kept", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, kept.Load()) })
	handlers := map[string]func(int64) error{
		"map": keepSession, "substring": keepToken, "blocked": keepWaiting, "select": keepTimed,
		"context": keepChild, "library": keepInLibrary, "timer": keepReminder, "finalizer": keepFinalized,
		"cleanup": keepCleaned, "list": keepRecent, "channel": keepEvent, "node": keepNode, "none": keepNothing,
		"body": func(int64) error { return keepBody(upstream) },
	}
	for path, handler := range handlers {
		http.HandleFunc("/"+path, func(w http.ResponseWriter, _ *http.Request) {
			number := requests.Add(1)
			answer := work(number)
			if err := handler(number); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			io.WriteString(w, answer)
		})
	}
	log.Fatal(http.ListenAndServe(*listen, nil))
}

type setting struct {
	name, value string
	tags        []string
}

// load makes what an ordinary service has in memory: some 2 MB that stay as they are.
func load() map[string]*setting {
	settings := map[string]*setting{}
	for number := range 8000 {
		name := "setting " + strconv.Itoa(number)
		settings[name] = &setting{name, work(int64(number)), []string{name, "all"}}
	}
	return settings
}
