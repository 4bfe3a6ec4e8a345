package main

import (
	"container/list"
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"example.com/sessions"
)

// The lock guards all that the shapes keep.
var mutex sync.Mutex

func locked() func() {
	mutex.Lock()
	return mutex.Unlock
}

type session struct {
	number int64
	body   []byte
}

var open = map[string]*session{}

func keepSession(number int64) error {
	defer locked()()
	open[strconv.FormatInt(number, 10)] = &session{number, fill()}
	return nil
}

var tokens []string

// keepToken keeps eight bytes of a text, and with them the text.
func keepToken(int64) error {
	defer locked()()
	text := string(fill())
	tokens = append(tokens, text[100:108])
	return nil
}

//go:noinline
func deliver(answers chan []byte, letter []byte) {
	answers <- letter
	runtime.KeepAlive(letter)
}

// keepWaiting starts a goroutine whose answer nobody takes.
func keepWaiting(int64) error {
	go deliver(make(chan []byte), fill())
	return nil
}

//go:noinline
func await(answers chan []byte, question []byte) {
	select {
	case <-answers:
	case <-time.After(24 * time.Hour):
	}
	runtime.KeepAlive(question)
}

func keepTimed(int64) error {
	go await(make(chan []byte), fill())
	return nil
}

type requestKey struct{}

var lifetime, _ = context.WithCancel(context.Background())

// keepChild never cancels what it derives from the context of the whole service.
func keepChild(number int64) error {
	child, _ := context.WithCancel(context.WithValue(lifetime, requestKey{}, &session{number, fill()}))
	return child.Err()
}

func keepInLibrary(number int64) error {
	sessions.Put("user "+strconv.FormatInt(number, 10), fill())
	return nil
}

// keepReminder sets a timer far away, whose function keeps the session.
func keepReminder(number int64) error {
	due := &session{number, fill()}
	time.AfterFunc(24*time.Hour, func() { due.body[0] = 0 })
	return nil
}

type handle struct {
	number int64
	body   []byte
}

type owner struct{ handle *handle }

// keepFinalized has a finalizer that reaches its own object, so that it never runs.
func keepFinalized(number int64) error {
	one := &handle{number, fill()}
	runtime.SetFinalizer(one, func(*handle) { one.body[0] = 0 })
	return nil
}

// keepCleaned has a cleanup whose argument reaches its own object, so that it never runs.
func keepCleaned(number int64) error {
	one := &handle{number, fill()}
	runtime.AddCleanup(one, func(owner owner) { owner.handle.body[0] = 0 }, owner{one})
	return nil
}

// recent is a list with an index, as an LRU cache that has lost its bound.
type recent struct {
	order *list.List
	index map[int64]*list.Element
}

var latest = &recent{list.New(), map[int64]*list.Element{}}

func keepRecent(number int64) error {
	defer locked()()
	latest.index[number] = latest.order.PushFront(&session{number, fill()})
	return nil
}

type event struct{ body []byte }

var events = make(chan event, 4096)

// keepEvent sends what nobody receives.
func keepEvent(int64) error {
	select {
	case events <- event{fill()}:
		return nil
	default:
		return errors.New("the queue is full")
	}
}

// node has the size of a size class: 64 bytes.
type node struct {
	next *node
	data [7]int64
}

var nodes *node

// keepNode keeps 64 bytes.
func keepNode(number int64) error {
	defer locked()()
	nodes = &node{next: nodes, data: [7]int64{number}}
	kept.Add(int64(unsafe.Sizeof(*nodes)))
	return nil
}

func keepNothing(int64) error { return nil }

// serveUpstream answers each connection once, with a body that is longer than what it sends.
func serveUpstream() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() {
		var open []net.Conn
		request := make([]byte, 4096)
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connection.Read(request)
			connection.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nthe beginning"))
			open = append(open, connection)
		}
	}()
	return "http://" + listener.Addr().String(), nil
}

const buffer = 32 << 10

var client = &http.Client{Transport: &http.Transport{ReadBufferSize: buffer, WriteBufferSize: buffer}}

// keepBody does not close the body of an answer, which keeps the connection with its buffers and goroutines.
func keepBody(upstream string) error {
	answer, err := client.Get(upstream)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	kept.Add(2 * buffer)
	return nil
}
