package main

import (
	"fmt"
	"io"
	"net/http"
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
func logTo(add func(line []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		lines, ok := queryInt(w, r, "lines", linesPerRequest, 1_000_000)
		if !ok {
			return
		}
		for i := 0; i < lines; i++ {
			add(newLine(i))
		}
		fmt.Fprintln(w, lines)
	}
}

func newLine(number int) []byte {
	line := fmt.Appendf(make([]byte, 0, lineSize), "level=info line=%d payload=", number)
	return line[:lineSize]
}

// leakyLog is bad: it keeps every line for ever, since nothing ever takes a
// line out of the slice. The live heap grows with each request.
type leakyLog struct {
	mu    sync.Mutex
	lines [][]byte
}

func (l *leakyLog) add(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

// batchedLog is good: it holds one batch at most, hands it to the sink and
// lets go of it.
type batchedLog struct {
	mu    sync.Mutex
	sink  io.Writer
	batch [][]byte
}

func (b *batchedLog) add(line []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.batch = append(b.batch, line)
	if len(b.batch) == batchSize {
		b.flush()
	}
}

func (b *batchedLog) flush() {
	for _, line := range b.batch {
		_, _ = b.sink.Write(line) // a log that cannot be written must not stop the service
	}
	// [:0] alone keeps the backing array, and through it every line it still
	// points to. Cleared first, the array is reused and the lines are free.
	clear(b.batch)
	b.batch = b.batch[:0]
}
