package typing

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gomem/heapreader/dump"
	"gomem/heapreader/program"
)

// built is the program of testdata/held, which holds 200 of each thing in a way of its own.
func built(t *testing.T, flags ...string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "held")
	command := exec.Command("go", append([]string{"build", "-o", binary}, append(flags, ".")...)...)
	command.Dir = filepath.Join("testdata", "held")
	command.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return binary
}

func typed(t *testing.T, binary, twin string) (*dump.Dump, *program.Program, *Types) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dump")
	if out, err := exec.Command(binary, file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d, err := dump.Open(file, dump.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	p, err := program.Load(binary, twin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	types, err := Run(d, p)
	if err != nil {
		t.Fatal(err)
	}
	return d, p, types
}

func counted(d *dump.Dump, types *Types) map[string]int {
	counts := map[string]int{}
	for i := 0; i < d.Len(); i++ {
		counts[types.Name(i)]++
	}
	return counts
}

// held is how many objects of each type there must be at least; there may be a few more, made by the runtime.
var held = map[string]int{
	"main.Session": 200, "main.Wide": 200, "main.Pair[string,*main.Session]": 200, "main.Conn": 200, "main.InMap": 200,
	"main.InList": 200, "main.InContext": 200, "main.InTimer": 200, "main.InChannel": 200, "main.OnStack": 200,
	"main.InSyncMap": 200, "main.InMethod": 200, "main.InSend": 200, "main.InLocalMap": 200, "main.InPool": 200, "main.InStatic": 1, "container/list.Element": 200,
	"func main.main.func1": 0, "time.Timer": 200, "chan *main.InChannel": 2, "[]*main.Conn": 1, "map[string]*main.Session": 2,
	"map[[200]uint8]*main.InMap": 2,
}

func check(t *testing.T, d *dump.Dump, types *Types) {
	t.Helper()
	counts := counted(d, types)
	if minor := strings.Split(d.Params.GoVersion, ".")[1]; minor >= "24" && counts["main.InCleanup"] != 400 {
		t.Errorf("main.InCleanup: %d objects", counts["main.InCleanup"])
	}
	for name, least := range held {
		if counts[name] < least || least > 2 && counts[name] > least+least/10 {
			t.Errorf("%s: %d objects, not %d", name, counts[name], least)
		}
	}
	if objects, bytes := types.Coverage(); objects < 0.97 || bytes < 0.99 {
		t.Errorf("typed: %.4f of objects, %.4f of bytes", objects, bytes)
	}
	for name := range counts {
		if strings.Contains(name, "go.shape.") {
			t.Errorf("%s is no name for people", name)
		}
	}
}

func TestEachKindOfHolderTellsTheTypeOfWhatItHolds(t *testing.T) {
	binary := built(t)
	d, p, types := typed(t, binary, "")
	check(t, d, types)
	if len(p.Notes) > 0 {
		t.Errorf("notes: %q", p.Notes)
	}
	for _, v := range p.Globals() {
		if v.Name != "main.static" {
			continue
		}
		segment := d.SegmentAt(v.Address)
		there := word(segment.Data, int64(v.Address-segment.Address))
		for _, address := range []uint64{v.Address, there} {
			if name, typ, ok := types.Global(address); name != "main.static" || typ != "*main.Static" || !ok {
				t.Errorf("%#x is of %s (%s)", address, name, typ)
			}
		}
	}
	for _, g := range d.Goroutines {
		for _, f := range g.Frames {
			if f.Function == "main.wait" {
				if function, file, line := types.Place(f.PC - 1); function != "main.wait" || filepath.Base(file) != "main.go" || line != 81 {
					t.Fatalf("%s %s:%d", function, file, line)
				}
				return
			}
		}
	}
	t.Error("no goroutine waits")
}

func TestOtherBuildsAreTypedToo(t *testing.T) {
	for name, flags := range map[string][]string{
		"position-independent": {"-buildmode=pie"},
		"without paths":        {"-trimpath"},
	} {
		t.Run(name, func(t *testing.T) {
			d, _, types := typed(t, built(t, flags...), "")
			check(t, d, types)
		})
	}
}

func TestAStrippedBinaryIsTypedByItsTwin(t *testing.T) {
	stripped := built(t, "-ldflags=-s -w")
	d, p, types := typed(t, stripped, built(t))
	check(t, d, types)
	if len(p.Notes) > 0 {
		t.Errorf("notes: %q", p.Notes)
	}
}

func TestAStrippedBinaryAloneTellsWhatItCan(t *testing.T) {
	d, p, types := typed(t, built(t, "-ldflags=-s -w"), "")
	counts := counted(d, types)
	for _, name := range []string{"main.Wide", "main.InContext", "main.InList"} {
		if counts[name] < 200 {
			t.Errorf("%s: %d objects", name, counts[name])
		}
	}
	if len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "no symbols") {
		t.Errorf("notes: %q", p.Notes)
	}
}

func TestATwinOfAnotherBuildGivesNoTypes(t *testing.T) {
	d, p, types := typed(t, built(t, "-ldflags=-s -w"), built(t, "-gcflags=-N -l"))
	if len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "no types from the build with symbols: its functions are not") {
		t.Errorf("notes: %q", p.Notes)
	}
	if counted(d, types)["main.Wide"] < 200 {
		t.Error("the headers of objects tell no types")
	}
}

func TestADumpOfAnotherProgramIsRefused(t *testing.T) {
	d, _, _ := typed(t, built(t), "")
	p, err := program.Load(built(t, "-gcflags=-N -l"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	d.Segments[0].Address += 4096
	if _, err := Run(d, p); err == nil || !strings.Contains(err.Error(), "not of this binary") {
		t.Errorf("error: %v", err)
	}
}
