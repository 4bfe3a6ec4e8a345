package answer

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"gomem/heapreader/dump"
	"gomem/heapreader/graph"
)

const (
	mostSteps = 64
	// A path goes on while objects of one type make up that much of what is retained.
	worthAStep = 0.4
	// Roots that are looked at to name the most telling of them.
	rootsAsked = 32
	mostSites  = 5
	pool       = "sync.Pool"
)

// holders finds them in the tree of dominators.
type holders struct {
	dump     *dump.Dump
	types    Types
	graph    *graph.Graph
	isNew    func(int) bool
	describe *describer
}

// group is numbers of the tree that one root or one type has.
type group struct {
	key      key
	members  []int32
	retained uint64
	count    int
}

// key is what is shown as one: a root (below 0), objects of one type (its ID), or of one shape if their type is not known.
type key int64

const firstShape key = 1 << 32

func (h *holders) keyOf(number int32) key {
	object, ok := h.graph.Object(number)
	if !ok {
		return key(^h.graph.RootIndex(number))
	}
	if id := h.types.ID(object); id != 0 {
		return key(id)
	}
	return firstShape + key(shapeOf(h.dump, object))
}

// root of a key, nil for objects.
func (h *holders) root(k key) *graph.Root {
	if k >= 0 {
		return nil
	}
	return &h.graph.Roots[^k]
}

func (h *holders) name(k key) string {
	switch {
	case k < 0:
		return ""
	case k < firstShape:
		return h.types.NameOf(int32(k))
	}
	return shape(k - firstShape).String()
}

func (h *holders) isInternal(k key) bool {
	return k > 0 && k < firstShape && h.types.Internal(int32(k))
}

// grouped are numbers by key, those that retain most first. Those that retain nothing new are left out.
func (h *holders) grouped(numbers []int32) []*group {
	known := map[key]*group{}
	var all []*group
	for _, number := range numbers {
		if h.graph.Retained(number) == 0 {
			continue
		}
		k := h.keyOf(number)
		one := known[k]
		if one == nil {
			one = &group{key: k}
			known[k] = one
			all = append(all, one)
		}
		one.members = append(one.members, number)
		one.count++
		one.retained += h.graph.Retained(number)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].retained > all[j].retained })
	return all
}

// largest are the holders that retain most.
func (h *holders) largest(top int) []Holder {
	var found []Holder
	total := h.graph.Retained(0)
	groups := h.grouped(h.graph.Children(0))
	for _, one := range groups[:min(len(groups), 2*top)] {
		holder := h.holder(one)
		holder.Retained = one.retained
		holder.Share = float64(one.retained) / float64(total)
		holder.Objects = h.objects(one.members)
		holder.tops = one.count
		if whole := partOf(found, &holder); whole != nil {
			whole.Retained += holder.Retained
			whole.Share += holder.Share
			whole.Objects += holder.Objects
		} else {
			found = append(found, holder)
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].Retained > found[j].Retained })
	return found[:min(len(found), top)]
}

// partOf finds the holder to whose objects those of another one belong: there are as many of them, and the same roots
// hold them.
func partOf(found []Holder, part *Holder) *Holder {
	for k := range found {
		whole := &found[k]
		if part.Kind == "several" && whole.Kind == "several" && part.tops > 1 && part.tops == whole.tops &&
			part.all == whole.all && slices.Equal(part.Roots, whole.Roots) {
			return whole
		}
	}
	return nil
}

// objects counts all that numbers dominate.
func (h *holders) objects(numbers []int32) int {
	count := 0
	stack := append([]int32(nil), numbers...)
	for len(stack) > 0 {
		number := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if object, ok := h.graph.Object(number); ok && h.isNew(object) {
			count++
		}
		stack = append(stack, h.graph.Children(number)...)
	}
	return count
}

