package answer

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"gomem/heapreader/dump"
	"gomem/heapreader/dump/madeup"
)

func read(t *testing.T, h *madeup.Heap) *dump.Dump {
	t.Helper()
	d, err := h.Read()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func of(t *testing.T, h *madeup.Heap, types madeup.Types) *Answer {
	t.Helper()
	a, err := Of(read(t, h), types, nil, 12)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func expectPath(t *testing.T, holder Holder, want ...Step) {
	t.Helper()
	if len(want) == 0 {
		want = []Step{}
	}
	if !reflect.DeepEqual(holder.Path, want) {
		t.Error(holder.Path)
	}
}

func TestAGlobalIsNamedWithThePathToMostOfItsBytes(t *testing.T) {
	h := madeup.New()
	h.Object(1)    // the map
	h.Object(2, 3) // its groups
	h.Object(4, 6)
	h.Object(5, 7)
	for i := 0; i < 4; i++ {
		h.Object()
	}
	h.Globals(0)
	h.Site(
		dump.SiteFrame{Function: "runtime.mallocgc", File: "/go/src/runtime/malloc.go", Line: 1},
		dump.SiteFrame{Function: "strings.Repeat", File: "/go/src/strings/strings.go", Line: 2},
		dump.SiteFrame{Function: "main.handler", File: "/home/me/main.go", Line: 21},
	)
	h.Sampled(4)
	h.Sampled(5)
	a := of(t, h, madeup.Types{
		Names: []string{
			"map[string]*main.Session", "map.group", "main.Session", "main.Session", "[]uint8", "[]uint8", "[]uint8", "[]uint8",
		},
		Inner: map[string]bool{"map.group": true}, Globals: []string{"main.cache"}, GlobalT: "map[string]*main.Session",
	})
	holder := a.Holders[0]
	if holder.Kind != "global" || holder.Root != "global main.cache (map[string]*main.Session)" || holder.Name != "main.cache" ||
		holder.Retained != 8*64 || holder.Share != 1 || holder.Objects != 8 || holder.Count != 1 || len(a.Holders) != 1 {
		t.Errorf("%+v", holder)
	}
	expectPath(t, holder, Step{"main.Session", 2, 6 * 64}, Step{"[]uint8", 4, 4 * 64})
	if !reflect.DeepEqual(holder.Sites, []Site{{"main.handler", "/home/me/main.go", 21, 2}}) {
		t.Error(holder.Sites)
	}
	if a.GoVersion != "go1.99" || a.Objects != 8 || a.Bytes != 8*64 || a.TypedBytes != 1 || a.New != nil {
		t.Errorf("%+v", a)
	}
}

func TestTheLineThatCallsWhatWasInlinedAllocates(t *testing.T) {
	h := madeup.New()
	h.Object()
	h.Globals(0)
	h.Site(dump.SiteFrame{Function: "main.handler", File: "/home/me/main.go", Line: 901})
	h.Sampled(0)
	a := of(t, h, madeup.Types{Names: []string{"[]uint8"}, Globals: []string{"main.body"}})
	if !reflect.DeepEqual(a.Holders[0].Sites, []Site{{"main.handler", "/home/me/main.go", 5, 1}}) {
		t.Error(a.Holders[0].Sites)
	}
}

func TestListsAreOneStep(t *testing.T) {
	h := madeup.New()
	for i := 0; i < 50; i++ { // elements and values in turn, each leads to the next
		h.Object(i + 1)
	}
	h.Object()
	h.Globals(0)
	var names []string
	for i := 0; i < 51; i++ {
		names = append(names, [...]string{"list.Element", "main.Entry"}[i%2])
	}
	a := of(t, h, madeup.Types{Names: names, Globals: []string{"main.list"}})
	expectPath(t, a.Holders[0], Step{"list.Element", 26, 51 * 64}, Step{"main.Entry", 25, 50 * 64})
}

func TestAListThatAGlobalBeginsIsAStep(t *testing.T) {
	h := madeup.New()
	h.Object(1)
	h.Object(2)
	h.Object()
	h.Object()
	h.Globals(0, 3)
	a := of(t, h, madeup.Types{
		Names: []string{"main.Node", "main.Node", "main.Node", "main.Node"}, Globals: []string{"main.first"}, GlobalT: "*main.Node",
	})
	expectPath(t, a.Holders[0], Step{"main.Node", 3, 3 * 64})
	if len(a.Holders) != 2 || a.Holders[1].Root != "a global without a name" {
		t.Error(a.Holders)
	}
	expectPath(t, a.Holders[1], Step{"main.Node", 1, 64})
}

func TestSeveralRootsAreNamedTogether(t *testing.T) {
	h := madeup.New()
	h.Object(2, 3)
	h.Object(2, 3)
	h.Object()
	h.Object()
	h.Globals(0, 1)
	types := madeup.Types{
		Names:   []string{"main.Index", "main.List", "main.Session", "main.Session"},
		Globals: []string{"main.index", "main.list"}, GlobalT: "*main.T",
	}
	a := of(t, h, types)
	holder := a.Holders[0]
	if holder.Kind != "several" || holder.Root != "global main.index (*main.T) and global main.list (*main.T)" ||
		len(holder.Roots) != 2 || holder.Retained != 2*64 || holder.Share != 0.5 || len(a.Holders) != 3 {
		t.Errorf("%+v", holder)
	}
	expectPath(t, holder, Step{"main.Session", 2, 2 * 64})
}

func TestPartsOfWhatSeveralRootsHoldAreNotApart(t *testing.T) {
	h := madeup.New()
	h.Object(2, 3, 4, 5, 6)
	h.Object(2, 3, 4, 5, 6)
	for i := 0; i < 5; i++ {
		h.Object()
	}
	h.Globals(0, 1)
	a := of(t, h, madeup.Types{
		Names:   []string{"main.A", "main.B", "main.Conn", "main.Conn", "main.Buffer", "main.Buffer", "main.Other"},
		Globals: []string{"main.a", "main.b"},
	})
	if holder := a.Holders[0]; holder.Retained != 4*64 || holder.Objects != 4 || holder.Path[0].Type != "main.Conn" {
		t.Errorf("%+v", holder)
	}
	if len(a.Holders) != 4 {
		t.Error(a.Holders)
	}
}

func TestAPoolInSomethingElseIsOne(t *testing.T) {
	h := madeup.New()
	h.Object(1)
	h.Object(2, 3)
	h.Object()
	h.Object()
	h.Globals(0)
	a := of(t, h, madeup.Types{
		Names: []string{"main.Server", "sync.Pool", "bytes.Buffer", "bytes.Buffer"}, Inner: map[string]bool{"sync.Pool": true},
		Globals: []string{"main.server"}, GlobalT: "*main.Server",
	})
	if holder := a.Holders[0]; holder.Kind != "pool" || holder.Root != "sync.Pool in global main.server (*main.Server)" {
		t.Errorf("%+v", holder)
	}
	expectPath(t, a.Holders[0], Step{"bytes.Buffer", 2, 2 * 64})
}

func TestAMapThatGrowsIsOneStep(t *testing.T) {
	h := madeup.New()
	h.Object(1, 2) // the map, with its groups and its old ones
	h.Object(3, 4)
	h.Object(3)
	h.Object()
	h.Object()
	h.Globals(0)
	a := of(t, h, madeup.Types{
		Names: []string{"main.Map", "map.group", "map.group", "main.Session", "main.Session"},
		Inner: map[string]bool{"map.group": true}, Globals: []string{"main.m"},
	})
	expectPath(t, a.Holders[0], Step{"main.Map", 1, 5 * 64}, Step{"main.Session", 2, 2 * 64})
}

func TestManyRootsStandBehindTheTypeThatTheyHold(t *testing.T) {
	texts := []string{"local of main.a", "local of main.b", "local of main.c", "local of main.d"}
	for _, one := range []struct {
		texts []string
		more  int
		want  string
	}{
		{nil, 0, "main.Server, held by several roots"},
		{texts[:1], 0, "local of main.a"},
		{texts[:3], 0, "local of main.a, local of main.b and local of main.c"},
		{texts, 2, "main.Server, held by 6 roots (local of main.a, local of main.b, ...)"},
		{texts, 28, "main.Server, held by at least 32 roots (local of main.a, local of main.b, ...)"},
	} {
		if found := joined("main.Server", one.texts, one.more); found != one.want {
			t.Error(found)
		}
	}
}

func TestGoroutinesAreCountedWithStateAndLine(t *testing.T) {
	h := madeup.New()
	h.Object()
	h.Object()
	h.Object()
	h.Goroutine(1, "chan receive", 10, 0)
	h.Goroutine(2, "chan receive", 10, 1)
	h.Goroutine(3, "select", 20, 2)
	a := of(t, h, madeup.Types{Names: []string{"main.Job", "main.Job", "main.Job"}})
	holder := a.Holders[0]
	if holder.Root != "2 goroutines in chan receive at main.f (main.go:9), created by main.f" || holder.Count != 2 ||
		holder.Kind != "goroutine" || holder.Function != "main.f" || holder.Line != 9 || holder.State != "chan receive" ||
		holder.CreatedBy != "main.f" || holder.File != "/src/main.go" {
		t.Errorf("%+v", holder)
	}
	expectPath(t, holder, Step{"main.Job", 2, 2 * 64})
	if one := a.Holders[1]; !strings.HasPrefix(one.Root, "1 goroutine in select at main.f (main.go:19)") || one.Count != 1 {
		t.Errorf("%+v", one)
	}
}

func TestPoolsTimersAndFinalizersAreCalledWhatTheyAre(t *testing.T) {
	h := madeup.New()
	h.Object(1)    // a pool's items by processor
	h.Object()     // an item
	h.Object(3)    // the heap of timers
	h.Object(4)    // a timer
	h.Object(5)    // its closure
	h.Object()     // what that captured
	h.Object(7)    // has a finalizer
	h.Object(6, 8) // reaches it
	h.Object()
	h.Object()
	h.Object() // nothing holds it
	h.Globals(0, 2)
	h.Finalizer(6, 9)
	a := of(t, h, madeup.Types{
		Names: []string{
			"sync.Pool", "bytes.Buffer", "[]runtime.timerWhen", "runtime.timeTimer", "func main.late", "main.Session",
			"main.File", "main.Owner", "main.Owner", "func main.close", "main.Weak",
		},
		Inner:   map[string]bool{"sync.Pool": true},
		Globals: []string{"main.buffers", "runtime.allp"}, GlobalT: "sync.Pool",
	})
	found := map[string]string{}
	for _, holder := range a.Holders {
		found[holder.Kind] = holder.Root
	}
	want := map[string]string{
		"pool": "sync.Pool main.buffers", "timer": "pending timer of func main.late", "finalizer": "finalizer main.f of main.File",
		"runtime": "global runtime.allp (sync.Pool)", "none": "no holder in the dump",
	}
	if !reflect.DeepEqual(found, want) {
		t.Error(found)
	}
	for _, holder := range a.Holders {
		if holder.Kind == "timer" {
			expectPath(t, holder, Step{"func main.late", 1, 2 * 64}, Step{"main.Session", 1, 64})
		}
	}
}

func TestTwoDumpsTellOfGrowth(t *testing.T) {
	heap := func(objects int) *madeup.Heap {
		h := madeup.New()
		h.Object(1, 2, 3, 4)
		for i := 1; i < objects; i++ {
			h.Object()
		}
		h.Globals(0)
		return h
	}
	names := []string{"main.Cache", "main.Session", "main.Session", "main.Session", "main.Session"}
	types := madeup.Types{Names: names, Globals: []string{"main.cache"}}
	before := Remember(read(t, heap(3)), types)
	a, err := Of(read(t, heap(5)), types, before, 12)
	if err != nil {
		t.Fatal(err)
	}
	holder := a.Holders[0]
	if *a.New != (Amount{2, 2 * 64}) || holder.Retained != 2*64 || holder.Share != 1 || holder.Objects != 2 {
		t.Errorf("%+v %+v", a.New, holder)
	}
	expectPath(t, holder, Step{"main.Cache", 1, 2 * 64}, Step{"main.Session", 2, 2 * 64})
	for _, one := range a.Types {
		if one.Type == "main.Session" && (one.Count != 4 || *one.New != 2 || *one.NewBytes != 2*64) {
			t.Errorf("%+v", one)
		}
		if one.Type == "main.Cache" && *one.New != 0 {
			t.Errorf("%+v", one)
		}
	}
	other := madeup.Types{Names: []string{"main.Cache", "main.Job", "main.Job", "main.Job"}}
	if a, err := Of(read(t, heap(3)), other, before, 12); err != nil || a.New.Objects != 2 || len(a.Notes) != 0 {
		t.Error("an object of another type at the same address is not new")
	}
	strange := madeup.Types{Names: []string{"main.X", "main.Y", "main.Z"}}
	if a, err := Of(read(t, heap(3)), strange, before, 12); err != nil || len(a.Notes) != 1 ||
		a.Notes[0] != "of the earlier dump's objects only 0% are in this one: the two may not be of one process" {
		t.Error(a.Notes)
	}
	same, err := Of(read(t, heap(3)), types, before, 12)
	if err != nil || len(same.Holders) != 0 || *same.New != (Amount{}) {
		t.Errorf("%+v", same)
	}
}

func TestTheAnswerIsTheSameEachTimeAndHasNoNulls(t *testing.T) {
	var first []byte
	for round := 0; round < 20; round++ {
		h := madeup.New()
		for i := 0; i < 30; i++ {
			h.Object(i + 1)
		}
		h.Object()
		h.Globals(0, 7, 9)
		h.Goroutine(1, "select", 10, 5)
		a := of(t, h, madeup.Types{Names: []string{"main.A", "", "main.B", "main.C", ""}, Globals: []string{"main.x", "main.y"}})
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			first = text
		} else if !bytes.Equal(first, text) {
			t.Fatalf("%s\n%s", first, text)
		}
	}
	if strings.Contains(string(first), "null") || !strings.Contains(string(first), `"?ptrs(64)"`) {
		t.Errorf("%s", first)
	}
}

func TestFunctionsOfGoAreToldFromTheProgramsOwn(t *testing.T) {
	for _, one := range []struct {
		function, file string
		want           bool
	}{
		{"net/http.(*conn).serve", "/usr/local/go/src/net/http/server.go", true},
		{"net/http.(*conn).serve", "net/http/server.go", true},
		{"internal/poll.runtime_pollWait", "/usr/local/go/src/runtime/netpoll.go", true},
		{"net/http.(*onceCloseListener).Accept", "<autogenerated>", true},
		{"main.(*wrapper).Accept", "<autogenerated>", false},
		{"main.main", "/src/main.go", false},
		{"main.main", "./main.go", false},
		{"example.com/log.(*T[go.shape.int]).Put", "/home/me/src/log/log.go", false},
		{"github.com/nats-io/nats-server/v2/server.run", "github.com/nats-io/nats-server/v2@v2.1.0/server/a.go", false},
		{"log.Printf", "/home/me/log/log.go", false},
		{"server.run", "/home/me/src/server/server.go", false},
	} {
		if found := library(one.function, one.file); found != one.want {
			t.Error(one, found)
		}
	}
	for function, want := range map[string]string{
		"net/http.(*conn).serve": "net/http", "main.main": "main", "example.com/a%2eb.f": "example.com/a.b",
		"sync.(*Map[go.shape.string,example.com/x.T]).Load": "sync", "gopkg.in/yaml%2ev3.parse": "gopkg.in/yaml.v3",
	} {
		if found := packageOf(function); found != want {
			t.Error(function, found)
		}
	}
	if !isWrapper("net/http.(*Transport).dialConn.gowrap3") || !isWrapper("main.f.deferwrap1") || isWrapper("main.gowrap.f") {
		t.Error("wrappers")
	}
}
