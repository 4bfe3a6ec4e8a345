// Package dump reads the heap dumps of Go processes (debug.WriteHeapDump, format "go1.7 heap dump").
//
// A dump is never held whole: an index of its objects and roots is kept, contents are read when they are asked for.
// Whatever a file claims is checked against what is left of it and against limits, so that a broken or hostile file
// gives an error with its offset.
package dump

import (
	"fmt"
	"io"
	"os"
	"sort"
)

// Limits bound what the index of a dump may take.
type Limits struct {
	Objects    int   // also for samples of allocations and for finalizers
	Goroutines int   //
	Frames     int   // of all goroutines together
	Text       int64 // bytes of all names together
	Segment    int64 // bytes of data or bss
}

// DefaultLimits suit the dump of a service with a live heap of some GB.
func DefaultLimits() Limits {
	return Limits{Objects: 8_000_000, Goroutines: 2_000_000, Frames: 4_000_000, Text: 128 << 20, Segment: 256 << 20}
}

// Params is what the dump says about the process. Only 64-bit little-endian ones are read.
type Params struct {
	Arch      string
	GoVersion string
	HeapLow   uint64
	HeapHigh  uint64
}

// Segment is a part of the process that holds globals. Pointers are the offsets of its words that hold pointers.
type Segment struct {
	Name     string // data or bss
	Address  uint64
	Data     []byte
	Pointers []uint32
}

// Contains tells whether an address lies in the segment.
func (s *Segment) Contains(address uint64) bool {
	return address >= s.Address && address-s.Address < uint64(len(s.Data))
}

// Frame is a function on a goroutine's stack. Its contents are read by Reader.Frame and Reader.FramePointers.
type Frame struct {
	SP       uint64 // lowest address of the frame
	Entry    uint64 // of the function
	PC       uint64
	Function string
	Size     uint32 // bytes
	pointers uint32 // where their list begins, bytes behind the contents
	offset   int64  // of the contents
}

// Defer is a call that a goroutine makes when a function of it ends. Function is the address of its closure.
type Defer struct {
	Record   uint64
	Function uint64
	PC       uint64
}

// Panic is one under way. Type and Data are the words of its argument.
type Panic struct {
	Record uint64
	Type   uint64
	Data   uint64
}

// Goroutine states, as the runtime numbers them.
const (
	Idle     = 0
	Runnable = 1
	Running  = 2
	Syscall  = 3
	Waiting  = 4
)

// Goroutine with its stack, the function that runs first.
type Goroutine struct {
	Address   uint64
	ID        uint64
	CreatedAt uint64 // where the go statement is
	Status    uint64
	System    bool
	WaitSince uint64 // nanoseconds of the process's clock, 0 if it is not known
	Reason    string // why it waits
	Context   uint64
	Frames    []Frame
	Defers    []Defer
	Panics    []Panic
}

// Finalizer of an object. Function is the address of its closure, ObjectType the descriptor of the type of its argument.
type Finalizer struct {
	Object     uint64
	Function   uint64
	PC         uint64
	Argument   uint64
	ObjectType uint64
}

// TypeName is what the dump says of a type descriptor; it does so for concrete types of itabs alone.
type TypeName struct {
	Name string
	Size uint64
}

// SiteFrame is one line of the stack that allocated.
type SiteFrame struct {
	Function string
	File     string
	Line     int
}

// Site is a stack that allocated, innermost first. Size is that of its objects, 0 if they differ.
type Site struct {
	Size   uint64
	Frames []SiteFrame
	Allocs uint64
	Frees  uint64
}

// Sample is an object whose allocation was sampled.
type Sample struct {
	Object int32
	Site   int32
}

// Dump is the index of a heap dump. Objects are numbered in order of their address.
type Dump struct {
	Params     Params
	Segments   []Segment
	Goroutines []*Goroutine
	Finalizers []Finalizer
	Queued     []Finalizer       // finalizers about to run
	Itabs      map[uint64]uint64 // itab to the descriptor of its concrete type
	Types      map[uint64]TypeName
	Sites      []Site
	Samples    []Sample // in order of object
	Fields     int      // words of all objects that may hold pointers

	*Reader
	objects
	file io.ReaderAt
	size int64
	done func() error
}

// Open reads the index of a dump file.
func Open(path string, limits Limits) (*Dump, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the heap dump cannot be opened: %w", err)
	}
	about, err := file.Stat()
	if err == nil && !about.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file, so it can be no heap dump", path)
	}
	var d *Dump
	if err == nil {
		d, err = Read(file, about.Size(), limits)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	d.done = file.Close
	return d, nil
}

// Read reads the index of a dump of so many bytes.
func Read(file io.ReaderAt, size int64, limits Limits) (*Dump, error) {
	d := &Dump{file: file, size: size, Itabs: map[uint64]uint64{}, Types: map[uint64]TypeName{}}
	p := &parser{dump: d, limits: limits, in: newStream(file, size, 1<<18), names: map[string]string{}}
	if err := p.parse(); err != nil {
		return nil, err
	}
	d.Reader = d.NewReader()
	return d, nil
}

// Close gives the file back.
func (d *Dump) Close() error {
	if d.done == nil {
		return nil
	}
	return d.done()
}

// Site is where an object was allocated, if that was sampled.
func (d *Dump) Site(object int) (*Site, bool) {
	k := sort.Search(len(d.Samples), func(k int) bool { return int(d.Samples[k].Object) >= object })
	if k == len(d.Samples) || int(d.Samples[k].Object) != object {
		return nil, false
	}
	return &d.Sites[d.Samples[k].Site], true
}

// SegmentAt is the segment that holds an address, nil if none does.
func (d *Dump) SegmentAt(address uint64) *Segment {
	for i := range d.Segments {
		if d.Segments[i].Contains(address) {
			return &d.Segments[i]
		}
	}
	return nil
}
