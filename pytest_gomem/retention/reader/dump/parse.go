package dump

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// Magic is how each dump begins.
const Magic = "go1.7 heap dump\n"

// Tags of records.
const (
	tagEOF             = 0
	tagObject          = 1
	tagOtherRoot       = 2
	tagType            = 3
	tagGoroutine       = 4
	tagStackFrame      = 5
	tagParams          = 6
	tagFinalizer       = 7
	tagItab            = 8
	tagOSThread        = 9
	tagMemStats        = 10
	tagQueuedFinalizer = 11
	tagData            = 12
	tagBSS             = 13
	tagDefer           = 14
	tagPanic           = 15
	tagMemProf         = 16
	tagAllocSample     = 17
)

var records = [...]string{
	tagObject: "an object", tagOtherRoot: "a root", tagType: "a type", tagGoroutine: "a goroutine",
	tagStackFrame: "a stack frame", tagParams: "its parameters", tagFinalizer: "a finalizer", tagItab: "an itab",
	tagOSThread: "a thread", tagMemStats: "its statistics", tagQueuedFinalizer: "a queued finalizer",
	tagData: "the data segment", tagBSS: "the bss segment", tagDefer: "a deferred call", tagPanic: "a panic",
	tagMemProf: "an allocation site", tagAllocSample: "an allocation sample",
}

const (
	memStatsNumbers = 24 + 256 + 1
	maxString       = 64 << 10
	maxSiteFrames   = 1 << 10
	maxTypes        = 1 << 20
	maxRecords      = 1 << 20 // of kinds that are skipped or few
	frameRoom       = 1 << 12
)

// parser makes the index of a dump, record by record.
type parser struct {
	dump      *Dump
	limits    Limits
	in        *stream
	names     map[string]string
	text      int64
	objects   collected
	goroutine *Goroutine
	stack     []Frame // of the goroutine
	room      []Frame // for stacks to come
	frames    int
	others    int
	params    bool
	sites     map[uint64]int32
	samples   []addressSample
}

type addressSample struct {
	object uint64
	site   int32
}

func (p *parser) parse() error {
	s := p.in
	magic := make([]byte, len(Magic))
	if s.size < int64(len(Magic)) {
		return fmt.Errorf("the file is no heap dump of Go: it has only %d bytes", s.size)
	}
	if s.read(magic); s.err == nil && string(magic) != Magic {
		return fmt.Errorf("the file is no heap dump of Go: it does not begin with %q", Magic[:len(Magic)-1])
	}
	p.sites = map[uint64]int32{}
	for s.err == nil {
		s.record = "the list of records"
		tag := s.uint()
		if s.err != nil {
			break
		}
		if tag == tagEOF {
			return p.finish()
		}
		if tag >= uint64(len(records)) {
			s.fail("the heap dump is broken: it has a record of the unknown kind %d", tag)
			break
		}
		s.record = records[tag]
		if !p.params && tag != tagParams {
			s.fail("the heap dump is broken: %s stands before its parameters", s.record)
			break
		}
		p.one(tag)
	}
	return s.err
}

func (p *parser) one(tag uint64) {
	d, s := p.dump, p.in
	switch tag {
	case tagObject:
		p.object()
	case tagOtherRoot:
		p.name()
		s.uint()
		p.limit(&p.others, maxRecords)
	case tagType:
		address, size, name := s.uint(), s.uint(), p.name()
		s.bool()
		d.Types[address] = TypeName{name, size}
		p.most(len(d.Types), maxTypes)
	case tagGoroutine:
		p.startGoroutine()
	case tagStackFrame:
		p.frame()
	case tagParams:
		p.parameters()
	case tagFinalizer:
		d.Finalizers = append(d.Finalizers, p.finalizer())
		p.most(len(d.Finalizers), p.limits.Objects)
	case tagQueuedFinalizer:
		d.Queued = append(d.Queued, p.finalizer())
		p.most(len(d.Queued), p.limits.Objects)
	case tagItab:
		address := s.uint()
		d.Itabs[address] = s.uint()
		p.most(len(d.Itabs), maxTypes)
	case tagOSThread:
		p.numbers(3)
		p.limit(&p.others, maxRecords)
	case tagMemStats:
		p.numbers(memStatsNumbers)
	case tagData, tagBSS:
		p.segment(tag)
	case tagDefer:
		p.deferred()
	case tagPanic:
		p.panicking()
	case tagMemProf:
		p.site()
	case tagAllocSample:
		object, bucket := s.uint(), s.uint()
		if site, ok := p.sites[bucket]; ok {
			p.samples = append(p.samples, addressSample{object, site})
			p.most(len(p.samples), p.limits.Objects)
		}
	}
}

