// Package summary sums up the events of an execution trace, within a memory that does not grow with the trace.
package summary

import (
	"fmt"
	"sort"
	"strings"
)

// Time is in ns, of the trace's clock.
type Time int64

// State of a goroutine.
type State uint8

// The states that count here.
const (
	Other State = iota
	Runnable
	Running
	Gone
)

// What is kept at most. A program has some ten causes and reasons, and some hundred lines that allocate much.
const (
	mostCycles     = 1000
	mostReasons    = 50
	mostLines      = 10_000
	mostGoroutines = 200_000 // that live at one time
	mostOfStack    = 8
)

// Summary is told each event in the order of time.
type Summary struct {
	module string
	top    int
	agent  []string

	events      int
	first, last Time
	cycle       *Cycle
	cycles      []*Cycle
	cycleCount  int
	causes      map[string]*CauseSum
	stop        struct {
		reason string
		began  Time
		open   bool
		ours   bool
	}
	stops      map[string]*Stops
	assists    []Assist // the longest, longest first
	count      int
	total      Seconds
	lines      map[Frame]*Line
	linesLeft  map[string]bool
	goroutines map[int64]*Goroutine
	ended      []*Goroutine // the first ones in the order of the answer
	seen       int
	untold     bool // some goroutine was one too many
	latency    histogram
	goal       uint64
	inUse      uint64
}

// New is the summary of a trace of which nothing was read yet. module: of the user's code, "" if not known. top: how many
// assists, lines and goroutines the answer names. agent: how functions begin that are no part of the user's program: what
// they do is left out, and the cycles that they begin are told apart.
func New(module string, top int, agent ...string) *Summary {
	return &Summary{
		module: module, top: top, agent: agent, causes: map[string]*CauseSum{}, stops: map[string]*Stops{},
		lines: map[Frame]*Line{}, goroutines: map[int64]*Goroutine{},
		cycles: []*Cycle{}, assists: []Assist{}, ended: []*Goroutine{},
	}
}

// Event is told of each event first.
func (s *Summary) Event(at Time) {
	if s.events == 0 {
		s.first, s.last = at, at
	}
	s.events++
	s.last = max(s.last, at)
}

// Elapsed is how much of the trace was read.
func (s *Summary) Elapsed() Seconds { return s.since(s.last) }

// Events is how many were read.
func (s *Summary) Events() int { return s.events }

func (s *Summary) since(at Time) Seconds { return Seconds(at - s.first) }

// MarkBegins tells that a cycle's concurrent mark phase begins, or that it was active already, which is told again in
// each generation of the trace, and then without a stack.
func (s *Summary) MarkBegins(at Time, stack []Frame, active bool) {
	if s.cycle != nil {
		if active {
			return
		}
		s.MarkEnds(at) // its end was lost
	}
	s.cycleCount++
	one := &Cycle{Index: s.cycleCount, Start: s.since(at), Cause: Before, BeganBefore: active, began: at}
	if !active {
		if one.Cause = causeOf(stack); s.ours(stack) {
			one.Cause = OurOwn
		}
		if one.Cause != Periodic && one.Cause != OurOwn {
			_, one.By = places(stack, s.module)
		}
		if one.Cause == Unknown {
			for i := 0; i < len(stack) && i < mostOfStack; i++ {
				one.Stack = append(one.Stack, cut(stack[i].Function))
			}
		}
	}
	s.cycle = one
	if len(s.cycles) < mostCycles {
		s.cycles = append(s.cycles, one)
	}
	sum := s.causes[one.Cause]
	if sum == nil {
		sum = &CauseSum{Cause: one.Cause}
		s.causes[one.Cause] = sum
	}
	sum.Count++
}

// MarkEnds tells that the phase ends.
func (s *Summary) MarkEnds(at Time) {
	if s.cycle == nil {
		return
	}
	duration := Seconds(at - s.cycle.began)
	s.cycle.Duration = &duration
	s.sumCycle(duration)
	s.cycle = nil
}

func (s *Summary) sumCycle(duration Seconds) {
	sum := s.causes[s.cycle.Cause]
	sum.Total += duration
	sum.Longest = max(sum.Longest, duration)
}

// StopBegins tells that the world is being stopped.
func (s *Summary) StopBegins(at Time, reason string, stack []Frame, active bool) {
	if s.stop.open && active {
		return
	}
	s.stop.reason, s.stop.began, s.stop.open, s.stop.ours = reason, at, true, s.ours(stack)
}

