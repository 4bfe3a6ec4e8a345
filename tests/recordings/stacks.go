package main

import (
	"net"
	"runtime"
	"sync"
	"time"
)

// server waits in the ways that a service's goroutines do.
type server struct {
	mu   sync.Mutex
	none chan int // nobody sends
	full chan int // nobody receives
}

// stacks starts 12 goroutines, and returns when all of them wait.
func stacks() {
	s := &server{none: make(chan int), full: make(chan int)}
	s.mu.Lock()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	for i := 0; i < 3; i++ {
		go s.receive()
	}
	for i := 0; i < 2; i++ {
		go s.lock()
	}
	go func() {
		runtime.LockOSThread()
		select {}
	}()
	go deep(200, s.none)
	go receiveOf[int](s.none)
	go listener.Accept()
	go time.Sleep(time.Hour)
	s.start()
	time.Sleep(300 * time.Millisecond)
}

func (s *server) start() {
	for i := 0; i < 2; i++ {
		go func(n int) { s.full <- n }(i)
	}
}

func (s *server) receive() { <-s.none }

func (s *server) lock() { s.mu.Lock() }

// deep has more calls on its stack than the runtime prints.
//
//go:noinline
func deep(calls int, end chan int) int {
	if calls == 0 {
		return <-end
	}
	return deep(calls-1, end) + 1
}

func receiveOf[T any](end chan T) T { return inlined(end) }

func inlined[T any](end chan T) T { return <-end }
