// Package program reads what a Go program's own file says about its types, variables, functions and lines.
package program

import (
	"errors"
	"fmt"
	"sort"
)

// Program is a binary, and the DWARF of it or of a twin that was built of the same source.
type Program struct {
	Notes        []string // what could not be had, in words
	image        *image
	symbols      *symbols // nil without any
	twin         *image   // nil if the symbols are the binary's own
	bias         uint64
	types        []*Type
	byEntry      map[uint32]int32
	byDescriptor map[uint64]int32
	closures     map[uint64]*Type
	mentioned    map[uint64][]*Type // by code of functions, by entry
	methods      map[uint64]uint32  // entries of functions, by the hash of their name
	variables    map[uint64][]*Type // of functions, by entry
	hashes       map[uint32]uint32  // entries of a twin's types
	globals      []Variable
	objects      []objectSymbol
	objectsRead  bool
	nameTable    uint64
	text         *Type
	pooled       *Type
	timers       map[string]*Type // by name
	nodes        map[string]*Type // by name
	channels     map[int32]*Type  // by element
	maps         map[int32]*Type  // by groups
	depth        int              // of types within types
	steps, work  int
	allFields    int
	byName       map[string]int32 // compiled functions
}

// Variable is a global.
type Variable struct {
	Name    string
	Address uint64 // in the running program
	Type    *Type
}

// Segment is a part of the running program's memory that a dump has.
type Segment struct {
	Name          string // "data" or "bss"
	Address, Size uint64
}

// Load reads a binary. twin, which may be "", is a build of the same source that has symbols.
func Load(path, twin string) (p *Program, err error) {
	defer func() {
		if broken := recover(); broken != nil {
			p, err = nil, fmt.Errorf("%s cannot be read: it is broken (%v)", path, broken)
		}
	}()
	im, err := openImage(path)
	if err != nil {
		return nil, err
	}
	p = &Program{
		image: im, byEntry: map[uint32]int32{}, byDescriptor: map[uint64]int32{}, closures: map[uint64]*Type{},
	}
	p.add(&Type{Name: "?"})
	p.text = p.add(&Type{Name: "string", Size: 1, Kind: Text, unfolded: true})
	p.symbols, err = readSymbols(im)
	switch {
	case err == nil:
	case twin != "":
		if err := p.useTwin(twin); err != nil {
			p.Notes = append(p.Notes, fmt.Sprintf("no types from the build with symbols: %v", err))
		}
	case errors.Is(err, errNoSymbols):
		p.Notes = append(p.Notes, "the binary has no symbols: types come from its type descriptors alone")
	default:
		p.Notes = append(p.Notes, fmt.Sprintf("types come from type descriptors alone: the symbols of the binary cannot be read: %v", err))
	}
	return p, nil
}

// Close lets go of the files.
func (p *Program) Close() {
	p.image.close()
	if p.twin != nil {
		p.twin.close()
	}
}

// useTwin takes the symbols of a build that lays out the program alike.
func (p *Program) useTwin(path string) error {
	twin, err := openImage(path)
	if err != nil {
		return err
	}
	if err := p.image.fits(twin); err != nil {
		twin.close()
		return err
	}
	symbols, err := readSymbols(twin)
	if err != nil {
		twin.close()
		return err
	}
	p.symbols, p.twin = symbols, twin
	return nil
}

// fits says why a twin is no build of the same source.
func (im *image) fits(twin *image) error {
	a, b := &im.module, &twin.module
	switch {
	case im.version != twin.version:
		return fmt.Errorf("it is a build by %s, the binary one by %s", twin.version, im.version)
	case im.elf.Machine != twin.elf.Machine:
		return errors.New("it is a build for another machine")
	case im.lines.count != twin.lines.count || a.etext-a.text != b.etext-b.text:
		return errors.New("its functions are not those of the binary")
	case a.edata-a.data != b.edata-b.data || a.ebss-a.bss != b.ebss-b.bss:
		return errors.New("its variables are not those of the binary")
	}
	for step := 0; step < 64; step++ {
		i := im.lines.count * step / 64
		if im.lines.name(i) != twin.lines.name(i) || im.lines.entry(i)-a.text != twin.lines.entry(i)-b.text {
			return errors.New("its functions are not those of the binary")
		}
	}
	return nil
}