// StopEnds tells that the world goes on.
func (s *Summary) StopEnds(at Time) {
	if !s.stop.open {
		return
	}
	s.stop.open = false
	if s.stop.ours {
		return
	}
	reason := cut(s.stop.reason)
	sum := s.stops[reason]
	if sum == nil && len(s.stops) >= mostReasons {
		reason = "other"
		sum = s.stops[reason]
	}
	if sum == nil {
		sum = &Stops{Reason: reason}
		s.stops[reason] = sum
	}
	duration := Seconds(at - s.stop.began)
	sum.Count++
	sum.Total += duration
	if duration >= sum.Longest {
		sum.Longest, sum.LongestStart = duration, s.since(s.stop.began)
	}
}

// AssistBegins tells that a goroutine begins to assist, or that it does so already.
func (s *Summary) AssistBegins(at Time, id int64, stack []Frame, active bool) {
	g := s.goroutine(id)
	if g == nil || (g.open != nil && active) || s.ours(stack) {
		return
	}
	s.assistEnds(at, g, false) // if its end was lost
	one := &Assist{Start: s.since(at), Goroutine: id, BeganBefore: active, began: at}
	one.Leaf, one.Frame = places(stack, s.module)
	if s.cycle != nil {
		index, after := s.cycle.Index, Seconds(at-s.cycle.began)
		one.Cycle, one.Cause = &index, s.cycle.Cause
		if !s.cycle.BeganBefore {
			one.After = &after
		}
	}
	g.open = one
	g.calls(stack)
}

// AssistEnds tells that it does so no more.
func (s *Summary) AssistEnds(at Time, id int64) {
	if g := s.goroutines[id]; g != nil {
		s.assistEnds(at, g, false)
	}
}

func (s *Summary) assistEnds(at Time, g *Goroutine, goesOn bool) {
	if g.open == nil {
		return
	}
	one := g.open
	g.open = nil
	one.Duration, one.GoesOn = Seconds(at-one.began), goesOn
	g.Assists++
	g.Assist += one.Duration
	g.LongestAssist = max(g.LongestAssist, one.Duration)
	s.count++
	s.total += one.Duration
	place := sort.Search(len(s.assists), func(i int) bool { return s.assists[i].Duration < one.Duration })
	if place < s.top {
		s.assists = append(s.assists, Assist{})
		copy(s.assists[place+1:], s.assists[place:])
		s.assists[place] = *one
		s.assists = s.assists[:min(len(s.assists), s.top)]
	}
	s.sumLine(one)
}

func (s *Summary) sumLine(one *Assist) {
	var key Frame
	if one.Frame != nil {
		key = *one.Frame
	}
	sum := s.lines[key]
	if sum == nil {
		if len(s.lines) >= mostLines {
			return
		}
		sum = &Line{Frame: one.Frame}
		s.lines[key] = sum
	}
	sum.Count++
	sum.Total += one.Duration
	sum.Longest = max(sum.Longest, one.Duration)
}

// Moves tells that a goroutine changes its state; determined: that its former state is known to have begun within the
// trace.
func (s *Summary) Moves(at Time, id int64, to State, determined bool) {
	g := s.goroutine(id)
	if g == nil || (determined && to == g.state) { // told again in each generation of the trace
		return
	}
	s.leaves(at, g, to == Running)
	g.state, g.since, g.known = to, at, determined
	if to == Gone {
		s.assistEnds(at, g, false)
		delete(s.goroutines, id)
		s.keep(g)
	}
}

// leaves sums up the state that ends.
func (s *Summary) leaves(at Time, g *Goroutine, runs bool) {
	spent := Seconds(at - g.since)
	switch {
	case g.state == Running:
		g.Running += spent
	case g.state == Runnable:
		g.Waiting += spent
		g.LongestWait = max(g.LongestWait, spent)
		if runs && g.known {
			s.latency.add(int64(spent))
		}
	}
}

// Calls tells a stack of a goroutine, if it is not known with which function that began.
func (s *Summary) Calls(id int64, stack []Frame) {
	if g := s.goroutines[id]; g != nil {
		g.calls(stack)
	}
}

// Nameless tells whether it is not known with which function a goroutine began.
func (s *Summary) Nameless(id int64) bool {
	g := s.goroutines[id]
	return g != nil && g.Function == ""
}

func (g *Goroutine) calls(stack []Frame) {
	if g.Function == "" {
		g.Function = began(stack)
	}
}

