// Package typing gives each object of a heap dump its Go type.
//
// A dump has no types. They follow from what leads to an object: globals, variables on stacks, interfaces, closures,
// finalizers, and, since Go 1.22, headers that the allocator writes. What leads to an object for certain comes first;
// a pointer into the middle of something, or a stack slot that may be stale, decides only where nothing better does.
package typing

import (
	"fmt"
	"sort"
	"strings"

	"gomem/heapreader/dump"
	"gomem/heapreader/program"
)

// Types are those of the objects of one dump.
type Types struct {
	program *program.Program
	dump    *dump.Dump
	ids     []int32
	names   []string // by id
	inner   []bool   // by id
	types   []*program.Type
	statics []static
}

// static is memory outside of the heap that no variable is, such as a composite literal whose address a variable has.
type static struct {
	address, size uint64
	owner         string
	ownerType     string
}

const mostWithin = 32 // statics that begin within another one

// Run types the objects of a dump of a program. It fails if the dump cannot be read or is another program's.
func Run(d *dump.Dump, p *program.Program) (types *Types, err error) {
	defer func() {
		if broken := recover(); broken != nil { // whatever a broken binary may lead to
			types, err = nil, fmt.Errorf("the binary is broken: its types cannot be followed (%v)", broken)
		}
	}()
	var segments []program.Segment
	for _, s := range d.Segments {
		segments = append(segments, program.Segment{Name: s.Name, Address: s.Address, Size: uint64(len(s.Data))})
	}
	if err := p.Attach(d.Params.GoVersion, segments); err != nil {
		return nil, err
	}
	r := newRun(d, p)
	r.fromHeaders()
	r.fromGlobals()
	r.fromFinalizers()
	r.fromStacks(true)
	r.drain()
	r.fromContents()
	r.drain()
	r.fromStacks(false)
	r.fromClosures()
	r.settle()
	r.fromContents()
	r.settle()
	r.settleSlabs()
	r.fromArguments()
	r.settle()
	r.fromGroups()
	if r.err != nil {
		return nil, r.err
	}
	return r.types(), nil
}

// ID is a small number for an object's type, 0 if it is not known.
func (t *Types) ID(object int) int32 {
	return t.ids[object]
}

// NameOf is the name of a number, of the whole map for a part of a map.
func (t *Types) NameOf(id int32) string {
	return t.names[id]
}

// Internal says whether a number is that of an inner part of a map, a channel, a pool or the like.
func (t *Types) Internal(id int32) bool {
	return t.inner[id]
}

// Of is the type of an object.
func (t *Types) Of(object int) (*program.Type, bool) {
	id := t.ids[object]
	return t.types[id], id != 0
}

// Name is that of an object's type, or what is known otherwise: "?ptrs(64)" for an object of 64 bytes with pointers.
func (t *Types) Name(object int) string {
	if id := t.ids[object]; id != 0 {
		return t.names[id]
	}
	if t.dump.HasPointers(object) {
		return fmt.Sprintf("?ptrs(%d)", t.dump.Size(object))
	}
	return fmt.Sprintf("?data(%d)", t.dump.Size(object))
}

// Global is the variable at an address of data or bss. Memory that no variable is belongs to the one that leads there.
func (t *Types) Global(address uint64) (name, typeName string, ok bool) {
	if v, ok := t.program.Global(address); ok {
		return v.Name, display(v.Type.Name), true
	}
	i := sort.Search(len(t.statics), func(i int) bool { return t.statics[i].address > address }) - 1
	for back := 0; i >= 0 && back < mostWithin; i, back = i-1, back+1 { // one of its fields may be noted too
		if s := &t.statics[i]; address-s.address < s.size && s.owner != "" {
			return s.owner, s.ownerType, true
		}
	}
	if name := t.program.Symbol(address); name != "" {
		return name, "", true
	}
	return "", "", false
}

// Place is the function at a code address, with file and line.
func (t *Types) Place(pc uint64) (function, file string, line int) {
	return t.program.Place(pc)
}

// Coverage is the share of objects and of bytes whose type is known, 1 for an empty heap.
func (t *Types) Coverage() (objects, bytes float64) {
	var known, knownBytes, all uint64
	for i, id := range t.ids {
		size := t.dump.Size(i)
		all += size
		if id != 0 {
			known++
			knownBytes += size
		}
	}
	if all == 0 {
		return 1, 1
	}
	return float64(known) / float64(len(t.ids)), float64(knownBytes) / float64(all)
}

// display makes the names of shapes readable: the shape of all pointers is called *.
func display(name string) string {
	if !strings.Contains(name, "go.shape.") && !strings.Contains(name, "noalg.") {
		return name
	}
	return strings.NewReplacer("go.shape.*uint8", "*", "go.shape.", "", "noalg.", "").Replace(name)
}

var innerPrefixes = []string{
	"sync.poolLocal", "sync.poolChainElt", "[]sync.eface", "internal/sync.node[", "internal/sync.entry[",
	"internal/sync.indirect[", "unique.node[", "unique.entry[", "unique.indirect[",
	"runtime.hmap", "runtime.bmap", "internal/runtime/maps.", "runtime.sudog",
}

var innerMaps = []string{"map.group[", "map.bucket[", "[]map.group[", "[]map.bucket[", "[]*map.bucket["}

// named gives the name that people read and whether it is an inner part of something.
func named(t *program.Type) (string, bool) {
	name := display(t.Name)
	for _, prefix := range innerMaps {
		if strings.HasPrefix(name, prefix) {
			return "map" + name[strings.IndexByte(name[3:], '[')+3:], true
		}
	}
	if t.Part {
		return name, true
	}
	for _, prefix := range innerPrefixes {
		if strings.HasPrefix(name, prefix) {
			return name, true
		}
	}
	return name, false
}

// types is the result: numbers that are dense and the same for types of one name.
func (r *run) types() *Types {
	t := &Types{
		program: r.program, dump: r.dump, ids: r.typ, statics: r.statics,
		names: []string{"?"}, inner: []bool{false}, types: []*program.Type{nil},
	}
	type key struct {
		name  string
		inner bool
	}
	known := map[key]int32{}
	dense := map[int32]int32{}
	for i, id := range t.ids {
		if id < 0 {
			id = -id
		}
		if id == 0 {
			continue
		}
		number, ok := dense[id]
		if !ok {
			typ := r.program.Type(id)
			name, inner := named(typ)
			number, ok = known[key{name, inner}]
			if !ok {
				number = int32(len(t.names))
				known[key{name, inner}] = number
				t.names, t.inner, t.types = append(t.names, name), append(t.inner, inner), append(t.types, typ)
			}
			dense[id] = number
		}
		t.ids[i] = number
	}
	sort.Slice(t.statics, func(i, j int) bool { return t.statics[i].address < t.statics[j].address })
	return t
}
