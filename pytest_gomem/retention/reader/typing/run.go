package typing

import (
	"encoding/binary"

	"gomem/heapreader/dump"
	"gomem/heapreader/program"
)

const (
	maxInner   = 1 << 20 // pointers into the middle of objects of unknown type that are followed
	maxStatics = 1 << 20
	maxGuesses = 1 << 24
	arrayDepth = 16
)

// run is the work of typing. Contents of objects are read in order of address, in sweeps over those that are pending.
type run struct {
	dump      *dump.Dump
	program   *program.Program
	contents  *dump.Reader
	headers   bool
	typ       []int32 // type of an object; negative: a guess, which better evidence replaces
	pending   *pending
	guesses   []guess
	vague     []vague
	arguments map[*program.Type]bool // of cleanups
	slabs     []guess                // objects that have a value of a type, and room for more of them
	bare      map[int]bool           // objects that are as large as the largest with a header, and have none
	inner     map[uint64]bool
	statics   []static
	followed  map[uint64]bool // statics
	onStack   map[uint64]bool // places on the stack of one goroutine
	todo      []place
	owner     static // names the variable that leads to statics
	stack     stack
	stacks    []stackRange // of all goroutines, by address
	waiting   waitingFields
	err       error
}

// guess is an object that may be of a type, of pointers that must then be followed.
type guess struct {
	object int32
	typ    int32
}

// place is memory outside of the heap.
type place struct {
	address uint64
	typ     *program.Type
	count   uint64
	owner   static
}

func newRun(d *dump.Dump, p *program.Program) *run {
	return &run{
		dump: d, program: p, contents: d.NewReader(), headers: p.Minor() >= headerMinor,
		typ: make([]int32, d.Len()), pending: newPending(d.Len()),
		inner: map[uint64]bool{}, followed: map[uint64]bool{}, onStack: map[uint64]bool{}, arguments: map[*program.Type]bool{}, bare: map[int]bool{},
	}
}

func word(memory []byte, at int64) uint64 {
	if at < 0 || at+8 > int64(len(memory)) {
		return 0
	}
	return binary.LittleEndian.Uint64(memory[at:])
}

// reach says that an address holds count values of a type: one for a pointer, more for a row of them.
func (r *run) reach(address uint64, t *program.Type, count uint64) {
	if address == 0 || t == nil || count == 0 {
		return
	}
	object := r.dump.Find(address)
	if object < 0 {
		if r.program.Pointers(t) {
			r.outside(address, t, count)
		}
		return
	}
	if r.typ[object] > 0 {
		r.refine(object, t)
		return
	}
	if t.Kind == program.TrieNode {
		if t = r.trieNode(object, address, t); t == nil {
			return
		}
	}
	if t.Name == "runtime.hchan" {
		element, _ := r.dump.Word(object, address-r.dump.Address(object)+r.program.ChannelElement())
		if channel := r.program.ChannelOf(element); channel != nil {
			t = channel
		}
	}
	header := r.header(object)
	offset := address - r.dump.Address(object)
	if t = r.timer(object, &offset, t); t == nil || t.Size <= 0 {
		return
	}
	pointers := r.program.Pointers(t)
	if pointers != r.dump.HasPointers(object) && !(pointers && (isRuntime(t.Name) || t.Kind == program.ChannelHeader)) {
		return // the runtime's own types have pointers that the collector does not see
	}
	if offset > 0 && offset < header {
		return
	}
	offset = max(offset, header) - header
	room, size := r.dump.Size(object)-header, uint64(t.Size)
	if count > (room-offset)/size {
		return
	}
	row := t.Kind == program.Backing
	switch end := offset + count*size; {
	case offset == 0 && r.fills(object, end) && !t.Shape:
		if !pointers || r.fits(object, t) {
			r.assign(object, t)
		}
	case offset == 0 && r.fills(object, end), t.Kind == program.Text, row && offset%size == 0 && r.fills(object, end):
		r.guess(object, t)
	case !pointers:
		if !row {
			t = r.program.Backing(t)
		}
		if offset == 0 || row && offset%size == 0 {
			r.guess(object, t)
		}
	default:
		r.into(address, object, offset+header, t, count)
		if offset%size == 0 && room/size > 1 && size > 8 && len(r.slabs) < maxGuesses {
			r.slabs = append(r.slabs, guess{int32(object), r.program.Backing(t).ID})
		}
	}
}

func isRuntime(name string) bool {
	return len(name) > 8 && name[:8] == "runtime."
}

// assign types an object for good.
func (r *run) assign(object int, t *program.Type) {
	r.typ[object] = t.ID
	if r.dump.HasPointers(object) {
		r.pending.add(object)
	}
}

