package graph

// forest is what a depth-first search from the top finds, and the dominators of it. Nodes are numbered in the order in
// which the search meets them.
type forest struct {
	number []int32 // of a node
	order  []int32 // node of a number
	parent []int32
	before []uint32 // predecessors of number i: from[before[i]:before[i+1]]
	from   []int32
	idom   []int32
}

// search numbers all nodes that the top reaches. Node top has the number 0.
func search(nodes int, top int32, out func(int32) []int32) forest {
	f := forest{number: make([]int32, nodes), order: make([]int32, 1, nodes), parent: make([]int32, 1, nodes)}
	for i := range f.number {
		f.number[i] = -1
	}
	f.number[top], f.order[0] = 0, top
	cursor := make([]uint32, 1, nodes) // how many edges of a number have been followed
	for at := int32(0); ; {
		targets := out(f.order[at])
		next := cursor[at]
		for int(next) < len(targets) && f.number[targets[next]] >= 0 {
			next++
		}
		if int(next) == len(targets) {
			cursor[at] = next
			if at == 0 {
				break
			}
			at = f.parent[at]
			continue
		}
		cursor[at] = next + 1
		node := targets[next]
		number := int32(len(f.order))
		f.number[node] = number
		f.order = append(f.order, node)
		f.parent = append(f.parent, at)
		cursor = append(cursor, 0)
		at = number
	}
	f.predecessors(out, cursor)
	return f
}

// predecessors turns all edges around. A slice of as many numbers is lent for it.
func (f *forest) predecessors(out func(int32) []int32, lent []uint32) {
	count := len(f.order)
	f.before = make([]uint32, count+1)
	for _, node := range f.order {
		for _, target := range out(node) {
			f.before[f.number[target]+1]++
		}
	}
	for i := 0; i < count; i++ {
		f.before[i+1] += f.before[i]
	}
	f.from = make([]int32, f.before[count])
	fill := lent
	copy(fill, f.before)
	for i, node := range f.order {
		for _, target := range out(node) {
			number := f.number[target]
			f.from[fill[number]] = int32(i)
			fill[number]++
		}
	}
}

// dominate finds the immediate dominator of each number by semi-NCA (Georgiadis and Tarjan), without recursion.
func (f *forest) dominate() {
	count := int32(len(f.order))
	ancestor := make([]int32, count)
	label := make([]int32, count)
	semi := make([]int32, count)
	f.idom = f.parent // a candidate of each number is its parent; parents before semi[i] are not asked for again
	copy(ancestor, f.parent)
	for i := range label {
		label[i], semi[i] = int32(i), int32(i)
	}
	var path []int32
	for i := count - 1; i > 0; i-- {
		best := f.parent[i]
		for _, v := range f.from[f.before[i]:f.before[i+1]] {
			if v > i {
				// Compress the path of v up to the numbers that are not linked yet.
				path = path[:0]
				x := v
				for ancestor[x] > i {
					path = append(path, x)
					x = ancestor[x]
				}
				for k := len(path) - 1; k >= 0; k-- {
					y := path[k]
					a := ancestor[y]
					if semi[label[a]] < semi[label[y]] {
						label[y] = label[a]
					}
					ancestor[y] = ancestor[a]
				}
				v = semi[label[v]]
			}
			best = min(best, v)
		}
		semi[i] = best
	}
	for i := int32(1); i < count; i++ {
		x := f.idom[i]
		for x > semi[i] {
			x = f.idom[x]
		}
		f.idom[i] = x
	}
	f.parent = nil
}