func (p *parser) numbers(n int) {
	for ; n > 0; n-- {
		p.in.uint()
	}
}

// limit counts one more record of a kind.
func (p *parser) limit(count *int, limit int) {
	*count++
	p.most(*count, limit)
}

func (p *parser) most(count, limit int) {
	if count > limit {
		p.in.fail("the heap dump is too large: it has more than %d records like %s", limit, p.in.record)
	}
}

// name reads a string. Equal ones share their bytes.
func (p *parser) name() string {
	s := p.in
	n := s.length()
	if n > maxString {
		s.fail("the heap dump is broken: a name of %s has %d bytes", s.record, n)
	}
	if s.err != nil {
		return ""
	}
	var bytes []byte
	if int64(s.end-s.next) >= n {
		bytes = s.buffer[s.next : s.next+int(n)]
		s.next += int(n)
	} else {
		bytes = make([]byte, n)
		s.read(bytes)
	}
	if name, ok := p.names[string(bytes)]; ok {
		return name
	}
	if p.text += n + 64; p.text > p.limits.Text {
		s.fail("the heap dump is too large: its names take more than %d MB", p.limits.Text>>20)
	}
	name := string(bytes)
	p.names[name] = name
	return name
}

func (p *parser) parameters() {
	s, params := p.in, &p.dump.Params
	if p.params {
		s.fail("the heap dump is broken: it has its parameters twice")
		return
	}
	p.params = true
	bigEndian := s.bool()
	pointer := s.uint()
	params.HeapLow, params.HeapHigh = s.uint(), s.uint()
	params.Arch, params.GoVersion = p.name(), p.name()
	s.uint()
	if s.err == nil && pointer != 8 {
		s.err = fmt.Errorf("the heap dump is of a process with pointers of %d bytes (%s): only 64-bit ones can be read",
			pointer, params.Arch)
	} else if s.err == nil && bigEndian {
		s.err = fmt.Errorf("the heap dump is of a big-endian process (%s): only little-endian ones can be read", params.Arch)
	}
}

func (p *parser) object() {
	s := p.in
	at := s.offset()
	address := s.uint()
	size := s.length()
	if s.err != nil {
		return
	}
	if address == 0 || size == 0 || address > math.MaxUint64-uint64(size) {
		s.fail("the heap dump is broken: it has an object of %d bytes at the address %#x (its record begins at byte %d)",
			size, address, at)
		return
	}
	if p.objects.count >= min(p.limits.Objects, math.MaxInt32/2) {
		s.fail("the heap dump has more than %d objects, the limit", p.limits.Objects)
		return
	}
	offset := s.offset()
	s.skip(size)
	before := p.dump.Fields
	if s.next < s.end && s.buffer[s.next] == 0 {
		s.next++
	} else {
		s.fields(size, func(uint64) { p.dump.Fields++ })
	}
	p.objects.add(address, uint64(size), offset, p.dump.Fields > before)
}

// endGoroutine gives it its frames. Many goroutines share one slice, as most have few frames.
func (p *parser) endGoroutine() {
	if n := len(p.stack); n > 0 {
		if len(p.room) < n {
			p.room = make([]Frame, max(n, frameRoom))
		}
		p.goroutine.Frames = p.room[:n:n]
		copy(p.goroutine.Frames, p.stack)
		p.room, p.stack = p.room[n:], p.stack[:0]
	}
}

func (p *parser) startGoroutine() {
	p.endGoroutine()
	s, g := p.in, &Goroutine{}
	g.Address = s.uint()
	s.uint()
	g.ID, g.CreatedAt, g.Status = s.uint(), s.uint(), s.uint()
	g.System = s.bool()
	s.bool()
	g.WaitSince = s.uint()
	g.Reason = p.name()
	g.Context = s.uint()
	p.numbers(3)
	p.goroutine = g
	p.dump.Goroutines = append(p.dump.Goroutines, g)
	p.most(len(p.dump.Goroutines), p.limits.Goroutines)
}

// owned tells whether there is a goroutine that the record can belong to.
func (p *parser) owned() bool {
	if p.goroutine == nil {
		p.in.fail("the heap dump is broken: %s belongs to no goroutine", p.in.record)
		return false
	}
	p.limit(&p.frames, p.limits.Frames)
	return p.in.err == nil
}

