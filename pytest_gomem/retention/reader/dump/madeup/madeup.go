// Package madeup writes small heap dumps for tests.
package madeup

import (
	"bytes"
	"encoding/binary"

	"gomem/heapreader/dump"
)

const (
	heapStart  = 1 << 17
	dataStart  = 1 << 12
	objectSize = 64
	// Bucket is the number of the one allocation site.
	Bucket = 7
)

// Heap is a dump in the making. All objects have 64 bytes, and the numbers in which they are made.
type Heap struct {
	raw     []byte
	objects int
}

// New is an empty heap of Go 1.99.
func New() *Heap {
	h := &Heap{raw: []byte(dump.Magic)}
	h.put(6, 0, 8, 0, 0)
	h.text("amd64")
	h.text("go1.99")
	h.put(2)
	return h
}

func (h *Heap) put(numbers ...uint64) {
	for _, number := range numbers {
		h.raw = binary.AppendUvarint(h.raw, number)
	}
}

func (h *Heap) text(text string) {
	h.put(uint64(len(text)))
	h.raw = append(h.raw, text...)
}

func at(object int) uint64 {
	if object < 0 {
		return 0
	}
	return heapStart + objectSize*uint64(object)
}

func (h *Heap) words(pointers []int) (memory string, fields []uint64) {
	words := make([]byte, objectSize)
	for k, object := range pointers {
		binary.LittleEndian.PutUint64(words[8*k:], at(object))
		fields = append(fields, 1, 8*uint64(k))
	}
	return string(words), append(fields, 0)
}

// Object with pointers to others.
func (h *Heap) Object(pointers ...int) {
	memory, fields := h.words(pointers)
	h.put(1, at(h.objects))
	h.text(memory)
	h.put(fields...)
	h.objects++
}

// Globals are the words of the data segment.
func (h *Heap) Globals(pointers ...int) {
	memory, fields := h.words(pointers)
	h.put(12, dataStart)
	h.text(memory)
	h.put(fields...)
}

// Goroutine with one frame of main.f. Equal code addresses are equal stacks.
func (h *Heap) Goroutine(id uint64, reason string, pc uint64, pointers ...int) {
	memory, fields := h.words(pointers)
	h.goroutine(id, reason)
	h.frame("main.f", pc, memory, fields)
}

// Main is the goroutine of main.main, which the runtime has started.
func (h *Heap) Main(pointers ...int) {
	memory, fields := h.words(pointers)
	h.goroutine(1, "IO wait")
	h.frame("main.main", 30, memory, fields)
}

// Stale is a goroutine whose words point to objects, but are no pointers by its stack map. preempted: in the middle of
// its function.
func (h *Heap) Stale(preempted bool, pointers ...int) {
	memory, _ := h.words(pointers)
	h.goroutine(1, "select")
	if preempted {
		h.frame("runtime.asyncPreempt", 20, "", []uint64{0})
	}
	h.frame("main.f", 10, memory, []uint64{0})
}

func (h *Heap) goroutine(id uint64, reason string) {
	h.put(4, 1, 2, id, 4, dump.Waiting, 0, 0, 5)
	h.text(reason)
	h.put(0, 0, 0, 0)
}

func (h *Heap) frame(function string, pc uint64, memory string, fields []uint64) {
	h.put(5, 10000, 0, 0)
	h.text(memory)
	h.put(pc, pc, pc)
	h.text(function)
	h.put(fields...)
}

// Finalizer of an object, with the object that is its closure, -1 for none.
func (h *Heap) Finalizer(object, closure int) {
	h.put(7, at(object), at(closure), 500, 0, 80)
}

// Site is what the samples of a heap were allocated by: frames innermost first.
func (h *Heap) Site(frames ...dump.SiteFrame) {
	h.put(16, Bucket, objectSize, uint64(len(frames)))
	for _, frame := range frames {
		h.text(frame.Function)
		h.text(frame.File)
		h.put(uint64(frame.Line))
	}
	h.put(5, 1)
}

// Sampled says that the allocation of an object was sampled.
func (h *Heap) Sampled(object int) { h.put(17, at(object), Bucket) }

// Read ends the dump and reads it.
func (h *Heap) Read() (*dump.Dump, error) {
	h.put(0)
	return dump.Read(bytes.NewReader(h.raw), int64(len(h.raw)), dump.DefaultLimits())
}

// Types names objects by number, and globals by word. Equal names are equal types.
type Types struct {
	Names   []string
	Inner   map[string]bool
	Globals []string
	GlobalT string
}

// ID of the first object with the same name, plus one.
func (t Types) ID(object int) int32 {
	if object < len(t.Names) && t.Names[object] != "" {
		for k, name := range t.Names {
			if name == t.Names[object] {
				return int32(k) + 1
			}
		}
	}
	return 0
}

// NameOf an ID.
func (t Types) NameOf(id int32) string {
	if id == 0 {
		return "?"
	}
	return t.Names[id-1]
}

// Internal tells whether Inner has the name.
func (t Types) Internal(id int32) bool { return t.Inner[t.NameOf(id)] }

// Global by its word.
func (t Types) Global(address uint64) (string, string, bool) {
	if k := int(address-dataStart) / 8; k < len(t.Globals) {
		return t.Globals[k], t.GlobalT, true
	}
	return "", "", false
}

// Place is main.f for each address, which is its line too.
func (t Types) Place(pc uint64) (string, string, int) { return "main.f", "/src/main.go", int(pc) }

// Inlined lines are those above 900: of a function of Go's own, which line 5 calls.
func (t Types) Inlined(function, file string, line int, yield func(function, file string, line int) bool) {
	if line > 900 {
		if !yield("strings.inlined", "/go/src/strings/strings.go", line) {
			return
		}
		line = 5
	}
	yield(function, file, line)
}

// Coverage counts the objects that have names.
func (t Types) Coverage() (float64, float64) {
	known := 0
	for _, name := range t.Names {
		if name != "" {
			known++
		}
	}
	return float64(known) / float64(len(t.Names)), float64(known) / float64(len(t.Names))
}
