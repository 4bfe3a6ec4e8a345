package summary

import (
	"path"
	"strings"
)

// Frame is one call of a stack.
type Frame struct {
	Function string `json:"function"`
	File     string `json:"file"`
	Line     int    `json:"line"`
}

// longest is how many bytes of a name are kept: a name of a hostile trace has up to 64 kB.
const longest = 500

// bounded is the same frame with names of a bounded length.
func (f Frame) bounded() Frame {
	f.Function, f.File = cut(f.Function), cut(f.File)
	return f
}

func cut(text string) string {
	if len(text) > longest {
		text = text[:longest]
	}
	return strings.ToValidUTF8(text, "?")
}

// standard holds the first elements of the import paths of the standard library.
var standard = map[string]bool{}

func init() {
	for _, name := range strings.Fields(`archive arena bufio bytes cmp compress container context crypto database debug
		embed encoding errors expvar flag fmt go hash html image index internal io iter log maps math mime net os path
		plugin reflect regexp runtime simd slices sort strconv strings structs sync syscall testing text time unicode
		unique unsafe vendor weak`) {
		standard[name] = true
	}
}

// packageOf is the import path of the package of a function: "net/http" of "net/http.(*conn).serve".
func packageOf(function string) string {
	if at := strings.IndexAny(function, "[("); at >= 0 { // type arguments and receivers hold paths of their own
		function = function[:at]
	}
	slash := strings.LastIndexByte(function, '/') + 1
	if dot := strings.IndexByte(function[slash:], '.'); dot >= 0 {
		return function[:slash+dot]
	}
	return function
}

// ofRuntime tells whether a package is the runtime or a part of it.
func ofRuntime(pkg string) bool {
	return pkg == "runtime" || strings.HasPrefix(pkg, "runtime/internal/") || strings.HasPrefix(pkg, "internal/runtime/")
}

// ofStandard tells whether a package is of the standard library.
func ofStandard(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return standard[first]
}

// within tells whether a package is of a module, or is its program.
func within(pkg, module string) bool {
	return pkg == "main" || pkg == module || strings.HasPrefix(pkg, module+"/")
}

// places are two frames of a stack: the innermost outside of the runtime, and the nearest one of the user's code, which
// is of the module if that is known, else not of the standard library, else the former.
func places(stack []Frame, module string) (leaf, user *Frame) {
	var other *Frame
	for i := range stack {
		pkg := packageOf(stack[i].Function)
		if ofRuntime(pkg) {
			continue
		}
		if leaf == nil {
			leaf = &stack[i]
		}
		if other == nil && !ofStandard(pkg) {
			other = &stack[i]
		}
		if user == nil && module != "" && within(pkg, module) {
			user = &stack[i]
		}
	}
	if user == nil {
		user = other
	}
	if user == nil {
		user = leaf
	}
	return copied(leaf), copied(user)
}

func copied(frame *Frame) *Frame {
	if frame == nil {
		return nil
	}
	one := frame.bounded()
	return &one
}

// began is the function that a goroutine began with: the outermost of its stack. The first one's is main.main.
func began(stack []Frame) string {
	for i := len(stack) - 1; i >= 0; i-- {
		switch stack[i].Function {
		case "runtime.goexit":
			continue
		case "runtime.main":
			if i > 0 {
				continue
			}
		}
		return cut(stack[i].Function)
	}
	return ""
}

// Causes of a cycle.
const (
	HeapGoal       = "heap goal"
	ByHand         = "runtime.GC"
	Periodic       = "periodic"
	FreeOSMemory   = "FreeOSMemory"
	GoroutineLeaks = "goroutine leak profile"
	OurOwn         = "pytest-gomem"     // the agent in the process
	Before         = "before the trace" // it ran when the trace began
	Unknown        = "unknown"
)

// byPolicy is the agent's goroutine that collects by hand because the service's settings say so: it is the service's.
const byPolicy = "main.(*pytestGomemManualGC)"

// ours tells whether one of the functions of a stack begins like those of the agent.
func (s *Summary) ours(stack []Frame) bool {
	for i := range stack {
		if strings.HasPrefix(stack[i].Function, byPolicy) {
			return false
		}
		for _, prefix := range s.agent {
			if strings.HasPrefix(stack[i].Function, prefix) {
				return true
			}
		}
	}
	return false
}

// causeOf says by the stack of its start why a cycle began.
func causeOf(stack []Frame) string {
	cause := Unknown
	for i := range stack {
		switch function := stack[i].Function; {
		case strings.HasPrefix(function, "runtime/debug.") && strings.EqualFold(path.Ext(function), ".freeOSMemory"):
			return FreeOSMemory
		case strings.HasSuffix(function, "oroutineLeakGC"):
			return GoroutineLeaks
		case function == "runtime.forcegchelper":
			return Periodic
		case function == "runtime.GC":
			cause = ByHand
		case cause == Unknown && strings.HasPrefix(function, "runtime.mallocgc"):
			cause = HeapGoal
		}
	}
	return cause
}
