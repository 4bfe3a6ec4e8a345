// A small program with something of all that a heap dump can hold, which writes its own.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

type session struct {
	name string
	body []byte
	next *session
}

var (
	sessions = map[string]*session{}
	numbers  = map[int]any{}
	events   = make(chan *session, 8)
	pool     = sync.Pool{New: func() any { return new(session) }}
	lifetime context.Context
	children []context.Context
)

type key struct{ number int }

func wait(events chan *session, kept *session) {
	<-events
	runtime.KeepAlive(kept)
}

func main() {
	var cancel context.CancelFunc
	lifetime, cancel = context.WithCancel(context.Background())
	defer cancel()
	for number := 0; number < 20; number++ {
		one := &session{name: fmt.Sprint("session ", number), body: make([]byte, 40+number*20)}
		one.next = sessions["session 0"]
		sessions[one.name] = one
		numbers[number] = []any{one, number, one.name, func() { one.body[0]++ }}
		runtime.SetFinalizer(&session{name: one.name}, func(*session) {})
		children = append(children, context.WithValue(lifetime, key{number}, one))
		go wait(make(chan *session), one)
		time.AfterFunc(time.Hour, func() { one.next = nil })
		pool.Put(&session{body: make([]byte, 600)})
		select {
		case events <- one:
		default:
		}
	}
	time.Sleep(50 * time.Millisecond)
	file, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	debug.WriteHeapDump(file.Fd())
	if err := file.Close(); err != nil {
		panic(err)
	}
	runtime.KeepAlive(sessions)
}
