package graph

import (
	"encoding/binary"
	"fmt"
	"sort"
	"strings"

	"gomem/heapreader/dump"
)

// Kind of a root.
type Kind uint8

// Kinds of roots. A frame belongs to the goroutines that its Parent names.
const (
	Global Kind = iota
	Goroutines
	Frame
	Timer
	Runtime
	Finalizer
	Queued
	Nothing
)

// Root holds objects that it names. Of goroutines whose stacks are alike there is one, with one child for each frame.
type Root struct {
	Kind     Kind
	Name     string // of a global, of the function of a frame, timer or finalizer
	Type     string // of a global, or of the object that has a finalizer
	Parent   int32  // root that a frame belongs to, -1 for others
	Stack    *dump.Goroutine
	PC       uint64 // of a frame
	Count    int    // of goroutines, timers or finalizers
	children []int32
}

// Tiers of roots. What an earlier one reaches is not held by a later one: a goroutine that looks at a cache for a
// moment does not hold it, a server that main has made is not held by each of its connections, and the runtime's own
// lists hold nothing that the program does.
const (
	unreached = iota
	tierGlobals
	tierMain
	tierGoroutines
	tierTimers
	tierRuntime
	tierFinalizers
	tierStacks
	tierNothing
)

// Type names that the runtime uses for itself, and reuses: they hold, and are held, in its own tier alone. A channel
// leads to the goroutines that wait for it, and a goroutine to all processors.
var runtimeTypes = map[string]bool{
	"runtime.g": true, "runtime.m": true, "runtime.mPadded": true, "runtime.p": true, "runtime.sudog": true, "runtime.timers": true,
	"[]*runtime.g": true, "[]*runtime.p": true, "[]*runtime.m": true, "[]runtime.timerWhen": true,
	"[]*runtime.timer": true, "[]*sync.Pool": true,
}

var timerTypes = map[string]bool{"[]runtime.timerWhen": true, "[]*runtime.timer": true}

// isRuntime tells whether a global belongs to the runtime. The lists of all pools lead to whatever has one.
func isRuntime(name string) bool {
	return strings.HasPrefix(name, "runtime.") || strings.HasPrefix(name, "internal/runtime/") ||
		name == "sync.allPools" || name == "sync.oldPools"
}

// sameAsAllgs is a second pointer of the runtime to its list of goroutines.
const sameAsAllgs = "runtime.allgptr"

// builder finds the roots of a dump, and in which tier each object is reached.
type builder struct {
	dump  *dump.Dump
	types Types
	edges edges
	roots []Root
	tier  []uint8
	cut   []bool // by type
	timer []bool // by type
	stack []int32
}

func (b *builder) root(r Root) int32 {
	b.roots = append(b.roots, r)
	return int32(len(b.roots) - 1)
}

func (b *builder) link(root int32, address uint64) {
	if address != 0 {
		if object := b.dump.Find(address); object >= 0 {
			b.hold(root, int32(object))
		}
	}
}

func (b *builder) hold(root, object int32) {
	b.roots[root].children = append(b.roots[root].children, object)
}

// flag looks a type up in a list that grows with the types that are met.
func flag(known *[]bool, id int32, names map[string]bool, types Types) bool {
	for int(id) >= len(*known) {
		*known = append(*known, id != 0 && names[types.NameOf(int32(len(*known)))])
	}
	return (*known)[id]
}

func (b *builder) isCut(object int32) bool {
	return flag(&b.cut, b.types.ID(int(object)), runtimeTypes, b.types)
}

// reach marks all that roots from a number on reach, and takes from them what an earlier tier has.
func (b *builder) reach(from int, tier uint8) {
	for k := from; k < len(b.roots); k++ {
		children := b.roots[k].children
		kept := children[:0]
		for _, object := range children {
			if b.tier[object] == tier || b.tier[object] == unreached && (tier >= tierRuntime || !b.isCut(object)) {
				kept = append(kept, object)
				b.flood(object, tier)
			}
		}
		b.roots[k].children = kept
	}
}

func (b *builder) flood(object int32, tier uint8) {
	if b.tier[object] != unreached {
		return
	}
	b.tier[object] = tier
	b.stack = append(b.stack[:0], object)
	for len(b.stack) > 0 {
		object = b.stack[len(b.stack)-1]
		b.stack = b.stack[:len(b.stack)-1]
		for _, target := range b.edges.of(object) {
			if b.tier[target] == unreached && (tier >= tierRuntime || !b.isCut(target)) {
				b.tier[target] = tier
				b.stack = append(b.stack, target)
			}
		}
	}
}

