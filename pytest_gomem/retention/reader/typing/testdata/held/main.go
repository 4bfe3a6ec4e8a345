// Command held holds 200 of each thing in a way of its own, and writes its heap to the file that it is given.
package main

import (
	"container/list"
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
)

const N = 200

type Session struct {
	ID   int
	Body []byte
}
type Wide struct {
	Fill [70]int64
	Next *Wide
}
type Pair[K comparable, V any] struct {
	Key   K
	Value V
}
type key struct{}
type Conn struct{ body []byte }
type InMap struct{ body [3]int64 }
type InPool struct{ body [5]int64 }
type InTimer struct{ body [7]int64 }
type InList struct{ body [9]int64 }
type InContext struct{ body [11]int64 }
type InChannel struct{ body [13]int64 }
type OnStack struct{ body [15]int64 }
type InSyncMap struct{ body [17]int64 }
type InMethod struct{ body [21]int64 }
type InSend struct{ body [23]int64 }
type InLocalMap struct{ body [25]int64 }
type Static struct{ one *InStatic }
type InStatic struct{ body [19]int64 }

var (
	sessions = map[string]*Session{}
	big      = map[[200]byte]*InMap{}
	wide     *Wide
	pairs    []*Pair[string, *Session]
	conns    []*Conn
	pool     sync.Pool
	order    = list.New()
	root, _  = context.WithCancel(context.Background())
	events   = make(chan *InChannel, N)
	shared   sync.Map
	static   = &Static{}
	methods  []func()
	cleaned  func(int)
)

func (m *InMethod) run() { m.body[0]++ }

//go:noinline
func send(c chan *InSend, held *InSend) { c <- held }

//go:noinline
func collect(done chan int) {
	found := map[int]*InLocalMap{}
	for i := 0; i < N; i++ {
		found[i] = &InLocalMap{}
	}
	select {
	case <-done:
	case <-time.After(time.Hour):
	}
	println(len(found))
}

//go:noinline
func wait(c chan int, held *OnStack) {
	<-c
	runtime.KeepAlive(held)
}

func main() {
	for i := 0; i < N; i++ {
		name := "name " + strconv.Itoa(i)
		sessions[name] = &Session{i, make([]byte, 300)}
		big[[200]byte{byte(i)}] = &InMap{}
		wide = &Wide{Next: wide}
		pairs = append(pairs, &Pair[string, *Session]{name, sessions[name]})
		c := &Conn{make([]byte, 100)}
		runtime.SetFinalizer(c, func(c *Conn) { c.body = nil })
		conns = append(conns, c)
		order.PushBack(&InList{})
		context.AfterFunc(context.WithValue(root, key{}, &InContext{}), func() {})
		events <- &InChannel{}
		shared.Store(i, &InSyncMap{})
		held := &InTimer{}
		time.AfterFunc(time.Hour, func() { held.body[0]++ })
		go wait(make(chan int), &OnStack{})
		go send(make(chan *InSend), &InSend{})
		method := &InMethod{}
		methods = append(methods, method.run)
		if cleaned != nil {
			cleaned(i)
		}
	}
	go collect(make(chan int))
	static.one = &InStatic{}
	runtime.GC()
	for i := 0; i < N; i++ {
		pool.Put(&InPool{})
	}
	time.Sleep(20 * time.Millisecond)
	file, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	debug.WriteHeapDump(file.Fd())
	runtime.KeepAlive(sessions)
}
