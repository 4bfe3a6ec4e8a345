package summary

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

var (
	malloc   = Frame{"runtime.mallocgc", "/go/src/runtime/malloc.go", 1000}
	encode   = Frame{"encoding/json.Marshal", "/go/src/encoding/json/encode.go", 60}
	library  = Frame{"github.com/some/lib.(*T).Do[...]", "/m/lib.go", 5}
	churn    = Frame{"main.churn", "/src/main.go", 71}
	inModule = Frame{"example.org/app/store.Put", "/src/store/store.go", 14}
)

func TestAnAssistKnowsItsCycleAndLine(t *testing.T) {
	s := New("example.org/app", 5)
	s.Event(1000)
	s.MarkBegins(1_000_000, []Frame{{"runtime.gcStart", "", 1}, malloc, churn}, false)
	s.AssistBegins(2_500_000, 7, []Frame{malloc, encode, library, inModule, churn}, false)
	s.MarkBegins(3_000_000, nil, true) // told again by the next generation
	s.AssistBegins(3_000_000, 7, nil, true)
	s.AssistEnds(45_000_000, 7)
	s.MarkEnds(50_000_000)
	s.Event(60_000_000)
	got := s.Answer("go 1.26", nil)
	if got.CycleCount != 1 || got.Causes[0].Cause != HeapGoal || *got.Cycles[0].By != churn || *got.Cycles[0].Duration != 49_000_000 {
		t.Errorf("the cycle is %+v by %+v", got.Cycles[0], got.Causes[0])
	}
	if len(got.Assists) != 1 {
		t.Fatalf("%d assists", len(got.Assists))
	}
	one := got.Assists[0]
	if one.Duration != 42_500_000 || *one.After != 1_500_000 || *one.Cycle != 1 || one.Cause != HeapGoal || one.BeganBefore {
		t.Errorf("the assist is %+v", one)
	}
	if *one.Leaf != encode || *one.Frame != inModule {
		t.Errorf("its places are %v and %v", one.Leaf, one.Frame)
	}
	if got.AssistSeconds != 42_500_000 || got.Lines[0].Count != 1 || got.Goroutines[0].Function != "main.churn" {
		t.Errorf("the sums are %v, %+v, %+v", got.AssistSeconds, got.Lines[0], got.Goroutines[0])
	}
}

func TestAStateThatIsToldAgainGoesOn(t *testing.T) {
	s := New("", 5)
	s.Event(1_000)
	s.Moves(1_000, 1, Runnable, true)
	s.Moves(1_000, 2, Runnable, false) // nobody knows since when
	for _, id := range []int64{1, 2} {
		s.Moves(500_000, id, Runnable, true) // by the next generation
		s.Moves(701_000, id, Running, true)
	}
	got := s.Answer("go 1.26", nil)
	if got.Latency.Count != 1 || got.Latency.Longest != 700_000 || got.Goroutines[0].LongestWait != 700_000 {
		t.Errorf("the waits are %+v, %+v", got.Latency, got.Goroutines[0])
	}
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		name       string
		stack      []Frame
		module     string
		leaf, user *Frame
	}{
		{"none", nil, "", nil, nil},
		{"the runtime alone", []Frame{malloc, {"runtime.goexit", "", 1}, {"internal/runtime/maps.NewMap", "", 1}}, "", nil, nil},
		{"no module known", []Frame{malloc, encode, library, inModule}, "", &encode, &library},
		{"not a package below the module's name", []Frame{{"example.org/application.F", "", 1}, churn}, "example.org/app",
			&Frame{"example.org/application.F", "", 1}, &churn},
		{"the standard library alone", []Frame{malloc, encode}, "example.org/app", &encode, &encode},
	} {
		leaf, user := places(c.stack, c.module)
		if text(leaf) != text(c.leaf) || text(user) != text(c.user) {
			t.Errorf("%s: %s and %s", c.name, text(leaf), text(user))
		}
	}
}

func text(f *Frame) string {
	if f == nil {
		return "none"
	}
	return f.Function
}

func TestPackageOf(t *testing.T) {
	for function, want := range map[string]string{
		"main.main.func1": "main", "net/http.(*conn).serve": "net/http", "a.org/b/c.T[d.org/e/f.G].H": "a.org/b/c",
		"a.org/b/v2.F": "a.org/b/v2", "odd": "odd", "": "",
	} {
		if got := packageOf(function); got != want {
			t.Errorf("%q is of %q", function, got)
		}
	}
}

