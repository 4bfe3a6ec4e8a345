// A shop whose catalogue lies in memory, with ten handlers. A benchmark makes each of them worse by a line or two.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

type product struct {
	Name, Text string
	Price      int
	once       sync.Once
	encoded    []byte
}

// shop is what the handlers share; the lock guards all of it.
type shop struct {
	mutex     sync.Mutex
	catalogue []*product
	stock     map[string]int
	number    int
	pages     map[int][]byte
	batch     []*entry
	receipts  map[int]string
	undo      []func() int
	changed   chan int
	timer     *time.Timer
}

type entry struct {
	request int
	text    [1000]byte
}

const (
	mostPages   = 50
	mostEntries = 400
)

func newShop(products int) *shop {
	s := &shop{stock: map[string]int{}, pages: map[int][]byte{}, receipts: map[int]string{}}
	s.changed = make(chan int, 1)
	s.timer = time.NewTimer(time.Hour)
	for number := range products {
		name := "product " + strconv.Itoa(number)
		s.catalogue = append(s.catalogue, &product{Name: name, Text: strings.Repeat("text ", 160), Price: number})
		s.stock["shelf/"+strconv.Itoa(number)] = number
	}
	return s
}

// next counts the requests, and holds the lock until the handler is done.
func (s *shop) next() (number int, unlock func()) {
	s.mutex.Lock()
	s.number++
	return s.number, s.mutex.Unlock
}

func (s *shop) page(w http.ResponseWriter, r *http.Request) {
	number, unlock := s.next()
	defer unlock()
	page := make([]byte, 512)
	s.pages[number] = page
	delete(s.pages, number-mostPages)
	w.Write(page)
}

func (s *shop) log(w http.ResponseWriter, r *http.Request) {
	number, unlock := s.next()
	defer unlock()
	s.batch = append(s.batch, &entry{request: number})
	if len(s.batch) == mostEntries {
		clear(s.batch)
		s.batch = s.batch[:0]
	}
}

func (s *shop) watch(w http.ResponseWriter, r *http.Request) {
	seen := make([]byte, 8<<10)
	done := make(chan struct{})
	go func() {
		<-done
		seen[0]++
	}()
	fmt.Fprintln(w, len(seen))
	close(done)
}

func (s *shop) upload(w http.ResponseWriter, r *http.Request) {
	number, unlock := s.next()
	defer unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text := string(body)
	s.receipts[number] = strings.Clone(text[:16])
	fmt.Fprintln(w, len(text))
}

func (s *shop) order(w http.ResponseWriter, r *http.Request) {
	number, unlock := s.next()
	defer unlock()
	receipt := s.receipt(number)
	size := len(receipt)
	s.undo = append(s.undo, func() int { return size })
	w.Write(receipt)
}

func (s *shop) receipt(number int) []byte {
	receipt := make([]byte, 0, 1<<10)
	receipt = append(receipt, "order "...)
	return strconv.AppendInt(receipt, int64(number), 10)[:cap(receipt)]
}

var buffers = sync.Pool{New: newBuffer}

func newBuffer() any {
	return new([4 << 10]byte)
}

func (s *shop) report(w http.ResponseWriter, r *http.Request) {
	buffer := buffers.Get().(*[4 << 10]byte)
	w.Write(buffer[:])
	buffers.Put(buffer)
}

func (s *shop) poll(w http.ResponseWriter, r *http.Request) {
	number, unlock := s.next()
	defer unlock()
	for range 4 {
		s.changed <- number
		s.timer.Reset(time.Minute)
		select {
		case <-s.changed:
		case <-s.timer.C:
		}
	}
}

func (s *shop) shelf(w http.ResponseWriter, r *http.Request) {
	number, unlock := s.next()
	defer unlock()
	total := 0
	for at := range 60 {
		key := strconv.AppendInt(append(make([]byte, 0, 64), "shelf/"...), int64(number+at), 10)
		total += s.stock[string(key)]
	}
	fmt.Fprintln(w, total)
}

func (s *shop) list(w http.ResponseWriter, r *http.Request) {
	var text strings.Builder
	text.Grow(1 << 10)
	for _, product := range s.catalogue[:10] {
		text.WriteString(product.Name)
	}
	io.WriteString(w, text.String())
}

func (p *product) encode() []byte {
	encoded, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return encoded
}

func (s *shop) product(w http.ResponseWriter, r *http.Request) {
	product := s.catalogue[7]
	product.once.Do(func() { product.encoded = product.encode() })
	w.Write(product.encoded)
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "")
	products := flag.Int("products", 1000, "each takes a kilobyte")
	flag.Parse()
	s := newShop(*products)
	for path, handle := range map[string]http.HandlerFunc{
		"/page": s.page, "/log": s.log, "/watch": s.watch, "/upload": s.upload, "/order": s.order,
		"/report": s.report, "/poll": s.poll, "/shelf": s.shelf, "/list": s.list, "/product": s.product,
		"/healthz": func(http.ResponseWriter, *http.Request) {},
	} {
		http.HandleFunc(path, handle)
	}
	log.Fatal(http.ListenAndServe(*listen, nil))
}
