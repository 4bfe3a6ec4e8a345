package graph

import (
	"bytes"
	"encoding/binary"
	"math/rand"
	"testing"

	"gomem/heapreader/dump"
)

// without is how many nodes the top still reaches if one is taken away.
func without(out [][]int32, top, cut int32) int {
	seen := map[int32]bool{cut: true, top: true}
	stack := []int32{top}
	for len(stack) > 0 {
		node := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, target := range out[node] {
			if !seen[target] {
				seen[target] = true
				stack = append(stack, target)
			}
		}
	}
	return len(seen) - 1
}

func TestWhatANodeDominatesIsWhatItsLossUnreaches(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	for round := 0; round < 400; round++ {
		nodes := 2 + random.Intn(40)
		out := make([][]int32, nodes)
		for k := random.Intn(nodes * 3); k >= 0; k-- {
			from := random.Intn(nodes)
			out[from] = append(out[from], int32(random.Intn(nodes)))
		}
		top := int32(random.Intn(nodes))
		f := search(nodes, top, func(node int32) []int32 { return out[node] })
		f.dominate()
		g := Graph{objects: int32(nodes), order: f.order, idom: f.idom}
		g.sum(func(int) uint64 { return 1 })
		g.children()
		if reached := without(out, top, -1); len(f.order) != reached {
			t.Fatal(len(f.order), reached)
		}
		total := len(f.order)
		for number := 1; number < total; number++ {
			if want := total - without(out, top, f.order[number]); g.Retained(int32(number)) != uint64(want) {
				t.Fatalf("round %d: node %d retains %d, not %d", round, f.order[number], g.Retained(int32(number)), want)
			}
			sum := uint64(1)
			for _, child := range g.Children(int32(number)) {
				sum += g.Retained(child)
			}
			if sum != g.Retained(int32(number)) {
				t.Fatal("the children of a node do not add up")
			}
		}
	}
}

func TestDeepGraphsNeedNoDeepStack(t *testing.T) {
	const nodes = 300_000
	f := search(nodes, 0, func(node int32) []int32 {
		if node+1 < nodes {
			return []int32{node + 1, 0, node / 2}
		}
		return nil
	})
	f.dominate()
	if f.idom[nodes-1] != nodes-2 {
		t.Error(f.idom[nodes-1])
	}
}

// heap is a dump in the making, of objects of 64 bytes at page 16 and above.
type heap struct {
	raw     []byte
	objects int
}

func (h *heap) put(numbers ...uint64) {
	for _, number := range numbers {
		h.raw = binary.AppendUvarint(h.raw, number)
	}
}

func (h *heap) text(text string) {
	h.put(uint64(len(text)))
	h.raw = append(h.raw, text...)
}

func at(object int) uint64 { return 1<<17 + 64*uint64(object) }

func (h *heap) words(pointers ...int) (memory []byte, fields []uint64) {
	memory = make([]byte, 64)
	for k, object := range pointers {
		binary.LittleEndian.PutUint64(memory[8*k:], at(object))
		fields = append(fields, 1, 8*uint64(k))
	}
	return memory, append(fields, 0)
}

func (h *heap) object(pointers ...int) {
	memory, fields := h.words(pointers...)
	h.put(1, at(h.objects))
	h.text(string(memory))
	h.put(fields...)
	h.objects++
}

func (h *heap) globals(pointers ...int) {
	memory, fields := h.words(pointers...)
	h.put(12, 1<<12)
	h.text(string(memory))
	h.put(fields...)
}

func (h *heap) goroutine(id uint64, reason string, pc uint64, pointers ...int) {
	h.put(4, 1, 2, id, 4, dump.Waiting, 0, 0, 5)
	h.text(reason)
	h.put(0, 0, 0, 0)
	memory, fields := h.words(pointers...)
	h.put(5, 10000, 0, 0)
	h.text(string(memory))
	h.put(pc, pc, pc)
	h.text("main.f")
	h.put(fields...)
}

