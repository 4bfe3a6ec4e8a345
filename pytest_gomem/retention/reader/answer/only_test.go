package answer

import (
	"testing"

	"gomem/heapreader/dump/madeup"
)

func TestOnlyTheTypesOfAGlobCountForItsHolders(t *testing.T) {
	h := madeup.New()
	h.Object(1, 2) // a cache with one session and a large buffer
	h.Object(3)
	h.Object()
	h.Object()
	h.Object(1, 5) // an audit, which holds that session too, and one of its own
	h.Object()
	h.Globals(0, 4)
	types := madeup.Types{
		Names:   []string{"main.Cache", "main.Session", "[]uint8", "[]uint8", "main.Audit", "main.Session"},
		Globals: []string{"main.cache", "main.audit"}, GlobalT: "*main.Any",
	}
	a, err := Of(read(t, h), types, nil, 12, "*main.Session", "main.Nothing", "*")
	if err != nil {
		t.Fatal(err)
	}
	sessions := a.Of[0]
	if sessions.Type != "*main.Session" || len(sessions.Holders) != 2 {
		t.Fatalf("%+v", sessions)
	}
	for _, holder := range sessions.Holders {
		if holder.Retained != 64 || holder.Share != 0.5 || holder.Objects != 1 {
			t.Errorf("%+v", holder)
		}
		if last := holder.Path[len(holder.Path)-1]; last != (Step{"main.Session", 1, 64}) {
			t.Errorf("%+v", holder.Path)
		}
	}
	if nothing := a.Of[1]; nothing.Holders == nil || len(nothing.Holders) != 0 {
		t.Errorf("%+v", nothing)
	}
	var whole uint64
	for _, holder := range a.Of[2].Holders {
		whole += holder.Retained
	}
	if whole != a.Bytes {
		t.Error(whole)
	}
}

func TestWhatAGlobMeans(t *testing.T) {
	for _, one := range []struct {
		glob, name string
		means      bool
	}{
		{"main.Session", "main.Session", true},
		{"main.Session", "main.Sessions", false},
		{"*main.Session", "example.com/app/main.Session", true},
		{"*main.Session", "[]main.Session", false},
		{"*main.Session", "*main.Session", false},
		{"main.*", "main.Cache[string,*main.Session]", true},
		{"[]*main.Session", "[]*main.Session", true},
		{"[]*main.Session", "[][4]main.Session", true},
		{"map[string]*", "map[int]string", false},
		{"func main.*", "func main.run.func1", true},
		{"main.?", "main.ψ", true},
		{"main.?", "main.", false},
		{"*a*b", "aaab", true},
		{"*a*b", "aaabc", false},
		{"*", "?ptrs(64)", true},
		{"", "x", false},
	} {
		if meansType(one.glob, one.name) != one.means {
			t.Errorf("%q of %q is not %v", one.glob, one.name, one.means)
		}
	}
}
