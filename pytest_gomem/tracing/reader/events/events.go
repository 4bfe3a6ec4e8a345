// Package events reads an execution trace and tells a summary what happens in it.
package events

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/exp/trace"

	"gomem/tracereader/summary"
)

// mostFrames of a stack; the runtime writes at most 128.
const mostFrames = 256

// The ranges that count here, by their names in the trace.
const (
	mark   = "GC concurrent mark phase"
	assist = "GC mark assist"
	stop   = "stop-the-world"
)

// Read tells the summary all events of a trace; a trace that is broken is read until there. The error is of a trace of
// which nothing could be read; problems are in words.
func Read(from io.Reader, to *summary.Summary) (problems []string, err error) {
	broken := read(from, to)
	switch {
	case broken == nil && to.Events() > 0:
		return nil, nil
	case broken == nil:
		return nil, errors.New("the trace is empty")
	case to.Events() == 0:
		return nil, fmt.Errorf("the trace is broken: nothing could be read of it: %s", oneLine(broken))
	}
	what := "cannot be read further"
	if errors.Is(broken, io.ErrUnexpectedEOF) || strings.Contains(broken.Error(), "failed to read full batch") {
		what = "is cut off"
	}
	return []string{fmt.Sprintf("the trace %s after %.3f s: %s", what, float64(to.Elapsed())/1e9, oneLine(broken))}, nil
}

func oneLine(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > 300 {
		text = text[:300] + "..."
	}
	return strings.ToValidUTF8(text, "?")
}

// read is over at the end of the trace, or at what is wrong with it, which may make the parser panic.
func read(from io.Reader, to *summary.Summary) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("it is broken (%v)", panicked)
		}
	}()
	reader, err := trace.NewReader(from)
	if err != nil {
		return err
	}
	for {
		event, err := reader.ReadEvent()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		tell(event, to)
	}
}

func tell(event trace.Event, to *summary.Summary) {
	if event.Kind() == trace.EventSync { // of the trace itself: also one that is cut off at once has one
		return
	}
	at := summary.Time(event.Time())
	to.Event(at)
	switch kind := event.Kind(); kind {
	case trace.EventRangeBegin, trace.EventRangeActive, trace.EventRangeEnd:
		tellRange(event, at, kind, to)
	case trace.EventStateTransition:
		tellTransition(event, at, to)
	case trace.EventMetric:
		metric := event.Metric()
		if metric.Value.Kind() != trace.ValueUint64 {
			return
		}
		switch metric.Name {
		case "/memory/classes/heap/objects:bytes":
			to.InUse(metric.Value.Uint64())
		case "/gc/heap/goal:bytes":
			to.Goal(metric.Value.Uint64())
		}
	}
}

func tellRange(event trace.Event, at summary.Time, kind trace.EventKind, to *summary.Summary) {
	what := event.Range()
	active := kind == trace.EventRangeActive
	switch {
	case what.Name == assist:
		if what.Scope.Kind != trace.ResourceGoroutine {
			return
		}
		id := int64(what.Scope.Goroutine())
		if kind == trace.EventRangeEnd {
			to.AssistEnds(at, id)
		} else {
			to.AssistBegins(at, id, frames(event.Stack()), active)
		}
	case what.Name == mark:
		if kind == trace.EventRangeEnd {
			to.MarkEnds(at)
		} else {
			to.MarkBegins(at, frames(event.Stack()), active)
		}
	case strings.HasPrefix(what.Name, stop):
		if kind == trace.EventRangeEnd {
			to.StopEnds(at)
		} else {
			to.StopBegins(at, reason(what.Name), frames(event.Stack()), active)
		}
	}
}

// reason of a stop: "GC mark termination" of "stop-the-world (GC mark termination)".
func reason(name string) string {
	name = strings.TrimSpace(strings.TrimPrefix(name, stop))
	if name = strings.TrimSuffix(strings.TrimPrefix(name, "("), ")"); name == "" {
		return "unknown"
	}
	return name
}

func tellTransition(event trace.Event, at summary.Time, to *summary.Summary) {
	moves := event.StateTransition()
	if moves.Resource.Kind != trace.ResourceGoroutine {
		return
	}
	id := moves.Resource.Goroutine()
	from, next := moves.Goroutine()
	to.Moves(at, int64(id), states(next), from != trace.GoUndetermined)
	if !to.Nameless(int64(id)) {
		return
	}
	if moves.Stack != trace.NoStack {
		to.Calls(int64(id), frames(moves.Stack))
	}
}

func states(state trace.GoState) summary.State {
	switch state {
	case trace.GoRunnable:
		return summary.Runnable
	case trace.GoRunning:
		return summary.Running
	case trace.GoNotExist:
		return summary.Gone
	}
	return summary.Other
}
