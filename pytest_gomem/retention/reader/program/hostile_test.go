package program

import (
	"debug/elf"
	"encoding/binary"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// built is a program of a few lines, by the Go at hand; its DWARF is not compressed, so that each byte of it counts.
func built(t testing.TB, flags ...string) string {
	t.Helper()
	folder := t.TempDir()
	source := `package main

type node struct {
	next *node
	held map[string][]any
	done chan func(*node) error
}

var first = &node{held: map[string][]any{"a": {1, "b"}}}

func main() {
	first.done = make(chan func(*node) error, 1)
	first.done <- func(n *node) error { n.next = first; return nil }
	(<-first.done)(first)
}
`
	for name, text := range map[string]string{"main.go": source, "go.mod": "module small\n\ngo 1.21\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(folder, "small")
	command := exec.Command("go", append([]string{"build", "-o", binary}, append(flags, ".")...)...)
	command.Dir = folder
	command.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return binary
}

// exhaust asks a program for all that it can tell.
func exhaust(p *Program) {
	for _, v := range p.Globals() {
		p.Slots(v.Type)
		p.Global(v.Address)
		p.Symbol(v.Address)
	}
	table := &p.image.lines
	for i := 0; i < min(table.count, 1<<14); i += 1 + table.count/100 {
		entry := table.entry(i)
		p.Place(entry + 8)
		p.Closure(entry)
		p.Variables(entry)
		p.Mentioned(entry)
		p.Parameter(entry)
		for pc := entry + 4; pc < entry+200; pc += 40 {
			p.Locals(entry, pc, func(l Local) { p.Slots(l.Type) })
		}
	}
	m := &p.image.module
	for at := m.types; at < min(m.etypes, m.types+1<<20); at += 8 {
		p.Descriptor(at)
	}
	for id := int32(0); id < int32(min(len(p.types), 20_000)); id++ {
		t := p.Type(id)
		p.Slots(t)
		switch t.Kind {
		case Map:
			h := p.Header(t)
			p.MapGroups(h)
			if p.Swiss() {
				p.MapDirectory(h)
			} else {
				p.MapExtra(h)
			}
		case Channel:
			p.Header(t)
		}
		p.Backing(t)
	}
	p.Pooled()
	p.Timer("time.Timer")
}

func TestMutatedBinariesNeitherPanicNorTakeMemory(t *testing.T) {
	rounds := 60
	if more, err := strconv.Atoi(os.Getenv("MUTANTS")); err == nil {
		rounds = more
	}
	path := built(t, "-ldflags=-compressdwarf=false")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewSource(int64(rounds)))
	parts := worthwhile(t, path)
	for round := 0; round < rounds; round++ {
		mutant := append([]byte(nil), whole...)
		for n := 1 + random.Intn(8); n > 0; n-- {
			mutate(random, mutant, parts[random.Intn(len(parts))])
		}
		if random.Intn(10) == 0 {
			mutant = mutant[:random.Intn(len(mutant))]
		}
		if err := os.WriteFile(path, mutant, 0o600); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		p, err := Load(path, "")
		if err == nil {
			exhaust(p)
			p.Close()
		} else if strings.Contains(err.Error(), "runtime error") {
			t.Errorf("round %d: %v", round, err)
		}
		if took := time.Since(start); took > time.Minute {
			t.Fatalf("round %d took %v", round, took)
		}
		var memory runtime.MemStats
		if runtime.ReadMemStats(&memory); memory.Sys > 2<<30 {
			t.Fatalf("round %d: the process took %d MB", round, memory.Sys>>20)
		}
	}
}

type span struct{ start, end uint64 }

// worthwhile are the parts of a file that are read: headers and sections, the small ones as often as the large.
func worthwhile(t *testing.T, path string) []span {
	t.Helper()
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	parts := []span{{0, 64}, {64, 64 + uint64(len(file.Progs))*56}}
	for _, s := range file.Sections {
		if s.Type != elf.SHT_NOBITS && s.Size > 8 && s.Name != ".text" && s.Name != ".debug_line" && s.Name != ".debug_frame" {
			parts = append(parts, span{s.Offset, s.Offset + s.Size})
		}
	}
	return parts
}

func mutate(random *rand.Rand, data []byte, part span) {
	at := part.start + uint64(random.Int63n(int64(part.end-part.start)))
	switch random.Intn(5) {
	case 0:
		data[at] ^= 1 << uint(random.Intn(8))
	case 1:
		data[at] = byte(random.Intn(256))
	case 2:
		for end := min(at+1+uint64(random.Intn(10)), part.end); at < end; at++ {
			data[at] = 0xff
		}
	case 3:
		from := part.start + uint64(random.Int63n(int64(part.end-part.start)))
		n := min(uint64(random.Intn(64)), part.end-max(at, from))
		copy(data[at:at+n], data[from:from+n])
	case 4:
		if at+8 <= part.end {
			binary.LittleEndian.PutUint64(data[at:], uint64(random.Int63()>>uint(random.Intn(63))))
		}
	}
}

func TestWhatIsNoGoProgramIsRefusedInWords(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no program\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, words := range map[string]string{
		text: "no ELF file", filepath.Join(folder, "missing"): "no such file", folder: "directory",
	} {
		if _, err := Load(path, ""); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestPiecesOnTheStack(t *testing.T) {
	for _, one := range []struct {
		expression []byte
		size       int64
		pieces     []Piece
	}{
		{[]byte{opFrameAddress}, 8, []Piece{{0, 0, 8}}},
		{[]byte{opFrameBase, 0x78}, 24, []Piece{{0, -8, 24}}},
		{[]byte{opRegister}, 8, nil},
		{[]byte{opRegister, opPiece, 8, opFrameBase, 16, opPiece, 8}, 16, []Piece{{8, 16, 8}}},
		{[]byte{opFrameBase, 8, opPiece, 8, opFrameBase, 8, opPiece, 8, opFrameBase, 16, opPiece, 8}, 16, []Piece{{0, 8, 8}, {8, 16, 8}}},
		{[]byte{opPiece, 8, opPiece, 8}, 16, nil},
		{[]byte{opFrameBase}, 8, []Piece{{0, 0, 8}}},
		{[]byte{0xff}, 8, nil},
	} {
		found := pieces(one.expression, one.size)
		if len(found) != len(one.pieces) {
			t.Errorf("% x: %v", one.expression, found)
			continue
		}
		for i := range found {
			if found[i] != one.pieces[i] {
				t.Errorf("% x: %v", one.expression, found)
			}
		}
	}
}

func TestShapesOfArguments(t *testing.T) {
	for name, shape := range map[string]string{
		"a.b[interface {},interface {}]": "a.b[go.shape.interface {},go.shape.interface {}]",
		"a.b[*c.d[int,e],map[f]g]":       "a.b[go.shape.*uint8,go.shape.map[f]g]",
		"a.b":                            "a.b",
	} {
		if found := shaped(name, true); found != shape {
			t.Errorf("%s: %s, not %s", name, found, shape)
		}
	}
}