func (b *builder) all() error {
	b.tier = make([]uint8, b.dump.Len())
	b.globals(false)
	b.reach(0, tierGlobals)
	var frames []framed
	for _, tier := range [...]uint8{tierMain, tierGoroutines, tierTimers, tierRuntime} {
		from := len(b.roots)
		switch tier {
		case tierTimers:
			b.timers()
		case tierRuntime:
			b.globals(true)
		}
		more, err := b.goroutines(tier)
		if err != nil {
			return err
		}
		frames = append(frames, more...)
		b.reach(from, tier)
	}
	b.finalizers()
	if err := b.stacks(frames); err != nil {
		return err
	}
	b.rest()
	return nil
}

// globals adds a root for each variable with pointers, those of the runtime or all others.
func (b *builder) globals(ofRuntime bool) {
	known := map[string]int32{}
	for i := range b.dump.Segments {
		segment := &b.dump.Segments[i]
		for _, offset := range segment.Pointers {
			value := binary.LittleEndian.Uint64(segment.Data[offset:])
			if value == 0 || b.dump.Find(value) < 0 {
				continue
			}
			name, typeName, _ := b.types.Global(segment.Address + uint64(offset))
			if isRuntime(name) != ofRuntime || name == sameAsAllgs {
				continue
			}
			root, ok := known[name]
			if !ok {
				kind := Global
				if ofRuntime {
					kind = Runtime
				}
				root = b.root(Root{Kind: kind, Name: name, Type: typeName, Parent: -1, Count: 1})
				known[name] = root
			}
			b.link(root, value)
		}
	}
}

// maxStacks bounds how many different stacks have roots of their own. Goroutines with further ones share a root.
const maxStacks = 10_000

// framed is a frame of one goroutine, and the root that stands for it.
type framed struct {
	frame *dump.Frame
	root  int32
}

// preempted is how many frames of a goroutine, the innermost ones, have no list of pointers that holds: where it was
// stopped in the middle of a function, any word may be a pointer, as it may be for the collector.
func preempted(g *dump.Goroutine) int {
	for i := range g.Frames {
		if g.Frames[i].Function == "runtime.asyncPreempt" {
			return i + 2
		}
	}
	return 0
}

// tierOf a goroutine.
func tierOf(g *dump.Goroutine) uint8 {
	if g.System {
		return tierRuntime
	}
	for i := range g.Frames {
		if g.Frames[i].Function == "main.main" {
			return tierMain
		}
	}
	return tierGoroutines
}

// goroutines adds a root for all of a tier whose stacks are alike. It gives frames whose words are to be looked at.
func (b *builder) goroutines(tier uint8) ([]framed, error) {
	known := map[string]int32{}
	var found []framed
	var key []byte
	for _, g := range b.dump.Goroutines {
		if tierOf(g) != tier {
			continue
		}
		key = append(append(key[:0], g.Reason...), 0, byte(g.Status))
		key = binary.LittleEndian.AppendUint64(key, g.CreatedAt)
		for i := range g.Frames {
			key = binary.LittleEndian.AppendUint64(key, g.Frames[i].PC)
		}
		group, ok := known[string(key)]
		if !ok && len(known) >= maxStacks {
			key = key[:0]
			group, ok = known[""]
		}
		if !ok {
			root := Root{Kind: Goroutines, Parent: -1, Stack: g}
			if tier == tierRuntime {
				root.Kind = Runtime
			}
			if len(key) == 0 {
				root.Stack, root.Name = nil, "goroutines with further stacks"
			}
			group = b.root(root)
			known[string(key)] = group
			for i := 0; i < len(g.Frames) && len(key) > 0; i++ {
				f := &g.Frames[i]
				b.root(Root{Kind: Frame, Name: f.Function, Parent: group, PC: f.PC, Count: 1})
			}
		}
		b.roots[group].Count++
		vague := preempted(g)
		for i := range g.Frames {
			root := group
			if len(key) > 0 {
				root += 1 + int32(i)
			}
			if i < vague {
				found = append(found, framed{&g.Frames[i], root})
			}
			if err := b.dump.FramePointers(&g.Frames[i], func(_, value uint64) bool {
				b.link(root, value)
				return true
			}); err != nil {
				return nil, err
			}
		}
		for _, one := range g.Defers {
			b.link(group, one.Function)
			b.link(group, one.Record)
		}
		for _, one := range g.Panics {
			b.link(group, one.Data)
		}
		b.link(group, g.Context)
	}
	return found, nil
}

