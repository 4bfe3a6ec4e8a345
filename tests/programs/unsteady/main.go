// Command unsteady is a service whose memory differs from one process to the next, in as many ways as it has paths.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"math/rand"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"example.com/programs/internal/web"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "host:port")
	admin := flag.String("admin", "", "host:port of /debug/pprof/")
	flag.Parse()

	mux := http.NewServeMux()
	for path, work := range map[string]func(){
		"/pooled":   pooled,
		"/evicted":  new(evicting).set,
		"/deep":     deep,
		"/decoded":  decoded,
		"/appended": appended,
		"/cleaned":  cleaned,
		"/rebuilt":  func() { go rebuilt() },
		"/idle":     func() {},
	} {
		work := work
		mux.HandleFunc(path, func(http.ResponseWriter, *http.Request) { work() })
	}
	web.Handle(mux, "/leak", leak)
	web.Serve(web.Listen(*listen), *admin, mux)
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// pooled fills a buffer of 64 KiB to 1 MiB that a sync.Pool keeps until the collector comes.
func pooled() {
	buffer := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buffer)
	buffer.Reset()
	io.Copy(buffer, io.LimitReader(zeros{}, 64<<10+rand.Int63n(1<<20)))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// evicting is a cache that evicts at random.
type evicting struct {
	mu   sync.Mutex
	kept map[int][]byte
}

const mostEntries = 500

func (c *evicting) set() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil {
		c.kept = make(map[int][]byte)
	}
	for key := range c.kept {
		if len(c.kept) < mostEntries {
			break
		}
		delete(c.kept, key)
	}
	c.kept[rand.Intn(10*mostEntries)] = make([]byte, 1<<10+rand.Intn(16<<10))
}

// deep grows a stack as far as chance has it.
func deep() { descend(rand.Intn(1000)) }

//go:noinline
func descend(levels int) byte {
	var frame [256]byte
	frame[levels%256] = 1
	if levels > 0 {
		return descend(levels-1) + frame[0]
	}
	return frame[0]
}

// decoded parses a document of up to 1000 records.
func decoded() {
	document := "[" + strings.Repeat(`{"id":1,"name":"somebody","tags":["a","b"]},`, rand.Intn(1000)) + "{}]"
	var records []map[string]any
	if json.Unmarshal([]byte(document), &records) != nil {
		panic("this document is whole")
	}
}

// appended grows a slice to 1 to 9 MiB, leaving what it grew out of to the collector.
func appended() {
	var grown []byte
	for most := 1<<20 + rand.Intn(8<<20); len(grown) < most; {
		grown = append(grown, make([]byte, 16<<10)...)
	}
	runtime.KeepAlive(grown)
}

// cleaned makes 200 objects that live until their finalizers have run.
func cleaned() {
	for made := 0; made < 200; made++ {
		held := make([]byte, 4<<10)
		runtime.SetFinalizer(&held[0], func(*byte) {})
	}
}

// rebuilt makes a cache of 600 kB anew ten times a second; while it does so both are live.
func rebuilt() {
	var cache map[int]*[256]byte
	for {
		next := make(map[int]*[256]byte)
		for key := 0; key < 2000; key++ {
			next[key] = new([256]byte)
		}
		cache = next
		time.Sleep(100 * time.Millisecond)
		runtime.KeepAlive(cache)
	}
}

var leaked [][]byte

// leak keeps from ?least= to ?most= bytes, as chance has it.
func leak(query web.Query) (any, error) {
	least, err := query.Int("least", 0)
	if err != nil {
		return nil, err
	}
	most, err := query.Int("most", least)
	if err != nil {
		return nil, err
	}
	kept := bytes.Repeat([]byte{1}, least+rand.Intn(most-least+1))
	leaked = append(leaked, kept)
	return len(kept), nil
}
