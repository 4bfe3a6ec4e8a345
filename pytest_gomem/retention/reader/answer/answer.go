// Package answer says in words and numbers who holds the memory of a heap dump. It names types, functions and counts,
// and never anything that the heap contains.
package answer

import (
	"fmt"
	"math"
	"sort"

	"gomem/heapreader/dump"
	"gomem/heapreader/graph"
)

// Step of a path: so many objects of a type, and what they retain.
type Step struct {
	Type     string `json:"type"`
	Count    int    `json:"count"`
	Retained uint64 `json:"retained"`
}

// Site is where sampled objects were allocated.
type Site struct {
	Function string `json:"function"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Count    int    `json:"count"`
}

// Holder is one root, or several together, and what would be free without it.
type Holder struct {
	Kind      string   `json:"kind"`
	Root      string   `json:"root"`
	Retained  uint64   `json:"retained"`
	Share     float64  `json:"share"`
	Objects   int      `json:"objects"`
	Path      []Step   `json:"path"`
	Sites     []Site   `json:"sites"`
	Name      string   `json:"name"`
	Type      string   `json:"type"`
	Function  string   `json:"function"`
	File      string   `json:"file"`
	Line      int      `json:"line"`
	State     string   `json:"state"`
	CreatedBy string   `json:"created_by"`
	Count     int      `json:"count"`
	Roots     []string `json:"roots"`
	tops      int      // objects of several roots that nothing else dominates
	all       int      // roots, also those that Roots leaves out
}

// Type is how much there is of one Go type.
type Type struct {
	Type     string  `json:"type"`
	Count    int     `json:"count"`
	Bytes    uint64  `json:"bytes"`
	New      *int    `json:"new,omitempty"`
	NewBytes *uint64 `json:"new_bytes,omitempty"`
}

// Amount of objects.
type Amount struct {
	Objects int    `json:"objects"`
	Bytes   uint64 `json:"bytes"`
}

// Answer is what one dump says, or the growth between two. New is what the earlier dump has not.
type Answer struct {
	GoVersion    string   `json:"go_version"`
	Objects      int      `json:"objects"`
	Bytes        uint64   `json:"bytes"`
	TypedObjects float64  `json:"typed_objects"`
	TypedBytes   float64  `json:"typed_bytes"`
	Holders      []Holder `json:"holders"`
	Types        []Type   `json:"types"`
	New          *Amount  `json:"new,omitempty"`
	Of           []OfType `json:"of,omitempty"`
	Notes        []string `json:"notes"`
}

// Types are those of a dump.
type Types interface {
	graph.Types
	// Coverage is the share of objects and of bytes whose type is known.
	Coverage() (objects, bytes float64)
	// Inlined gives what a line of a compiled function means: the function that it is in, and then where that was
	// called, as long as these were inlined.
	Inlined(function, file string, line int, yield func(function, file string, line int) bool)
}

// Of one process more than this share of a dump's objects is in a later dump, even if it has worked hard in between.
const sameProcess = 0.1

// mostTypes bounds the list of types; those of few bytes are left out first.
const mostTypes = 10_000

// Of is the answer of a dump: at most so many holders, and as many of the types of each glob. before may be nil.
func Of(d *dump.Dump, types Types, before *Before, top int, globs ...string) (*Answer, error) {
	a := &Answer{
		GoVersion: d.Params.GoVersion, Objects: d.Len(), Holders: []Holder{}, Types: []Type{}, Notes: []string{},
	}
	a.TypedObjects, a.TypedBytes = types.Coverage()
	var old []uint64
	if before != nil {
		var share float64
		if old, share = before.in(d, types); share < sameProcess {
			a.Notes = append(a.Notes, fmt.Sprintf(
				"of the earlier dump's objects only %.0f%% are in this one: the two may not be of one process", 100*share))
		}
	}
	isNew := func(object int) bool { return old == nil || old[object/64]>>uint(object%64)&1 == 0 }
	if before != nil {
		a.New = &Amount{}
	}
	for i := 0; i < d.Len(); i++ {
		a.Bytes += d.Size(i)
		if before != nil && isNew(i) {
			a.New.Objects++
			a.New.Bytes += d.Size(i)
		}
	}
	a.count(d, types, before != nil, isNew)
	g, err := graph.Build(d, types, func(object int) uint64 {
		if !isNew(object) {
			return 0
		}
		return d.Size(object)
	})
	if err != nil {
		return nil, err
	}
	h := holders{dump: d, types: types, graph: g, isNew: isNew, describe: newDescriber(g, types)}
	a.Holders = append(a.Holders, h.largest(top)...)
	for _, glob := range globs {
		only := meant{glob: glob, types: types, known: map[int32]bool{}}
		counts := func(object int) bool {
			if id := types.ID(object); id != 0 {
				return isNew(object) && only.has(id)
			}
			return isNew(object) && meansType(glob, shapeOf(d, object).String())
		}
		g.Weigh(func(object int) uint64 {
			if !counts(object) {
				return 0
			}
			return d.Size(object)
		})
		of := holders{dump: d, types: types, graph: g, isNew: counts, describe: h.describe}
		a.Of = append(a.Of, OfType{glob, append([]Holder{}, of.largest(top)...)})
	}
	return a, nil
}

// count makes the list of types, those of most bytes first.
func (a *Answer) count(d *dump.Dump, types Types, compared bool, isNew func(int) bool) {
	var known []Type
	unknown := map[shape]*Type{}
	add := func(t *Type, object int) {
		if compared && t.New == nil {
			t.New, t.NewBytes = new(int), new(uint64)
		}
		t.Count++
		t.Bytes += d.Size(object)
		if compared && isNew(object) {
			*t.New++
			*t.NewBytes += d.Size(object)
		}
	}
	for i := 0; i < d.Len(); i++ {
		id := types.ID(i)
		if id == 0 {
			one := shapeOf(d, i)
			t := unknown[one]
			if t == nil {
				t = &Type{Type: one.String()}
				unknown[one] = t
			}
			add(t, i)
			continue
		}
		for int(id) >= len(known) {
			known = append(known, Type{})
		}
		add(&known[id], i)
	}
	byName := map[string]*Type{}
	for id := range known {
		if known[id].Count == 0 {
			continue
		}
		one := &known[id]
		one.Type = types.NameOf(int32(id))
		if same := byName[one.Type]; same != nil { // a map and its parts
			same.add(one)
		} else {
			byName[one.Type] = one
		}
	}
	for _, one := range unknown {
		byName[one.Type] = one
	}
	for _, one := range byName {
		a.Types = append(a.Types, *one)
	}
	sort.Slice(a.Types, func(i, j int) bool {
		x, y := a.Types[i], a.Types[j]
		return x.Bytes > y.Bytes || x.Bytes == y.Bytes && x.Type < y.Type
	})
	if more := len(a.Types) - mostTypes; more > 0 {
		a.Types = a.Types[:mostTypes]
		a.Notes = append(a.Notes, fmt.Sprintf("%d further types of few bytes are not listed", more))
	}
}

func (t *Type) add(more *Type) {
	t.Count += more.Count
	t.Bytes += more.Bytes
	if t.New != nil {
		*t.New += *more.New
		*t.NewBytes += *more.NewBytes
	}
}

// shape is what is known of an object without a type: its size, in classes for large ones, and whether it has pointers.
type shape uint64

func shapeOf(d *dump.Dump, object int) shape {
	size := d.Size(object)
	if size > 32<<10 {
		size = 1 << uint(math.Ilogb(float64(size)))
	}
	if d.HasPointers(object) {
		return shape(size<<1 | 1)
	}
	return shape(size << 1)
}

func (s shape) String() string {
	if s&1 != 0 {
		return fmt.Sprintf("?ptrs(%d)", s>>1)
	}
	return fmt.Sprintf("?data(%d)", s>>1)
}