func TestCauseOf(t *testing.T) {
	for want, functions := range map[string][]string{
		HeapGoal:       {"runtime.gcStart", "runtime.mallocgcSmallScanNoHeader", "runtime.mallocgc", "main.main"},
		ByHand:         {"runtime.gcStart", "runtime.GC", "main.main"},
		FreeOSMemory:   {"runtime.gcStart", "runtime.GC", "runtime/debug.freeOSMemory", "main.main"},
		GoroutineLeaks: {"runtime.gcStart", "runtime.GC", "runtime.goroutineLeakGC", "main.main"},
		Periodic:       {"runtime.gcStart", "runtime.forcegchelper"},
		Unknown:        {"runtime.gcStart", "runtime.somethingNew", "main.main"},
	} {
		var stack []Frame
		for _, function := range functions {
			stack = append(stack, Frame{Function: function})
		}
		if got := causeOf(stack); got != want {
			t.Errorf("%v begin it by %q", functions, got)
		}
	}
}

func TestAnUnknownCauseSaysItsStack(t *testing.T) {
	s := New("", 5)
	s.Event(0)
	s.MarkBegins(1, []Frame{{"runtime.somethingNew", "", 1}, churn}, false)
	got := s.Answer("go 1.26", nil)
	if one := got.Cycles[0]; one.Cause != Unknown || fmt.Sprint(one.Stack) != "[runtime.somethingNew main.churn]" || one.Duration != nil {
		t.Errorf("the cycle is %+v", one)
	}
}

func TestWhatRunsAtTheEdgesSaysSo(t *testing.T) {
	s := New("", 5)
	s.Event(0)
	s.MarkBegins(10, nil, true)
	s.AssistBegins(20, 1, nil, true)
	s.AssistEnds(30, 1)
	s.AssistBegins(40, 2, []Frame{churn}, false)
	s.AssistEnds(50, 3) // of a goroutine that nobody knows
	s.StopEnds(50)
	s.Event(100)
	got := s.Answer("go 1.26", nil)
	if one := got.Cycles[0]; !one.BeganBefore || one.Cause != Before || one.Duration != nil || got.Causes[0].Total != 90 {
		t.Errorf("the cycle is %+v", one)
	}
	if one := got.Assists[0]; one.Duration != 60 || !one.GoesOn || one.After != nil || *one.Cycle != 1 {
		t.Errorf("the last assist is %+v", one)
	}
	if one := got.Assists[1]; one.Duration != 10 || !one.BeganBefore || one.Frame != nil {
		t.Errorf("the first assist is %+v", one)
	}
}

func TestStops(t *testing.T) {
	s := New("", 5)
	s.Event(0)
	for i := Time(0); i < 100; i++ {
		s.StopBegins(i*10, fmt.Sprintf("reason %d", i), nil, false)
		s.StopBegins(i*10+1, "told again", nil, true)
		s.StopEnds(i*10 + 3)
	}
	got := s.Answer("go 1.26", nil)
	if len(got.Stops) != mostReasons+1 || got.Stops[0].Reason != "other" || got.Stops[0].Total != 150 || got.Stops[0].Longest != 3 {
		t.Errorf("%d reasons, the first is %+v", len(got.Stops), got.Stops[0])
	}
}

func TestTheAgentIsToldApart(t *testing.T) {
	s := New("", 5, "main.pytestGomem", "main.(*pytestGomem")
	agent := []Frame{{"runtime.GC", "", 1}, {"main.(*pytestGomemAgent).collect", "/agent.go", 3}}
	s.Event(0)
	s.MarkBegins(1, agent, false)
	s.StopBegins(2, "read mem stats", agent, false)
	s.StopEnds(3)
	s.AssistBegins(4, 1, agent, false)
	s.AssistEnds(5, 1)
	s.StopBegins(6, "read mem stats", []Frame{churn}, false)
	s.StopEnds(7)
	got := s.Answer("go 1.26", nil)
	if one := got.Cycles[0]; one.Cause != OurOwn || one.By != nil || got.AssistCount != 0 || got.Stops[0].Count != 1 {
		t.Errorf("the answer is %+v", got)
	}
}