// timers adds a root for all pending timers of one function. The runtime's heap of timers is known by its type.
func (b *builder) timers() {
	known := map[string]int32{}
	for i := 0; i < b.dump.Len(); i++ {
		if !b.dump.HasPointers(i) || !flag(&b.timer, b.types.ID(i), timerTypes, b.types) {
			continue
		}
		for _, timer := range b.edges.of(int32(i)) {
			name := b.callback(timer)
			root, ok := known[name]
			if !ok {
				root = b.root(Root{Kind: Timer, Name: name, Parent: -1})
				known[name] = root
			}
			b.roots[root].Count++
			b.hold(root, timer)
		}
	}
}

// callback is the function of the user that a timer calls, "" for one that sends on a channel.
func (b *builder) callback(timer int32) string {
	for _, target := range b.edges.of(timer) {
		if name := b.types.NameOf(b.types.ID(int(target))); strings.HasPrefix(name, "func ") {
			return name
		}
	}
	return ""
}

// finalizers adds roots for objects that nothing else holds than what their own finalizer keeps.
func (b *builder) finalizers() {
	known := map[string]int32{}
	from := len(b.roots)
	add := func(kind Kind, one *dump.Finalizer) {
		object, function := b.dump.Find(one.Object), b.dump.Find(one.Function)
		if object >= 0 && b.tier[object] != unreached {
			object = -1
		}
		if function >= 0 && b.tier[function] != unreached {
			function = -1
		}
		if object < 0 && function < 0 {
			return
		}
		name, _, _ := b.types.Place(one.PC)
		typeName := ""
		if object >= 0 {
			typeName = b.types.NameOf(b.types.ID(object))
		}
		key := fmt.Sprintf("%d %s %s", kind, name, typeName)
		root, ok := known[key]
		if !ok {
			root = b.root(Root{Kind: kind, Name: name, Type: typeName, Parent: -1})
			known[key] = root
		}
		b.roots[root].Count++
		for _, held := range [...]int{object, function} {
			if held >= 0 {
				b.hold(root, int32(held))
			}
		}
	}
	for i := range b.dump.Finalizers {
		add(Finalizer, &b.dump.Finalizers[i])
	}
	for i := range b.dump.Queued {
		add(Queued, &b.dump.Queued[i])
	}
	b.reach(from, tierFinalizers)
}

// stacks gives frames what any of their words points to and nothing else holds.
func (b *builder) stacks(frames []framed) error {
	for _, one := range frames {
		for offset := uint64(0); ; {
			chunk, err := b.dump.Frame(one.frame, offset, dump.MaxChunk)
			if err != nil {
				return err
			}
			if len(chunk) < 8 {
				break
			}
			for ; len(chunk) >= 8; chunk = chunk[8:] {
				object := b.dump.Find(binary.LittleEndian.Uint64(chunk))
				if object >= 0 && b.tier[object] == unreached {
					b.hold(one.root, int32(object))
					b.flood(int32(object), tierStacks)
				}
				offset += 8
			}
		}
	}
	return nil
}

// rest is held by nothing that the dump knows of: what nothing points to, and then rings.
func (b *builder) rest() {
	root := b.root(Root{Kind: Nothing, Parent: -1, Count: 1})
	n := int32(len(b.tier))
	pointed := make([]uint64, n/64+1)
	for i := int32(0); i < n; i++ {
		if b.tier[i] == unreached {
			for _, target := range b.edges.of(i) {
				pointed[target/64] |= 1 << uint(target%64)
			}
		}
	}
	for _, rings := range [...]bool{false, true} {
		for i := int32(0); i < n; i++ {
			if b.tier[i] == unreached && (rings || pointed[i/64]>>uint(i%64)&1 == 0) {
				b.hold(root, i)
				b.flood(i, tierNothing)
			}
		}
	}
}

// prune drops edges into what another tier holds.
func (b *builder) prune() {
	kept := uint32(0)
	for i := int32(0); i < int32(len(b.tier)); i++ {
		targets := b.edges.of(i)
		b.edges.start[i] = kept
		for _, target := range targets {
			if b.tier[target] == b.tier[i] {
				b.edges.to[kept] = target
				kept++
			}
		}
	}
	b.edges.start[len(b.tier)] = kept
	b.edges.to = b.edges.to[:kept]
}

// tidy gives each root its children once.
func (b *builder) tidy() {
	for k := range b.roots {
		children := b.roots[k].children
		sort.Slice(children, func(i, j int) bool { return children[i] < children[j] })
		kept := children[:0]
		for i, object := range children {
			if i == 0 || object != children[i-1] {
				kept = append(kept, object)
			}
		}
		b.roots[k].children = kept
	}
}