// Attach places the program in memory as a dump has it. It fails if the dump is another program's.
func (p *Program) Attach(version string, segments []Segment) error {
	if p.image.version == "" {
		p.image.version, p.image.minor = version, minorOf(version)
	}
	m := &p.image.module
	placed := false
	for _, s := range segments {
		start, end := m.data, m.edata
		if s.Name == "bss" {
			start, end = m.bss, m.ebss
		}
		bias := s.Address - start
		if s.Size != end-start || placed && bias != p.bias {
			return errors.New("the heap dump is not of this binary: their variables differ")
		}
		p.bias, placed = bias, true
	}
	if p.bias != 0 && p.image.elf.Type != 3 { // only position-independent programs move
		return errors.New("the heap dump is not of this binary: their variables lie elsewhere")
	}
	return nil
}

// Version is the Go release that built the program.
func (p *Program) Version() string {
	return p.image.version
}

// Minor is N of go1.N.
func (p *Program) Minor() int {
	return p.image.minor
}

// Symbols says whether there is DWARF.
func (p *Program) Symbols() bool {
	return p.symbols != nil
}

// Text is the type of string data.
func (p *Program) Text() *Type {
	return p.text
}

// Type is that of a number.
func (p *Program) Type(id int32) *Type {
	return p.types[id]
}

// Named is one of the runtime's types, nil if the program's symbols do not have it.
func (p *Program) Named(name string) *Type {
	if p.symbols == nil {
		return nil
	}
	at, ok := p.symbols.named[name]
	if !ok {
		return nil
	}
	return p.fromEntry(at)
}

// Place is the innermost function at a pc of the running program, with file and line.
func (p *Program) Place(pc uint64) (function, file string, line int) {
	function, file, line, _ = p.image.lines.place(pc - p.bias)
	return function, file, line
}

// Static is a word of the program's memory that never changes, 0 if there is none.
func (p *Program) Static(address uint64) uint64 {
	if value := p.image.pointer(address - p.bias); value != 0 {
		return value + p.bias
	}
	return 0
}

// IsEntry says whether a function starts at an address of the running program.
func (p *Program) IsEntry(pc uint64) bool {
	pc -= p.bias
	m := &p.image.module
	if pc < m.text || pc >= m.etext {
		return false
	}
	i := p.image.lines.function(pc)
	return i >= 0 && p.image.lines.entry(i) == pc
}

// Globals are all variables of data and bss, by address.
func (p *Program) Globals() []Variable {
	if p.globals != nil || p.symbols == nil {
		return p.globals
	}
	p.globals = make([]Variable, 0, len(p.symbols.globals))
	var e entry
	for _, g := range p.symbols.globals {
		address, ok := p.moved(g.address)
		if !ok {
			continue
		}
		if _, _, ok := p.symbols.entry(uint64(g.entry), &e); !ok {
			continue
		}
		t := p.resolve(entryReference(e.typ))
		if t == nil || t.Size <= 0 {
			continue
		}
		p.globals = append(p.globals, Variable{typeName(e.name), address, t})
	}
	sort.SliceStable(p.globals, func(i, j int) bool { return p.globals[i].Address < p.globals[j].Address })
	return p.globals
}

// Global is the variable that holds an address of the running program.
func (p *Program) Global(address uint64) (Variable, bool) {
	globals := p.Globals()
	i := sort.Search(len(globals), func(i int) bool { return globals[i].Address > address }) - 1
	if i >= 0 && address-globals[i].Address < uint64(globals[i].Type.Size) {
		return globals[i], true
	}
	return Variable{}, false
}

// moved is where an address of data or bss in the symbols' file is in the running program.
func (p *Program) moved(address uint64) (uint64, bool) {
	from, to := &p.symbols.im.module, &p.image.module
	switch {
	case address >= from.data && address < from.edata:
		return address - from.data + to.data + p.bias, true
	case address >= from.bss && address < from.ebss:
		return address - from.bss + to.bss + p.bias, true
	}
	return 0, false
}