func (p *parser) frame() {
	if !p.owned() {
		return
	}
	s := p.in
	var f Frame
	f.SP = s.uint()
	p.numbers(2)
	size := s.length()
	if size > math.MaxInt32 {
		s.fail("the heap dump is broken: a stack frame has %d bytes", size)
	}
	f.Size, f.offset = uint32(size), s.offset()
	s.skip(size)
	f.Entry, f.PC = s.uint(), s.uint()
	s.uint()
	f.Function = p.name()
	f.pointers = uint32(s.offset() - f.offset - size)
	s.fields(size, func(uint64) {})
	p.stack = append(p.stack, f)
}

func (p *parser) finalizer() Finalizer {
	s := p.in
	return Finalizer{s.uint(), s.uint(), s.uint(), s.uint(), s.uint()}
}

func (p *parser) segment(tag uint64) {
	s := p.in
	name := "data"
	if tag == tagBSS {
		name = "bss"
	}
	for i := range p.dump.Segments {
		if p.dump.Segments[i].Name == name {
			s.fail("the heap dump is broken: it has %s twice", s.record)
			return
		}
	}
	g := Segment{Name: name, Address: s.uint()}
	size := s.length()
	if size > p.limits.Segment {
		s.fail("the heap dump is too large: %s has %d bytes, the limit is %d", s.record, size, p.limits.Segment)
	}
	if s.err == nil && g.Address > math.MaxUint64-uint64(size) {
		s.fail("the heap dump is broken: %s lies at the address %#x", s.record, g.Address)
	}
	if s.err != nil {
		return
	}
	g.Data = make([]byte, size)
	s.read(g.Data)
	s.fields(size, func(offset uint64) { g.Pointers = append(g.Pointers, uint32(offset)) })
	g.Pointers = slices.Clip(g.Pointers)
	p.dump.Segments = append(p.dump.Segments, g)
}

func (p *parser) deferred() {
	if !p.owned() {
		return
	}
	s := p.in
	d := Defer{Record: s.uint()}
	p.numbers(2)
	d.PC, d.Function = s.uint(), s.uint()
	p.numbers(2)
	p.goroutine.Defers = append(p.goroutine.Defers, d)
}

func (p *parser) panicking() {
	if !p.owned() {
		return
	}
	s := p.in
	one := Panic{Record: s.uint()}
	s.uint()
	one.Type, one.Data = s.uint(), s.uint()
	p.numbers(2)
	p.goroutine.Panics = append(p.goroutine.Panics, one)
}

func (p *parser) site() {
	s := p.in
	bucket := s.uint()
	site := Site{Size: s.uint()}
	n := s.count("the depth", maxSiteFrames)
	if p.text += int64(n)*40 + 64; p.text > p.limits.Text {
		s.fail("the heap dump is too large: its names take more than %d MB", p.limits.Text>>20)
		return
	}
	for ; n > 0 && s.err == nil; n-- {
		frame := SiteFrame{Function: p.name(), File: p.name()}
		frame.Line = s.count("a line", math.MaxInt32)
		site.Frames = append(site.Frames, frame)
	}
	site.Allocs, site.Frees = s.uint(), s.uint()
	p.sites[bucket] = int32(len(p.dump.Sites))
	p.dump.Sites = append(p.dump.Sites, site)
	p.most(len(p.dump.Sites), maxTypes)
}

// finish sorts what has been read.
func (p *parser) finish() error {
	d := p.dump
	p.endGoroutine()
	if p.objects.count == 0 {
		return fmt.Errorf("the heap dump is broken: it has no objects")
	}
	var err error
	if d.objects, err = p.objects.sorted(); err != nil {
		return err
	}
	d.dropPhantoms(spanEndsOf(d.Params.GoVersion))
	if d.Len() == 0 {
		return fmt.Errorf("the heap dump is broken: it has no objects")
	}
	d.pages()
	d.Samples = make([]Sample, 0, len(p.samples))
	for _, one := range p.samples {
		if object := d.Find(one.object); object >= 0 {
			d.Samples = append(d.Samples, Sample{int32(object), one.site})
		}
	}
	// Objects of less than 16 bytes share a block: the first sample of it stays.
	sort.SliceStable(d.Samples, func(a, b int) bool { return d.Samples[a].Object < d.Samples[b].Object })
	d.Samples = slices.CompactFunc(d.Samples, func(a, b Sample) bool { return a.Object == b.Object })
	return nil
}