func (h *heap) read(t *testing.T) *dump.Dump {
	d, err := dump.Read(bytes.NewReader(h.raw), int64(len(h.raw)), dump.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func newHeap() *heap {
	h := &heap{raw: []byte(dump.Magic)}
	h.put(6, 0, 8, 0, 0)
	h.text("amd64")
	h.text("go1.99")
	h.put(2)
	return h
}

// named are types of objects by number, and globals by word.
type named struct {
	types   []string
	globals []string
}

func (n named) ID(object int) int32 {
	if object < len(n.types) && n.types[object] != "" {
		return int32(object) + 1
	}
	return 0
}

func (n named) NameOf(id int32) string {
	if id == 0 {
		return "?"
	}
	return n.types[id-1]
}

func (n named) Internal(int32) bool { return false }

func (n named) Global(address uint64) (string, string, bool) {
	if k := int(address-1<<12) / 8; k < len(n.globals) {
		return n.globals[k], "*main.T", true
	}
	return "", "", false
}

func (n named) Place(pc uint64) (string, string, int) { return "main.f", "main.go", int(pc) }

func build(t *testing.T, h *heap, types named) (*Graph, map[string]uint64) {
	h.put(0)
	d := h.read(t)
	g, err := Build(d, types, func(object int) uint64 { return d.Size(object) })
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]uint64{}
	total := uint64(0)
	for _, child := range g.Children(0) {
		name := "several"
		if root := g.Root(child); root != nil {
			name = [...]string{"global", "goroutines", "frame", "timer", "runtime", "finalizer", "queued", "nothing"}[root.Kind]
			if root.Name != "" {
				name += " " + root.Name
			}
		}
		held[name] += g.Retained(child)
		total += g.Retained(child)
		if g.Retained(child) == 0 {
			delete(held, name)
		}
	}
	if total != g.Retained(0) || total != uint64(64*d.Len()) {
		t.Errorf("the roots hold %d bytes of %d", total, 64*d.Len())
	}
	return g, held
}

func expect(t *testing.T, held map[string]uint64, want map[string]uint64) {
	t.Helper()
	for name, objects := range want {
		if held[name] != 64*objects {
			t.Errorf("%s holds %d objects, not %d", name, held[name]/64, objects)
		}
	}
	if len(held) != len(want) {
		t.Error(held)
	}
}

func TestAGoroutineThatLooksDoesNotHold(t *testing.T) {
	h := newHeap()
	h.object(1)
	h.object(2)
	h.object()
	h.object(1) // of the goroutine alone, and leads to what the global has
	h.globals(0)
	h.goroutine(1, "select", 10, 3, 1)
	_, held := build(t, h, named{globals: []string{"main.cache"}})
	expect(t, held, map[string]uint64{"global main.cache": 3, "goroutines": 1})
}

func TestSeveralGlobalsHoldTogether(t *testing.T) {
	h := newHeap()
	h.object(2)
	h.object(2)
	h.object(3)
	h.object()
	h.globals(0, 1)
	g, held := build(t, h, named{globals: []string{"main.a", "main.b"}})
	expect(t, held, map[string]uint64{"global main.a": 1, "global main.b": 1, "several": 2})
	for _, child := range g.Children(0) {
		if g.Root(child) == nil {
			roots := g.Nearest([]int32{child}, 4)
			if len(roots) != 2 || roots[0].Name != "main.a" && roots[1].Name != "main.a" {
				t.Error(roots)
			}
		}
	}
}

func TestGoroutinesWithOneStackAreOneRoot(t *testing.T) {
	h := newHeap()
	for i := 0; i < 4; i++ {
		h.object()
	}
	h.goroutine(1, "chan receive", 10, 0, 3)
	h.goroutine(2, "chan receive", 10, 1, 3)
	h.goroutine(3, "select", 10, 2)
	g, held := build(t, h, named{})
	expect(t, held, map[string]uint64{"goroutines": 4})
	counts := map[int]bool{}
	for _, root := range g.Roots {
		if root.Kind == Goroutines {
			counts[root.Count] = true
		}
	}
	if len(counts) != 2 || !counts[2] || !counts[1] {
		t.Error(counts)
	}
}

func TestTimersAreFoundBelowTheRuntime(t *testing.T) {
	h := newHeap()
	h.object(1, 3) // the heap of timers, held by the runtime
	h.object(2)    // a timer
	h.object()     // its closure
	h.object(4)    // a timer that the program holds
	h.object()
	h.globals(0, 3)
	_, held := build(t, h, named{
		types:   []string{"[]runtime.timerWhen", "runtime.timeTimer", "func main.late", "runtime.timeTimer", ""},
		globals: []string{"runtime.allp", "main.timer"},
	})
	expect(t, held, map[string]uint64{"runtime runtime.allp": 1, "timer func main.late": 2, "global main.timer": 2})
}

func TestTheRuntimeHoldsOnlyWhatNothingElseDoes(t *testing.T) {
	h := newHeap()
	h.object(1)    // a channel with one that waits for it
	h.object(2)    // sudog
	h.object(3, 4) // g
	h.object()
	h.object()
	h.globals(0, 0, 2)
	h.goroutine(1, "chan receive", 10, 3)
	_, held := build(t, h, named{
		types:   []string{"runtime.hchan", "runtime.sudog", "runtime.g", "", ""},
		globals: []string{"main.channel", "main.channel", "runtime.allgs"},
	})
	expect(t, held, map[string]uint64{"global main.channel": 2, "goroutines": 1, "runtime runtime.allgs": 2})
}

func TestFinalizersHoldWhatNothingElseDoes(t *testing.T) {
	h := newHeap()
	h.object(1) // reached by its own referent
	h.object(0)
	h.object() // held by a global
	h.object() // its function
	h.object() // nothing has it
	h.object(6)
	h.object(5) // a ring
	h.globals(2)
	h.put(7, at(0), 0, 500, 0, 80)
	h.put(7, at(2), at(3), 510, 0, 80)
	_, held := build(t, h, named{globals: []string{"main.file"}})
	expect(t, held, map[string]uint64{"global main.file": 1, "finalizer main.f": 3, "nothing": 3})
}

func TestWordsOfStacksHoldWhatNothingElseDoes(t *testing.T) {
	h := newHeap()
	h.object()
	h.object()
	h.put(4, 1, 2, 1, 4, dump.Waiting, 0, 0, 5)
	h.text("select")
	h.put(0, 0, 0, 0, 5, 10000, 0, 0)
	memory, _ := h.words(1, 0)
	h.text(string(memory))
	h.put(10, 10, 10)
	h.text("main.f")
	h.put(0)
	_, held := build(t, h, named{})
	expect(t, held, map[string]uint64{"goroutines": 2})
}