// refine calls a row of elements what it is a part of, which its header does not say.
func (r *run) refine(object int, t *program.Type) {
	if !t.Part || t.Kind != program.Backing {
		return
	}
	if known := r.program.Type(r.typ[object]); known.Kind == program.Backing && !known.Part && known.Size == t.Size {
		r.typ[object] = t.ID
	}
}

// guess types an object as long as nothing better is known.
func (r *run) guess(object int, t *program.Type) {
	if r.typ[object] != 0 || r.dump.HasPointers(object) && !r.fits(object, t) {
		return
	}
	r.typ[object] = -t.ID
	if r.dump.HasPointers(object) && len(r.guesses) < maxGuesses {
		r.guesses = append(r.guesses, guess{int32(object), t.ID})
	}
}

// into follows a pointer into the middle of an object: what it points to is known, what is around it is not.
func (r *run) into(address uint64, object int, offset uint64, t *program.Type, count uint64) {
	if r.inner[address] || len(r.inner) >= maxInner {
		return
	}
	r.inner[address] = true
	memory, err := r.dump.Chunk(object, offset, min(count*uint64(t.Size), dump.MaxChunk))
	if err != nil {
		r.err = err
		return
	}
	copied := append([]byte(nil), memory...)
	r.walk(t, copied, nil)
}

// trieNode is which of the two kinds of nodes of a sync.Map an object is.
func (r *run) trieNode(object int, address uint64, t *program.Type) *program.Type {
	first, err := r.dump.Chunk(object, address-r.dump.Address(object), 1)
	if err != nil || len(first) == 0 {
		return nil
	}
	return r.program.TrieNode(t, first[0] != 0)
}

// timer replaces what the time package shows of a timer by the runtime's whole object.
func (r *run) timer(object int, offset *uint64, t *program.Type) *program.Type {
	switch t.Name {
	case "time.Timer", "time.Ticker":
		if whole := r.program.Timer(t.Name); whole != nil && t.Kind == program.Struct && whole.Size > t.Size {
			return whole
		}
	case "runtime.timer":
		whole := r.program.Timer("time.Timer")
		if whole != nil && *offset > 0 && *offset == uint64(whole.Size-t.Size) && r.fills(object, uint64(whole.Size)) {
			*offset = 0
			return whole
		}
	}
	return t
}

// drain reads the contents of all objects that are typed and not read yet.
func (r *run) drain() {
	for r.err == nil {
		r.outsideAll()
		from := 0
		any := false
		for r.err == nil {
			object := r.pending.next(from)
			if object < 0 {
				break
			}
			any = true
			r.pending.remove(object)
			r.visit(object)
			from = object
		}
		if !any && len(r.todo) == 0 {
			return
		}
	}
}

// settle takes guesses for true, and what follows from them, until none is left.
func (r *run) settle() {
	r.drain()
	for len(r.guesses) > 0 && r.err == nil {
		guesses := r.guesses
		r.guesses = nil
		for _, g := range guesses {
			if r.typ[g.object] == -g.typ {
				r.assign(int(g.object), r.program.Type(g.typ))
			}
		}
		r.drain()
	}
}

// settleSlabs takes what begins like a row of values of one type for such a row.
func (r *run) settleSlabs() {
	for _, g := range r.slabs {
		if r.typ[g.object] == 0 {
			r.guess(int(g.object), r.program.Type(g.typ))
		}
	}
	r.slabs = nil
	r.settle()
}

// visit follows the pointers of a typed object.
func (r *run) visit(object int) {
	t := r.program.Type(r.typ[object])
	start := r.header(object)
	size := r.dump.Size(object)
	if t.Name == "runtime.sudog" {
		r.waiter(object, t)
	}
	step := uint64(dump.MaxChunk)
	if t.Size > 0 && uint64(t.Size) < step {
		step -= step % uint64(t.Size)
	}
	row := t.Kind == program.Backing
	for start < size {
		memory, err := r.contents.Chunk(object, start, step)
		if err != nil {
			r.err = err
			return
		}
		if !row {
			r.walk(t, memory, nil)
			return
		}
		r.row(t, memory)
		start += step
	}
}

// row follows the pointers of as many elements as memory holds.
func (r *run) row(t *program.Type, memory []byte) {
	slots := r.program.Slots(t)
	if t.Size <= 0 || len(slots) == 0 {
		return
	}
	for len(memory) > 0 {
		r.slots(slots, memory, nil, 0)
		if int64(len(memory)) <= t.Size {
			return
		}
		memory = memory[t.Size:]
	}
}
