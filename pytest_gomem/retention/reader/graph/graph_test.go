package graph

import (
	"math/rand"
	"testing"

	"gomem/heapreader/dump/madeup"
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
		g.Weigh(func(int) uint64 { return 1 })
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

func build(t *testing.T, h *madeup.Heap, types madeup.Types) (*Graph, map[string]uint64) {
	d, err := h.Read()
	if err != nil {
		t.Fatal(err)
	}
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
		if held[name] == 0 {
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
	h := madeup.New()
	h.Object(1)
	h.Object(2)
	h.Object()
	h.Object(1) // of the goroutine alone, and leads to what the global has
	h.Globals(0)
	h.Goroutine(1, "select", 10, 3, 1)
	_, held := build(t, h, madeup.Types{Globals: []string{"main.cache"}})
	expect(t, held, map[string]uint64{"global main.cache": 3, "goroutines": 1})
}

func TestWhatMainHasIsNotHeldByItsConnections(t *testing.T) {
	h := madeup.New()
	h.Object(1) // a server
	h.Object()
	h.Object(0) // a connection
	h.Goroutine(2, "select", 10, 2, 1)
	h.Main(0)
	g, held := build(t, h, madeup.Types{})
	expect(t, held, map[string]uint64{"goroutines": 3})
	if g.Roots[0].Stack.ID != 1 || g.Retained(g.Children(0)[0]) == 0 {
		t.Error("main is not the first root")
	}
}

func TestGoroutinesOfTheRuntimeHaveOneList(t *testing.T) {
	h := madeup.New()
	h.Object(1)
	h.Object()
	h.Globals(0, 0)
	_, held := build(t, h, madeup.Types{Globals: []string{"runtime.allgs", "runtime.allgptr"}})
	expect(t, held, map[string]uint64{"runtime runtime.allgs": 2})
}

func TestSeveralGlobalsHoldTogether(t *testing.T) {
	h := madeup.New()
	h.Object(2)
	h.Object(2)
	h.Object(3)
	h.Object()
	h.Globals(0, 1)
	g, held := build(t, h, madeup.Types{Globals: []string{"main.a", "main.b"}})
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
	h := madeup.New()
	for i := 0; i < 4; i++ {
		h.Object()
	}
	h.Goroutine(1, "chan receive", 10, 0, 3)
	h.Goroutine(2, "chan receive", 10, 1, 3)
	h.Goroutine(3, "select", 10, 2)
	g, held := build(t, h, madeup.Types{})
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

func TestMoreStacksThanAnyoneReadsShareARoot(t *testing.T) {
	h := madeup.New()
	h.Object()
	for i := 0; i < maxStacks+50; i++ {
		h.Goroutine(uint64(i), "select", uint64(10+i), 0)
	}
	g, _ := build(t, h, madeup.Types{})
	if len(g.Roots) > 2*maxStacks+10 {
		t.Error(len(g.Roots))
	}
	for i := range g.Roots {
		if root := &g.Roots[i]; (root.Count == 50) != (root.Name == "goroutines with further stacks") {
			t.Error(root)
		}
	}
}

func TestTimersAreFoundBelowTheRuntime(t *testing.T) {
	h := madeup.New()
	h.Object(1, 3) // the heap of timers, held by the runtime
	h.Object(2)    // a timer
	h.Object()     // its closure
	h.Object(4)    // a timer that the program holds
	h.Object()
	h.Globals(0, 3)
	_, held := build(t, h, madeup.Types{
		Names:   []string{"[]runtime.timerWhen", "runtime.timeTimer", "func main.late", "runtime.timeTimer", ""},
		Globals: []string{"runtime.allp", "main.timer"},
	})
	expect(t, held, map[string]uint64{"runtime runtime.allp": 1, "timer func main.late": 2, "global main.timer": 2})
}

func TestTheRuntimeHoldsOnlyWhatNothingElseDoes(t *testing.T) {
	h := madeup.New()
	h.Object(1)       // a channel with one that waits for it
	h.Object(2)       // sudog
	h.Object(3, 4, 1) // g
	h.Object()
	h.Object()
	h.Globals(0, 0, 2)
	h.Goroutine(1, "chan receive", 10, 3)
	_, held := build(t, h, madeup.Types{
		Names:   []string{"runtime.hchan", "runtime.sudog", "runtime.g", "", ""},
		Globals: []string{"main.channel", "main.channel", "runtime.allgs"},
	})
	expect(t, held, map[string]uint64{"global main.channel": 1, "goroutines": 1, "runtime runtime.allgs": 3})
}

func TestFinalizersHoldWhatNothingElseDoes(t *testing.T) {
	h := madeup.New()
	h.Object(1) // reached by its own referent
	h.Object(0)
	h.Object() // held by a global
	h.Object() // its function
	h.Object() // nothing has it
	h.Object(6)
	h.Object(5) // a ring
	h.Globals(2)
	h.Finalizer(0, -1)
	h.Finalizer(2, 3)
	_, held := build(t, h, madeup.Types{Globals: []string{"main.file"}})
	expect(t, held, map[string]uint64{"global main.file": 1, "finalizer main.f": 3, "nothing": 3})
}

func TestWordsOfAPreemptedFrameHoldWhatNothingElseDoes(t *testing.T) {
	for _, preempted := range []bool{true, false} {
		h := madeup.New()
		h.Object()
		h.Object()
		h.Stale(preempted, 1, 0)
		_, held := build(t, h, madeup.Types{})
		if preempted {
			expect(t, held, map[string]uint64{"goroutines": 2})
		} else {
			expect(t, held, map[string]uint64{"nothing": 2})
		}
	}
}