func (s *Summary) goroutine(id int64) *Goroutine {
	g := s.goroutines[id]
	if g == nil {
		if len(s.goroutines) >= mostGoroutines {
			s.untold = true
			return nil
		}
		g = &Goroutine{ID: id}
		s.goroutines[id] = g
		s.seen++
	}
	return g
}

// keep puts an ended goroutine among those that the answer may name.
func (s *Summary) keep(g *Goroutine) {
	at := sort.Search(len(s.ended), func(i int) bool { return g.before(s.ended[i]) })
	if at >= s.top {
		return
	}
	s.ended = append(s.ended, nil)
	copy(s.ended[at+1:], s.ended[at:])
	s.ended[at] = g
	s.ended = s.ended[:min(len(s.ended), s.top)]
}

// before is the order of the answer: who assisted longest, then who waited longest.
func (g *Goroutine) before(other *Goroutine) bool {
	switch {
	case g.Assist != other.Assist:
		return g.Assist > other.Assist
	case g.Waiting != other.Waiting:
		return g.Waiting > other.Waiting
	}
	return g.ID < other.ID
}

// Goal tells the heap goal, bytes; 0 means that there is none.
func (s *Summary) Goal(bytes uint64) { s.goal = max(s.goal, bytes) }

// InUse tells the bytes of the heap that objects take.
func (s *Summary) InUse(bytes uint64) { s.inUse = max(s.inUse, bytes) }

// Answer is told when all is read; problems: what went wrong. Nothing may be told afterwards.
func (s *Summary) Answer(format string, problems []string) *Answer {
	problems = append([]string{}, problems...)
	if s.cycle != nil {
		s.sumCycle(Seconds(s.last - s.cycle.began))
	}
	for _, g := range s.goroutines {
		s.assistEnds(s.last, g, true)
		s.leaves(s.last, g, false)
		s.keep(g)
	}
	if s.untold {
		problems = append(problems, fmt.Sprintf("more than %d goroutines live at one time: nothing is told of the others",
			mostGoroutines))
	}
	if len(s.lines) >= mostLines {
		problems = append(problems, fmt.Sprintf("more than %d lines assist: the sums of the others are left out", mostLines))
	}
	answer := &Answer{ // lists are written as such, also empty ones
		Causes: []*CauseSum{}, Stops: []*Stops{},
		Format: format, Events: s.events, Seconds: s.Elapsed(), CycleCount: s.cycleCount, Cycles: s.cycles,
		AssistCount: s.count, AssistSeconds: s.total, Assists: s.assists, Goroutines: s.ended,
		GoroutinesLeftOut: s.seen - len(s.ended), Problems: problems,
	}
	for _, sum := range s.causes {
		answer.Causes = append(answer.Causes, sum)
	}
	sort.Slice(answer.Causes, func(i, j int) bool {
		a, b := answer.Causes[i], answer.Causes[j]
		return a.Count > b.Count || (a.Count == b.Count && a.Cause < b.Cause)
	})
	for _, sum := range s.stops {
		answer.Stops = append(answer.Stops, sum)
	}
	sort.Slice(answer.Stops, func(i, j int) bool {
		a, b := answer.Stops[i], answer.Stops[j]
		return a.Total > b.Total || (a.Total == b.Total && a.Reason < b.Reason)
	})
	answer.Lines = s.longestLines()
	answer.LinesLeftOut = len(s.lines) - len(answer.Lines)
	if n := s.latency.n; n > 0 {
		answer.Latency = &Latency{
			Count: n, P50: Seconds(s.latency.quantile(0.5)), P99: Seconds(s.latency.quantile(0.99)),
			Longest: Seconds(s.latency.longest), Precision: 1.0 / parts,
		}
	}
	if s.goal > 0 {
		answer.HeapGoal = &s.goal
	}
	if s.inUse > 0 {
		answer.HeapInUse = &s.inUse
	}
	return answer
}

func (s *Summary) longestLines() []*Line {
	lines := make([]*Line, 0, len(s.lines))
	for _, sum := range s.lines {
		lines = append(lines, sum)
	}
	sort.Slice(lines, func(i, j int) bool {
		a, b := lines[i], lines[j]
		return a.Total > b.Total || (a.Total == b.Total && a.place() < b.place())
	})
	return lines[:min(len(lines), s.top)]
}

func (l *Line) place() string {
	if l.Frame == nil {
		return ""
	}
	return strings.Join([]string{l.Frame.File, fmt.Sprintf("%09d", l.Frame.Line), l.Frame.Function}, ":")
}