func (h *holders) holder(start *group) Holder {
	steps, pooled := h.walk(start)
	out := Holder{Count: 1, Path: []Step{}, Sites: h.sites(steps), Roots: []string{}}
	if root := h.root(start.key); root != nil {
		h.single(&out, root, steps, pooled)
	} else {
		out.Type = h.name(start.key)
		roots := h.graph.Nearest(spread(start.members), rootsAsked)
		out.Kind = kindOf(roots)
		texts, more := h.describe.several(roots)
		out.Roots, out.all = append(out.Roots, texts...), len(texts)+more
		out.Root = joined(out.Type, texts, more)
	}
	for k, step := range steps {
		isStart := k == 0 && step.key >= 0
		if step.key < 0 || h.folded(step, k == len(steps)-1) && !isStart {
			continue
		}
		if told := strings.TrimPrefix(out.Type, "*"); told == h.name(step.key) && step.count == 1 && len(out.Path) == 0 && !isStart {
			continue // the root has told it
		}
		out.Path = append(out.Path, Step{h.name(step.key), step.count, step.retained})
	}
	return out
}

// kindOf several roots: only those of the runtime are one.
func kindOf(roots []*graph.Root) string {
	for _, root := range roots {
		if root.Kind != graph.Runtime {
			return "several"
		}
	}
	if len(roots) == 0 {
		return "several"
	}
	return "runtime"
}

// joined says which roots hold objects of a type together. Many roots say little: then the type comes first.
func joined(typeName string, texts []string, more int) string {
	const few = 3
	switch count := len(texts) + more; {
	case count == 0:
		return typeName + ", held by several roots"
	case count == 1:
		return texts[0]
	case count <= few:
		return strings.Join(texts[:count-1], ", ") + " and " + texts[count-1]
	case count >= rootsAsked:
		return fmt.Sprintf("%s, held by at least %d roots (%s, %s, ...)", typeName, rootsAsked, texts[0], texts[1])
	default:
		return fmt.Sprintf("%s, held by %d roots (%s, %s, ...)", typeName, count, texts[0], texts[1])
	}
}

// spread takes some of many numbers.
func spread(numbers []int32) []int32 {
	const some = 16
	if len(numbers) <= some {
		return numbers
	}
	var out []int32
	for k := 0; k < some; k++ {
		out = append(out, numbers[k*len(numbers)/some])
	}
	return out
}

// single fills in what is known of one root.
func (h *holders) single(out *Holder, root *graph.Root, steps []*group, pooled bool) {
	d := h.describe
	out.Kind, out.Root, out.Name, out.Type = kinds[root.Kind], d.text(root), root.Name, root.Type
	if root.Count > 1 {
		out.Count = root.Count
	}
	switch root.Kind {
	case graph.Global:
		if strings.TrimPrefix(root.Type, "*") == pool {
			out.Kind, out.Root = "pool", pool+" "+root.Name
			return
		}
		if pooled {
			out.Kind, out.Root = "pool", pool+" in "+out.Root
		}
	case graph.Goroutines, graph.Runtime:
		if root.Stack == nil {
			return
		}
		at := d.waits(root)
		if root.Count == 1 && root.Kind == graph.Goroutines && len(steps) > 1 && steps[1].key < 0 {
			frame := h.root(steps[1].key)
			if holds := d.local(frame); holds.function != at.function {
				at = holds
				out.Root = d.single(root, frame)
			}
		}
		out.Function, out.File, out.Line = at.function, at.file, at.line
		out.State, out.CreatedBy = state(root.Stack), d.creator(root.Stack)
	}
}

// single says which function's local variable holds, of a goroutine that stands elsewhere.
func (d *describer) single(root, frame *graph.Root) string {
	text := "local of " + d.local(frame).String()
	if !d.isMain(root) {
		text += ", " + strings.Replace(d.goroutines(root), "1 goroutine", "goroutine", 1)
	}
	return text
}

