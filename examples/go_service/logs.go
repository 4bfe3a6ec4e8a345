package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
)

const (
	lineSize        = 1 << 10
	batchSize       = 100
	linesPerRequest = 1000
)

func routeLogs(mux *http.ServeMux) {
	mux.HandleFunc("/logs/leaky", logTo(new(leakyLog).add))
	mux.HandleFunc("/logs/batched", logTo((&batchedLog{sink: io.Discard}).add))
}

// logTo writes ?lines= log lines of 1 KB, 1000 unless told.
func logTo(add func(*entry)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		lines, ok := queryInt(w, r, "lines", linesPerRequest, 1_000_000)
		if !ok {
			return
		}
		for i := 0; i < lines; i++ {
			add(newEntry(i))
		}
		fmt.Fprintln(w, lines)
	}
}

// entry is a structured log line of 1 KB: seven objects, as loggers that keep
// their fields apart make them.
type entry struct {
	line   []byte
	fields []*field
}

type field struct{ key, value string }

func newEntry(number int) *entry {
	line := fmt.Appendf(make([]byte, 0, lineSize), "level=info line=%d payload=", number)
	return &entry{
		line: line[:lineSize],
		fields: []*field{
			{"request", strconv.Itoa(1000 + number)},
			{"user", strconv.Itoa(1000 + number%97)},
		},
	}
}

// leakyLog is bad: it keeps every entry for ever, since nothing ever takes
// one out of the slice. The live heap grows with each request.
type leakyLog struct {
	mu      sync.Mutex
	entries []*entry
}

func (l *leakyLog) add(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
}

// batchedLog is good: it holds one batch at most, hands it to the sink and
// lets go of it.
type batchedLog struct {
	mu    sync.Mutex
	sink  io.Writer
	batch []*entry
}

func (b *batchedLog) add(e *entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.batch = append(b.batch, e)
	if len(b.batch) == batchSize {
		b.flush()
	}
}

func (b *batchedLog) flush() {
	for _, e := range b.batch {
		_, _ = b.sink.Write(e.line) // a log that cannot be written must not stop the service
	}
	// [:0] alone keeps the backing array, and through it every entry it still
	// points to. Cleared first, the array is reused and the entries are free.
	clear(b.batch)
	b.batch = b.batch[:0]
}
