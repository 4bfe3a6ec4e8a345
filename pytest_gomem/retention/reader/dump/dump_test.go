package dump

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"unsafe"
)

type node struct {
	next *node
	name string
	_    [100]*int
}

// small has the size of a class, so that spans of it are full.
type small struct {
	next *small
	_    [7]uint64
}

var (
	smalls    *small
	list      *node
	large     []*node
	finalized *[64]byte
)

// real is a dump of this very process, with a list of 100 nodes, an array of 20 000 pointers and a finalizer.
func real(t testing.TB) []byte {
	list = nil
	large = make([]*node, 20_000)
	for i := 0; i < 100; i++ {
		list = &node{next: list, name: strings.Repeat("x", i)}
		large[i*199] = list
	}
	smalls = nil
	for i := 0; i < 2000; i++ {
		smalls = &small{next: smalls}
	}
	finalized = new([64]byte)
	runtime.SetFinalizer(finalized, func(*[64]byte) {})
	path := filepath.Join(t.TempDir(), "dump")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	debug.FreeOSMemory()
	debug.WriteHeapDump(file.Fd())
	file.Close()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func read(raw []byte) (*Dump, error) {
	return Read(bytes.NewReader(raw), int64(len(raw)), DefaultLimits())
}

func address[T any](of *T) uint64 { return uint64(uintptr(unsafe.Pointer(of))) }

func TestARealDumpIsRead(t *testing.T) {
	raw := real(t)
	d, err := read(raw)
	if err != nil {
		t.Fatal(err)
	}
	if d.Params.Arch != runtime.GOARCH || d.Params.GoVersion != runtime.Version() {
		t.Error(d.Params)
	}
	for i := 1; i < d.Len(); i++ {
		if d.Address(i) < d.Address(i-1)+d.Size(i-1) {
			t.Fatal("the objects are not in order")
		}
	}
	for one := list; one != nil; one = one.next {
		object := d.Find(address(one))
		if object < 0 || d.Find(address(one)+1) != object || d.Size(object) < 800 || !d.HasPointers(object) {
			t.Fatal("a node is not found")
		}
		found := map[uint64]uint64{}
		if err := d.Pointers(object, func(offset, value uint64) bool {
			found[offset] = value
			return true
		}); err != nil {
			t.Fatal(err)
		}
		inside := address(one) - d.Address(object) // a type descriptor stands in front of it
		if found[inside] != address(one.next) || len(found) < 102 {
			t.Fatal(found)
		}
		if word, ok := d.Word(object, inside); !ok || word != address(one.next) {
			t.Fatal(word)
		}
	}
	if d.Find(address(&large)) >= 0 || d.Find(1) >= 0 || d.Find(^uint64(0)) >= 0 || d.Word2() {
		t.Error("found what is in no object")
	}
	array := d.Find(address(&large[0]))
	nodes := 0
	d.Pointers(array, func(offset, value uint64) bool {
		if value != 0 {
			nodes++
			if value != address(large[offset/8]) {
				t.Fatal("a pointer of the array is wrong")
			}
		}
		return true
	})
	if nodes != 100 {
		t.Error(nodes)
	}
	segment := d.SegmentAt(address(&list))
	if segment == nil || binary.LittleEndian.Uint64(segment.Data[address(&list)-segment.Address:]) != address(list) {
		t.Error("the global is not found")
	}
	if len(d.Itabs) == 0 || len(d.Sites) == 0 {
		t.Error("no itabs, or no sites")
	}
	kept := false
	for _, one := range d.Finalizers {
		kept = kept || one.Object == address(finalized)
	}
	if !kept {
		t.Error("the finalizer is not found")
	}
	runtime.KeepAlive(large)
}

// Word2 tells whether a word behind the end of an object is given.
func (d *Dump) Word2() bool {
	_, ok := d.Word(0, d.Size(0)-7)
	return ok
}

func TestGoroutinesHaveTheirStacks(t *testing.T) {
	blocked := make(chan *node)
	kept := &node{}
	go wait(blocked, kept)
	for {
		runtime.Gosched()
		d, err := read(real(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range d.Goroutines {
			if len(g.Frames) == 0 || g.Reason != "chan receive" || g.Status != Waiting {
				continue
			}
			waits, held := false, false
			for i := range g.Frames {
				f := &g.Frames[i]
				waits = waits || strings.HasSuffix(f.Function, "dump.wait")
				if err := d.FramePointers(f, func(offset, value uint64) bool {
					held = held || value == address(kept)
					return true
				}); err != nil {
					t.Fatal(err)
				}
				if chunk, err := d.Frame(f, 0, MaxChunk); err != nil || len(chunk) != int(f.Size) {
					t.Error("the frame cannot be read", err)
				}
			}
			if waits {
				if !held {
					t.Error("the stack does not hold the local variable")
				}
				close(blocked)
				return
			}
		}
	}
}

//go:noinline
func wait(blocked chan *node, kept *node) {
	<-blocked
	kept.next = kept
}

func TestEachCutIsAnErrorThatSaysWhere(t *testing.T) {
	raw := real(t)
	for n := 0; n < len(raw); n += 1 + len(raw)/500 {
		_, err := read(raw[:n])
		if err == nil || !strings.Contains(err.Error(), "byte") {
			t.Fatal(n, err)
		}
	}
	if _, err := read(raw[:len(raw)/2]); !strings.HasPrefix(err.Error(), "the heap dump ends in the middle of ") {
		t.Error(err)
	}
}

// written makes a dump of numbers and strings.
func written(parts ...any) []byte {
	out := []byte(Magic)
	for _, part := range parts {
		switch one := part.(type) {
		case int:
			out = binary.AppendUvarint(out, uint64(one))
		case uint64:
			out = binary.AppendUvarint(out, one)
		case string:
			out = append(binary.AppendUvarint(out, uint64(len(one))), one...)
		}
	}
	return out
}

func params(parts ...any) []byte {
	return written(append([]any{tagParams, 0, 8, 0, 0, "amd64", "go1.99", 2}, parts...)...)
}

func TestWhatIsNoDumpIsRefusedInWords(t *testing.T) {
	huge := uint64(1) << 62
	for name, one := range map[string]struct {
		raw  []byte
		want string
	}{
		"empty":      {nil, "no heap dump of Go: it has only 0 bytes"},
		"text":       {[]byte("this is no heap dump at all"), "it does not begin with"},
		"32 bit":     {written(tagParams, 0, 4, 0, 0, "386", "go1", 2), "pointers of 4 bytes (386): only 64-bit ones"},
		"big endian": {written(tagParams, 1, 8, 0, 0, "s390x", "go1", 2), "big-endian process (s390x)"},
		"late":       {written(tagObject), "an object stands before its parameters, at byte 17"},
		"unknown":    {params(18), "unknown kind 18, at byte"},
		"no objects": {params(tagEOF), "it has no objects"},
		"past end":   {params(tagObject, 4096, huge), "ends in the middle of an object of 4611686018427387904 bytes"},
		"empty one":  {params(tagObject, 4096, ""), "object of 0 bytes at the address 0x1000"},
		"wraps":      {params(tagObject, ^uint64(0), "12345678", 0), "object of 8 bytes at the address 0xffffffffffffffff"},
		"overlap":    {params(tagObject, 4096, "12345678", 0, tagObject, 4097, "12345678", 0, tagEOF), "two objects overlap"},
		"field kind": {params(tagObject, 4096, "12345678", 2, 0), "field of the unknown kind 2"},
		"field":      {params(tagObject, 4096, "12345678", 1, 1), "pointer outside of its contents"},
		"far field":  {params(tagObject, 4096, "12345678", 1, ^uint64(0)), "pointer outside of its contents"},
		"fields":     {params(tagObject, 4096, "12345678", 1, 0, 1, 0, 0), "more pointers than words"},
		"frame":      {params(tagStackFrame), "a stack frame belongs to no goroutine"},
		"name":       {params(tagType, 1, 1, strings.Repeat("x", 1<<17)), "a name of a type has 131072 bytes"},
		"depth":      {params(tagMemProf, 1, 1, 1<<20), "the depth of an allocation site is 1048576"},
		"twice":      {params(tagParams), "its parameters twice"},
		"number":     {append(params(), bytes.Repeat([]byte{0xff}, 30)...), "longer than 64 bits"},
	} {
		if _, err := read(one.raw); err == nil || !strings.Contains(err.Error(), one.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLimitsAreKept(t *testing.T) {
	limits := DefaultLimits()
	limits.Objects = 1
	raw := params(tagObject, 4096, "12345678", 0, tagObject, 8192, "12345678", 0, tagEOF)
	_, err := Read(bytes.NewReader(raw), int64(len(raw)), limits)
	if err == nil || !strings.Contains(err.Error(), "has more than 1 objects, the limit") {
		t.Error(err)
	}
}

func TestObjectsFarApartAreFound(t *testing.T) {
	far := uint64(1) << 63
	d, err := read(params(
		tagObject, far, "12345678", 0, tagObject, 4096, "1234567812345678", 1, 8, 0, tagObject, far-8, "12345678", 0, tagEOF,
	))
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[uint64]int{
		4095: -1, 4096: 0, 4104: 0, 4111: 0, 4112: -1, far - 9: -1, far - 8: 1, far: 2, far + 7: 2, far + 8: -1,
	} {
		if found := d.Find(address); found != want {
			t.Errorf("%#x: %d", address, found)
		}
	}
	if d.page != nil || !d.HasPointers(0) || d.HasPointers(1) {
		t.Error("a table of pages for addresses that lie far apart, or wrong pointers")
	}
}

func TestAFileThatBecomesShorterIsAnError(t *testing.T) {
	raw := real(t)
	path := filepath.Join(t.TempDir(), "dump")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Open(path, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	os.Truncate(path, 100)
	failed := false
	for i := 0; i < d.Len(); i++ {
		if err := d.Pointers(i, func(uint64, uint64) bool { return true }); err != nil {
			failed = strings.Contains(err.Error(), "became shorter while it was read")
		}
	}
	if !failed {
		t.Error("no error")
	}
	if _, err := Open(t.TempDir(), DefaultLimits()); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Error(err)
	}
}

func TestEndsOfSpansAreNoObjects(t *testing.T) {
	for version, want := range map[string]spanEnds{
		"go1.21.13": {}, "go1.22": {pointers: true}, "go1.25.3": {pointers: true},
		"go1.25.3 X:greenteagc": {pointers: true, marks: true}, "go1.26.8": {pointers: true, marks: true},
		"go1.26 X:nogreenteagc": {pointers: true}, "devel go1.28-0123456": {pointers: true, marks: true}, "unknown": {},
	} {
		if found := spanEndsOf(version); found != want {
			t.Error(version, found)
		}
	}
	// Two pages of objects of 64 bytes, one with pointers, and an object of 4 GB that is not there in full.
	o := objects{large: map[int32]uint64{256: 1 << 32}}
	for i := 0; i < 256; i++ {
		o.address, o.size, o.offset = append(o.address, uint64(1<<20+64*i)), append(o.size, 64), append(o.offset, int64(i))
	}
	o.address, o.size, o.offset = append(o.address, 1<<30), append(o.size, noRoom), append(o.offset, 256)
	o.scan = make([]uint64, 5)
	o.scan[2], o.scan[4] = 1<<5, 1
	o.dropPhantoms(spanEndsOf("go1.26"))
	if o.Len() != 126+124+1 || o.Size(250) != 1<<32 || len(o.large) != 1 || !o.HasPointers(250) || o.HasPointers(249) {
		t.Error(o.Len(), o.large)
	}
	if !o.HasPointers(126+5) || o.HasPointers(128+5) || o.Address(126) != 1<<20+1<<13 || o.offset[126] != 128 {
		t.Error("objects are not where they were")
	}
}

func TestARealDumpHasNoObjectsThatNothingAllocated(t *testing.T) {
	d, err := read(real(t))
	if err != nil {
		t.Fatal(err)
	}
	ends := spanEndsOf(runtime.Version())
	last := map[uint64]int{}
	for i := 0; i < d.Len(); i++ {
		if size := d.Size(i); size <= smallSize && d.HasPointers(i) {
			if slot := d.Address(i) % pageSize / size; slot >= ends.slots(size, true) {
				t.Fatal("an object lies at the end of its span")
			} else if slot == ends.slots(size, true)-1 {
				last[size]++
			}
		}
	}
	if len(last) == 0 {
		t.Error("no span is full: the ends of spans are believed to be too large")
	}
}
