package answer

import (
	"fmt"
	"sort"
	"strings"

	"gomem/heapreader/dump"
	"gomem/heapreader/graph"
)

// describer puts roots into words.
type describer struct {
	graph  *graph.Graph
	types  graph.Types
	frames map[*graph.Root][]*graph.Root // of goroutines
	goroot string
}

func newDescriber(g *graph.Graph, types graph.Types) *describer {
	d := &describer{graph: g, types: types, frames: map[*graph.Root][]*graph.Root{}}
	for i := range g.Roots {
		if parent := g.Parent(&g.Roots[i]); parent != nil {
			d.frames[parent] = append(d.frames[parent], &g.Roots[i])
		}
	}
	return d
}

// library tells whether a function is one of Go's own: its package has the name of one, and its file lies where Go's do.
func library(function, file string) bool {
	if !standard[first(packageOf(function))] {
		return false
	}
	if source := strings.LastIndex(file, "/src/"); source >= 0 {
		file = file[source+len("/src/"):]
	}
	return standard[first(file)]
}

func first(path string) string {
	if slash := strings.IndexByte(path, '/'); slash >= 0 {
		return path[:slash]
	}
	return path
}

// standard are the first elements of the paths of Go's own packages.
var standard = map[string]bool{}

func init() {
	for _, name := range strings.Fields(`archive bufio builtin bytes cmp compress container context crypto database debug
		embed encoding errors expvar flag fmt go hash html image index internal io iter log maps math mime net os path
		plugin reflect regexp runtime slices sort strconv strings structs sync syscall testing text time unicode unique
		unsafe vendor weak`) {
		standard[name] = true
	}
}

// packageOf is the path of a function's package.
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	if bracket := strings.IndexByte(function, '['); bracket >= 0 && bracket < slash {
		slash = strings.LastIndexByte(function[:bracket], '/') + 1
	}
	if dot := strings.IndexByte(function[slash:], '.'); dot >= 0 {
		return strings.ReplaceAll(function[:slash+dot], "%2e", ".")
	}
	return function
}

// isWrapper tells whether the compiler made a function, for a go or defer statement with arguments.
func isWrapper(function string) bool {
	last := function[strings.LastIndexByte(function, '.')+1:]
	return strings.HasPrefix(last, "gowrap") || strings.HasPrefix(last, "deferwrap")
}

func ofRuntime(function string) bool {
	name := packageOf(function)
	return name == "runtime" || strings.HasPrefix(name, "runtime/") || strings.HasPrefix(name, "internal/runtime/")
}

// place is a line of a program.
type place struct {
	function, file string
	line           int
}

func (p place) String() string {
	if p.file == "" {
		return p.function
	}
	return fmt.Sprintf("%s (%s:%d)", p.function, p.file[strings.LastIndexByte(p.file, '/')+1:], p.line)
}

func (d *describer) at(pc uint64, otherwise string) place {
	function, file, line := d.types.Place(pc)
	if function == "" {
		function = otherwise
	}
	return place{function, file, line}
}

func (d *describer) frame(f *graph.Root) place { return d.at(f.PC-1, f.Name) }

// local is the function whose variables a frame has. Those of a wrapper are the arguments of what it calls.
func (d *describer) local(f *graph.Root) place {
	if isWrapper(f.Name) {
		var called *graph.Root
		for _, one := range d.frames[d.graph.Parent(f)] {
			if one == f {
				break
			}
			called = one
		}
		if called != nil {
			f = called
		}
	}
	return d.frame(f)
}

// waits is where goroutines stand: the first function that is not one of Go's own, or else the one that they began with.
func (d *describer) waits(goroutines *graph.Root) place {
	var last place
	for _, f := range d.frames[goroutines] {
		if ofRuntime(f.Name) || isWrapper(f.Name) {
			continue
		}
		last = d.frame(f)
		if !library(last.function, last.file) {
			return last
		}
	}
	if last.function == "" && len(d.frames[goroutines]) > 0 {
		return d.frame(d.frames[goroutines][0])
	}
	return last
}

// isMain tells whether goroutines are the one that runs main.
func (d *describer) isMain(goroutines *graph.Root) bool {
	for _, f := range d.frames[goroutines] {
		if f.Name == "main.main" {
			return true
		}
	}
	return false
}

func state(g *dump.Goroutine) string {
	switch g.Status {
	case dump.Waiting:
		return g.Reason
	case dump.Runnable:
		return "runnable"
	case dump.Running:
		return "running"
	case dump.Syscall:
		return "syscall"
	}
	return "idle"
}

