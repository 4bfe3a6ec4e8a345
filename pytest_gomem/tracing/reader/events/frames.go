//go:build !frames2024

package events

import (
	"golang.org/x/exp/trace"

	"gomem/tracereader/summary"
)

// frames of a stack, innermost first.
func frames(stack trace.Stack) (found []summary.Frame) {
	stack.Frames()(func(f trace.StackFrame) bool {
		found = append(found, summary.Frame{Function: f.Func, File: f.File, Line: int(f.Line)})
		return len(found) < mostFrames
	})
	return found
}