func TestCollectionsByHandAreTheService(t *testing.T) {
	s := New("", 5, "main.pytestGomem", "main.(*pytestGomem")
	s.Event(0)
	s.MarkBegins(1, []Frame{{"runtime.GC", "", 1}, {"main.(*pytestGomemManualGC).follow", "/manual.go", 3}}, false)
	s.MarkEnds(2)
	if one := s.Answer("go 1.26", nil).Cycles[0]; one.Cause != ByHand || one.By == nil {
		t.Errorf("the cycle is %+v", one)
	}
}

func TestGoroutines(t *testing.T) {
	s := New("", 2)
	s.Event(0)
	for id := int64(1); id <= 100; id++ {
		at := Time(id) * 1000
		s.Moves(at, id, Runnable, id > 1) // the first one could run already when the trace began
		s.Moves(at+Time(id), id, Running, true)
		s.Calls(id, []Frame{{"main.work", "", 1}, {"runtime.goexit", "", 1}})
		s.Moves(at+500, id, Gone, true)
	}
	if len(s.goroutines) != 0 {
		t.Errorf("%d ended goroutines are still there", len(s.goroutines))
	}
	got := s.Answer("go 1.26", nil)
	if one := got.Goroutines[0]; len(got.Goroutines) != 2 || one.ID != 100 || one.Waiting != 100 || one.Running != 400 || one.Function != "main.work" {
		t.Errorf("%d goroutines, the first is %+v", len(got.Goroutines), one)
	}
	if got.GoroutinesLeftOut != 98 || got.Latency.Count != 99 || got.Latency.Longest != 100 {
		t.Errorf("%d are left out, %+v", got.GoroutinesLeftOut, got.Latency)
	}
}

func TestTheLongestAssistsAreNamed(t *testing.T) {
	s := New("", 3)
	s.Event(0)
	for i := 0; i < 50; i++ {
		at := Time(i) * 1000
		s.AssistBegins(at, 1, []Frame{{"main.f", "/f.go", i}}, false)
		s.AssistEnds(at+Time(i*37%50), 1)
	}
	got := s.Answer("go 1.26", nil)
	if len(got.Assists) != 3 || got.Assists[0].Duration != 49 || got.Assists[2].Duration != 47 {
		t.Errorf("they are %+v", got.Assists)
	}
	if got.AssistCount != 50 || got.AssistSeconds != 49*25 || len(got.Lines) != 3 || got.LinesLeftOut != 47 {
		t.Errorf("%d of %v, %d lines and %d more", got.AssistCount, got.AssistSeconds, len(got.Lines), got.LinesLeftOut)
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	for ns := int64(0); ns < 100_000; ns++ {
		if at := slot(uint64(ns)); upper(at) < ns || float64(upper(at)) > float64(ns)*(1+1.0/parts) {
			t.Fatalf("%d ns are in a slot up to %d", ns, upper(at))
		}
		h.add(ns)
	}
	h.add(-1)
	for share, want := range map[float64]float64{0.5: 50_000, 0.99: 99_000} {
		if got := float64(h.quantile(share)); got < want || got > want*(1+1.0/parts) {
			t.Errorf("%v of the values lie below %v", share, got)
		}
	}
	if last := slot(1<<64 - 1); last >= len(h.counts) {
		t.Errorf("the highest value is in slot %d", last)
	}
	if h.n != 100_000 || h.longest != 99_999 {
		t.Errorf("%d values up to %d", h.n, h.longest)
	}
}

func TestNamesAreBounded(t *testing.T) {
	long := make([]byte, 70_000)
	long[0] = 0xff
	s := New("", 3)
	s.Event(0)
	s.AssistBegins(0, 1, []Frame{{string(long), string(long), 1}}, false)
	s.AssistEnds(1, 1)
	encoded, err := json.Marshal(s.Answer("go 1.26", nil))
	if err != nil || len(encoded) > 50_000 {
		t.Errorf("%d bytes, %v", len(encoded), err)
	}
}

func TestListsAreNeverNull(t *testing.T) {
	s := New("", 3)
	s.Event(0)
	encoded, err := json.Marshal(s.Answer("go 1.26", nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"cycles", "causes", "stops", "assists", "lines", "goroutines", "problems"} {
		if !strings.Contains(string(encoded), `"`+list+`":[]`) {
			t.Errorf("%s of nothing is no empty list: %s", list, encoded)
		}
	}
}