// walk goes down from a root along the objects of one type that retain most. Types that come again, as in lists and
// trees, belong to the step where they came first.
// Inner parts, as of maps, belong to what has them. pooled: what is retained is mostly that of a sync.Pool.
func (h *holders) walk(start *group) (steps []*group, pooled bool) {
	steps = []*group{start}
	known := map[key]*group{start.key: start}
	for len(steps) < mostSteps {
		current := steps[len(steps)-1]
		var own uint64
		var below []int32
		queue := append([]int32(nil), current.members...)
		for k := 0; k < len(queue); k++ {
			number := queue[k]
			if object, ok := h.graph.Object(number); ok && h.isNew(object) && !h.isInternal(h.keyOf(number)) {
				own += h.dump.Size(object)
			}
			for _, child := range h.graph.Children(number) {
				if h.graph.Retained(child) == 0 {
					continue
				}
				childKey := h.keyOf(child)
				same := known[childKey]
				switch {
				case same != nil:
					same.count++
				case h.isInternal(childKey):
					pooled = pooled || h.name(childKey) == pool && h.holdsMost(child, start)
				default:
					below = append(below, child)
					continue
				}
				queue = append(queue, child)
			}
		}
		current.members = queue
		next := h.grouped(below)
		if len(next) == 0 {
			break
		}
		best := next[0]
		goesOn := best.retained >= own || current.key < 0 || h.folded(current, false)
		if best.retained == 0 || float64(best.retained) < worthAStep*float64(current.retained) || !goesOn {
			break
		}
		known[best.key] = best
		steps = append(steps, best)
	}
	return steps, pooled
}

func (h *holders) holdsMost(number int32, of *group) bool {
	return float64(h.graph.Retained(number)) >= worthAStep*float64(of.retained)
}

// inner are types of Go's own that only their users mean: timers, and the entries of a sync.Map before Go 1.24.
var inner = map[string]bool{
	"runtime.timeTimer": true, "time.Timer": true, "time.Ticker": true, "sync.entry": true, "map[interface {}]*sync.entry": true,
	"interface {}": true,
}

// folded tells whether a step is not shown: frames, an inner part that several roots hold, what holds a timer, and the array
// of a slice that something follows.
func (h *holders) folded(step *group, last bool) bool {
	if step.key < 0 || h.isInternal(step.key) {
		return true
	}
	name := h.name(step.key)
	return strings.HasPrefix(name, "[]") && !last || inner[name]
}

// sites are where sampled objects of the last step were allocated, or of an earlier one if none of those was.
func (h *holders) sites(steps []*group) []Site {
	found := []Site{}
	for k := len(steps) - 1; k >= 0 && len(found) == 0; k-- {
		sampled := map[*dump.Site]int{}
		for _, number := range steps[k].members {
			object, ok := h.graph.Object(number)
			if !ok || !h.isNew(object) {
				continue
			}
			if site, ok := h.dump.Site(object); ok {
				sampled[site]++
			}
		}
		counts := map[place]int{}
		for site, count := range sampled {
			if at, ok := h.allocated(site); ok {
				counts[at] += count
			}
		}
		for at, count := range counts {
			found = append(found, Site{at.function, at.file, at.line, count})
		}
	}
	sort.Slice(found, func(i, j int) bool {
		x, y := found[i], found[j]
		if x.Count != y.Count {
			return x.Count > y.Count
		}
		if x.Function != y.Function {
			return x.Function < y.Function
		}
		return x.File < y.File || x.File == y.File && x.Line < y.Line
	})
	return found[:min(len(found), mostSites)]
}

// allocated is the first line of a stack that is not Go's own, or else not the runtime's.
func (h *holders) allocated(site *dump.Site) (place, bool) {
	var first, own place
	for _, f := range site.Frames {
		if ofRuntime(f.Function) {
			continue
		}
		h.types.Inlined(f.Function, f.File, f.Line, func(function, file string, line int) bool {
			at := place{function, file, line}
			if !library(function, file) {
				own = at
			} else if first.function == "" && !ofRuntime(function) {
				first = at
			}
			return own.function == ""
		})
		if own.function != "" {
			return own, true
		}
	}
	return first, first.function != ""
}
