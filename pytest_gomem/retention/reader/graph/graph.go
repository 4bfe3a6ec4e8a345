package graph

import "gomem/heapreader/dump"

// Graph is the tree of dominators of a dump, by number. The top has the number 0, below it stand roots, and objects that
// several roots reach.
type Graph struct {
	Roots    []Root
	objects  int32
	order    []int32
	idom     []int32
	before   []uint32
	from     []int32
	start    []uint32 // children in the tree of number i: child[start[i]:start[i+1]]
	child    []int32
	retained []uint64
}

// Build reads all edges of a dump and finds its roots and dominators. weight is what an object counts, in bytes.
func Build(d *dump.Dump, types Types, weight func(object int) uint64) (*Graph, error) {
	all, err := readEdges(d)
	if err != nil {
		return nil, err
	}
	b := builder{dump: d, types: types, edges: all}
	all = edges{}
	if err := b.all(); err != nil {
		return nil, err
	}
	b.prune()
	b.tidy()
	objects := int32(d.Len())
	g := &Graph{Roots: b.roots, objects: objects}
	top := objects + int32(len(b.roots))
	children := make([][]int32, len(b.roots)+1)
	for k := range b.roots {
		if parent := b.roots[k].Parent; parent >= 0 {
			children[parent] = append(children[parent], objects+int32(k))
		} else {
			children[len(b.roots)] = append(children[len(b.roots)], objects+int32(k))
		}
	}
	for k := range b.roots {
		children[k] = append(children[k], b.roots[k].children...)
		b.roots[k].children = nil
	}
	out := func(node int32) []int32 {
		if node < objects {
			return b.edges.of(node)
		}
		return children[node-objects]
	}
	f := search(int(top)+1, top, out)
	b.edges, b.tier, children, f.number = edges{}, nil, nil, nil // room for what comes
	f.dominate()
	g.order, g.idom, g.before, g.from = f.order, f.idom, f.before, f.from
	g.Weigh(weight)
	g.children()
	return g, nil
}

// Weigh adds up what each number retains, if an object counts so many bytes.
func (g *Graph) Weigh(weight func(object int) uint64) {
	g.retained = make([]uint64, len(g.order))
	for i := len(g.order) - 1; i >= 0; i-- {
		if node := g.order[i]; node < g.objects {
			g.retained[i] += weight(int(node))
		}
		if i > 0 {
			g.retained[g.idom[i]] += g.retained[i]
		}
	}
}

func (g *Graph) children() {
	count := len(g.order)
	g.start = make([]uint32, count+1)
	for i := 1; i < count; i++ {
		g.start[g.idom[i]+1]++
	}
	for i := 0; i < count; i++ {
		g.start[i+1] += g.start[i]
	}
	g.child = make([]int32, count-1)
	// Filling moves each start to its end, which is the start of the next one.
	for i := 1; i < count; i++ {
		g.child[g.start[g.idom[i]]] = int32(i)
		g.start[g.idom[i]]++
	}
	copy(g.start[1:], g.start)
	g.start[0] = 0
}

// Children of a number in the tree of dominators.
func (g *Graph) Children(number int32) []int32 { return g.child[g.start[number]:g.start[number+1]] }

// Retained is what would be free without a number.
func (g *Graph) Retained(number int32) uint64 { return g.retained[number] }

// Object that a number stands for; false if it is a root.
func (g *Graph) Object(number int32) (int, bool) {
	node := g.order[number]
	return int(node), node < g.objects
}

// Root that a number stands for, nil if it is an object or the top.
func (g *Graph) Root(number int32) *Root {
	if k := g.RootIndex(number); k >= 0 && k < len(g.Roots) {
		return &g.Roots[k]
	}
	return nil
}

// RootIndex is which of the roots a number stands for, below 0 for an object.
func (g *Graph) RootIndex(number int32) int { return int(g.order[number] - g.objects) }

// Parent is the root that a root belongs to, nil if there is none.
func (g *Graph) Parent(r *Root) *Root {
	if r.Parent < 0 {
		return nil
	}
	return &g.Roots[r.Parent]
}

// mostVisited bounds the search for roots that are near.
const mostVisited = 300_000

// Nearest roots of numbers, nearest first, at most so many of them: which of them hold the numbers.
func (g *Graph) Nearest(numbers []int32, most int) []*Root {
	seen := make([]uint64, len(g.order)/64+1)
	visit := func(number int32) bool {
		word, bit := number/64, uint64(1)<<uint(number%64)
		first := seen[word]&bit == 0
		seen[word] |= bit
		return first
	}
	var queue []int32
	for _, number := range numbers {
		if visit(number) {
			queue = append(queue, number)
		}
	}
	var found []*Root
	for k := 0; k < len(queue) && len(found) < most && len(queue) < mostVisited; k++ {
		if root := g.Root(queue[k]); root != nil {
			found = append(found, root)
			continue
		}
		for _, before := range g.from[g.before[queue[k]]:g.before[queue[k]+1]] {
			if visit(before) {
				queue = append(queue, before)
			}
		}
	}
	return found
}
