// A service with a path per look-alike: what grows as a leak does, and then stops, falls or is rebuilt.
package main

import (
	"bytes"
	"container/list"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const kilobyte = 1 << 10

// service is what the paths share; the lock guards all of it. total: the requests that will come.
type service struct {
	mutex  sync.Mutex
	total  int
	number int

	pages  map[int][]byte
	order  *list.List
	recent map[int]*list.Element
	pool   sync.Pool
	counts map[int]int
	tables map[int][]int64
	buffer []byte
	rates  map[int][]byte
	lines  bytes.Buffer
}

// fills is a cache of which a request in the first two fifths makes each entry.
func (s *service) fills(number int) {
	key := number % (s.total * 2 / 5)
	if s.pages[key] == nil {
		s.pages[key] = make([]byte, 4*kilobyte)
	}
}

const mostRecent = 100

// evicts is an LRU cache, full before the test; its entries have 1 to 32 kB.
func (s *service) evicts(int) {
	key := rand.IntN(3 * mostRecent)
	if element := s.recent[key]; element != nil {
		s.order.MoveToFront(element)
		return
	}
	s.recent[key] = s.order.PushFront(entry{key, make([]byte, kilobyte+rand.IntN(31*kilobyte))})
	if s.order.Len() > mostRecent {
		oldest := s.order.Remove(s.order.Back()).(entry)
		delete(s.recent, oldest.key)
	}
}

type entry struct {
	key  int
	data []byte
}

// pooled takes buffers out of a pool, some at a time, and gives them back.
func (s *service) pooled(int) {
	var taken []*[64 * kilobyte]byte
	for range 1 + rand.IntN(4) {
		taken = append(taken, s.pool.Get().(*[64 * kilobyte]byte))
	}
	for _, one := range taken {
		one[0]++
		s.pool.Put(one)
	}
}

// grewOnce is a map that one request fills and another empties: a map never shrinks.
func (s *service) grewOnce(number int) {
	switch number {
	case s.total / 3:
		for key := range 50_000 {
			s.counts[key] = number
		}
	case s.total/3 + 10:
		clear(s.counts)
	}
	s.counts[number%100]++
}

// lazy makes the table of a language when it is first asked for: twelve in the first third.
func (s *service) lazy(number int) {
	language := min(number*12*3/s.total, 11)
	if s.tables[language] == nil {
		s.tables[language] = make([]int64, 32*kilobyte)
	}
}

// largest has a buffer that grows to the largest request so far.
func (s *service) largest(int) {
	size := 16*kilobyte + rand.IntN(1000*kilobyte)
	if size > cap(s.buffer) {
		s.buffer = make([]byte, size)
	}
	s.buffer = s.buffer[:size]
}

// sawTooth makes garbage, some of which lives until the request after next.
func (s *service) sawTooth(number int) {
	s.pages[number%3] = make([]byte, rand.IntN(256*kilobyte))
}

func (s *service) connected(int) {}

// rebuild makes the rates anew, again and again, so that old and new are there for a moment.
func (s *service) rebuild() {
	for range time.Tick(30 * time.Millisecond) {
		rates := map[int][]byte{}
		for key := range 400 + rand.IntN(40) {
			rates[key] = make([]byte, 4*kilobyte)
		}
		s.mutex.Lock()
		s.rates = rates
		s.mutex.Unlock()
	}
}

func (s *service) rebuilt(number int) { _ = s.rates[number%400] }

// rotates keeps the lines of a log until there are 2 MB of them.
func (s *service) rotates(number int) {
	if s.lines.Len() > 2000*kilobyte {
		s.lines = bytes.Buffer{}
	}
	s.lines.WriteString("request " + strconv.Itoa(number) + ": ")
	s.lines.Write(make([]byte, 8*kilobyte))
}

// leaks is a leak, of 4 kB a request.
func (s *service) leaks(int) { s.pages[len(s.pages)] = make([]byte, 4*kilobyte) }

// work is garbage that every request makes, so that the heap is collected.
func work() int {
	size := 0
	for range 32 {
		size += len(bytes.Repeat([]byte{'a'}, 4*kilobyte))
	}
	return size
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	total := flag.Int("total", 2000, "requests that will come")
	flag.Parse()
	s := &service{
		total: *total, pages: map[int][]byte{}, order: list.New(), recent: map[int]*list.Element{},
		counts: map[int]int{}, tables: map[int][]int64{},
		pool: sync.Pool{New: func() any { return new([64 * kilobyte]byte) }},
	}
	for s.order.Len() < mostRecent {
		s.evicts(0)
	}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	handlers := map[string]func(int){
		"fills": s.fills, "evicts": s.evicts, "pooled": s.pooled, "grew_once": s.grewOnce, "lazy": s.lazy,
		"largest": s.largest, "saw_tooth": s.sawTooth, "connected": s.connected, "rebuilt": s.rebuilt,
		"rotates": s.rotates, "leaks": s.leaks,
	}
	var startRebuilding sync.Once
	for path, handler := range handlers {
		http.HandleFunc("/"+path, func(w http.ResponseWriter, _ *http.Request) {
			size := work()
			if path == "rebuilt" {
				startRebuilding.Do(func() { go s.rebuild() })
			}
			s.mutex.Lock()
			handler(s.number)
			s.number++
			s.mutex.Unlock()
			io.WriteString(w, strconv.Itoa(size))
		})
	}
	log.Fatal(http.ListenAndServe(*listen, nil))
}