// creator is the function that started goroutines, "" for those that the runtime did.
func (d *describer) creator(g *dump.Goroutine) string {
	if g.CreatedAt == 0 {
		return ""
	}
	function, _, _ := d.types.Place(g.CreatedAt)
	if function == "runtime.rt0_go" || function == "runtime.main" {
		return ""
	}
	return function
}

func (d *describer) goroutines(r *graph.Root) string {
	if r.Stack == nil {
		return r.Name
	}
	count := "1 goroutine"
	if r.Count > 1 {
		count = fmt.Sprintf("%d goroutines", r.Count)
	}
	text := fmt.Sprintf("%s in %s at %s", count, state(r.Stack), d.waits(r))
	if r.Stack.System {
		text = strings.Replace(text, "goroutine", "goroutine of the runtime", 1)
	}
	if creator := d.creator(r.Stack); creator != "" {
		text += ", created by " + creator
	}
	return text
}

// text of a root.
func (d *describer) text(r *graph.Root) string {
	switch r.Kind {
	case graph.Global:
		return named("global", r)
	case graph.Goroutines:
		if r.Count == 1 {
			if d.isMain(r) {
				return "local of main.main"
			}
		}
		return d.goroutines(r)
	case graph.Frame:
		parent := d.graph.Parent(r)
		if parent.Count == 1 {
			return "local of " + d.local(r).function
		}
		return d.goroutines(parent)
	case graph.Timer:
		timers := "pending timer"
		if r.Count > 1 {
			timers = fmt.Sprintf("%d pending timers", r.Count)
		}
		if r.Name == "" {
			return timers + " that send on a channel"
		}
		return timers + " of " + r.Name
	case graph.Finalizer:
		return finalizer("finalizer ", r)
	case graph.Queued:
		return finalizer("finalizer about to run: ", r)
	case graph.Runtime:
		if r.Stack != nil {
			return d.goroutines(r)
		}
		if strings.Contains(r.Name, ".") {
			return named("global", r)
		}
		return r.Name
	}
	return "no holder in the dump"
}

func named(what string, r *graph.Root) string {
	if r.Type == "" {
		return what + " " + r.Name
	}
	return fmt.Sprintf("%s %s (%s)", what, r.Name, r.Type)
}

func finalizer(what string, r *graph.Root) string {
	text := what + r.Name
	if r.Type != "" && r.Type != "?" {
		text += " of " + r.Type
	}
	return text
}

var kinds = map[graph.Kind]string{
	graph.Global: "global", graph.Goroutines: "goroutine", graph.Frame: "goroutine", graph.Timer: "timer",
	graph.Finalizer: "finalizer", graph.Queued: "finalizer", graph.Runtime: "runtime", graph.Nothing: "none",
}

// owner of a frame, or the root itself.
func (d *describer) owner(r *graph.Root) *graph.Root {
	if parent := d.graph.Parent(r); parent != nil {
		return parent
	}
	return r
}

// mostRoots are named of several ones.
const mostRoots = 4

// several puts roots into words, each once: first globals and the goroutine of main, then those of the program's own
// code, the oldest ones first, as they live longest.
func (d *describer) several(roots []*graph.Root) (texts []string, more int) {
	age := func(r *graph.Root) uint64 {
		if goroutines := d.owner(r); goroutines.Stack != nil {
			return goroutines.Stack.ID
		}
		return 0
	}
	rank := func(r *graph.Root) int {
		goroutines := d.owner(r)
		switch {
		case r.Kind == graph.Global:
			return 0
		case goroutines.Stack != nil && d.isMain(goroutines):
			return 1
		case goroutines.Stack != nil:
			if at := d.waits(goroutines); library(at.function, at.file) {
				return 3
			}
		}
		return 2
	}
	ordered := append([]*graph.Root(nil), roots...)
	sort.SliceStable(ordered, func(i, j int) bool {
		x, y := ordered[i], ordered[j]
		return rank(x) < rank(y) || rank(x) == rank(y) && age(x) < age(y)
	})
	known := map[string]bool{}
	for _, root := range ordered {
		if text := d.text(root); !known[text] {
			known[text] = true
			texts = append(texts, text)
		}
	}
	if len(texts) > mostRoots {
		more = len(texts) - mostRoots
		texts = texts[:mostRoots]
	}
	return texts, more
}
