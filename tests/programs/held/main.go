// Keeps the same amount of memory in each of many ways, and writes heap dumps of itself: held BEFORE AFTER.
package main

import (
	"container/list"
	"context"
	"fmt"
	"net/http"
	_ "net/http/pprof" // the linker turns memory profiles off in programs that have no use for them
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

const payload = 4 << 10

type session struct {
	id   int
	body []byte
}

func newSession(id int) *session { return &session{id, []byte(secrets())} }

// secrets are what no answer may have.
func secrets() string { return strings.Repeat("s3cret! ", payload/8) }

var (
	cache    = map[string]*session{}
	prefixes []string
	windows  [][]byte
	lifetime = context.Background()
	events   = make(chan session, 1000)
	users    sync.Map
	buffers  = sync.Pool{New: func() any { return new([payload]byte) }}
	byID     = map[int]*session{}
	inOrder  []*session
	recent   = &lru{order: list.New(), index: map[int]*list.Element{}}
	history  ring[*session]
	latest   *chained
	handlers []func() int
	plugins  = map[string]any{}
)

type lru struct {
	order *list.List
	index map[int]*list.Element
}

type ring[T any] struct {
	slots [256]T
	next  int
}

func (r *ring[T]) put(one T) {
	r.slots[r.next%len(r.slots)] = one
	r.next++
}

type chained struct {
	next *chained
	body *session
}

type plugin interface{ run() int }

func (s *session) run() int { return s.id }

type handle struct{ session *session }

type requestKey struct{}

//go:noinline
func deliver(answers chan *session, one *session) {
	answers <- one
	runtime.KeepAlive(one)
}

//go:noinline
func collect(id int, done chan int) {
	found := map[int]*session{}
	for i := 0; i < 10; i++ {
		found[i] = newSession(id)
	}
	select {
	case <-done:
	case <-time.After(time.Hour):
	}
	runtime.KeepAlive(found)
}

func keep(id int) {
	cache[fmt.Sprint("session ", id)] = newSession(id)
	prefixes = append(prefixes, secrets()[:8])
	windows = append(windows, make([]byte, payload)[100:108:108])
	child, cancel := context.WithCancel(context.WithValue(lifetime, requestKey{}, newSession(id)))
	runtime.KeepAlive(child)
	_ = cancel
	events <- *newSession(id)
	users.Store(id, newSession(id))
	both := newSession(id)
	byID[id], inOrder = both, append(inOrder, both)
	recent.index[id] = recent.order.PushFront(newSession(id))
	history.put(newSession(id))
	latest = &chained{latest, newSession(id)}
	captured := newSession(id)
	handlers = append(handlers, func() int { return captured.id })
	plugins[fmt.Sprint("plugin ", id)] = plugin(newSession(id))
	go deliver(make(chan *session), newSession(id))
	due := newSession(id)
	time.AfterFunc(time.Hour, func() { due.id++ })
	final := &handle{newSession(id)}
	runtime.SetFinalizer(final, func(*handle) { final.session.id++ })
	keepCleaned(id)
	if id%10 == 0 {
		go collect(id, make(chan int))
	}
}

// write settles the heap, fills the pool, and writes a dump.
func write(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	time.Sleep(100 * time.Millisecond) // until each goroutine stands where it stays
	runtime.GC()
	runtime.GC()
	var borrowed []any
	for i := 0; i < 100; i++ {
		borrowed = append(borrowed, buffers.Get())
	}
	for _, one := range borrowed {
		buffers.Put(one)
	}
	borrowed = nil
	runtime.GC()
	debug.WriteHeapDump(file.Fd())
	return nil
}

func main() {
	runtime.MemProfileRate = 16 << 10
	var stop context.CancelFunc
	lifetime, stop = context.WithCancel(lifetime)
	defer stop()
	for step, path := range os.Args[1:] {
		for id := 0; id < 100; id++ {
			keep(step*100 + id)
		}
		if err := write(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	_ = http.DefaultServeMux
}
