package program

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"hash/fnv"
	"sort"
	"strings"
)

const (
	maxVariables  = 1 << 14
	maxDistinct   = 256     // types of a function's variables
	maxFunctionAt = 1 << 22 // bytes of entries of one function
	symbolSize    = 24
	maxSymbols    = 1 << 27 // bytes
)

// Local is a variable or an argument of a function that lies on the stack.
type Local struct {
	Name   string
	Type   *Type
	Pieces []Piece
}

// Locals calls yield with each variable that is on the stack at pc in the function that starts at entry; both are
// addresses of the running program.
func (p *Program) Locals(entryPC, pc uint64, yield func(Local)) {
	n := 0
	p.entriesWithin(entryPC, func(child *entry, u *unit) bool {
		if child.tag != tagVariable && child.tag != tagParameter {
			return true
		}
		n++
		expression := child.location
		if expression == nil && child.list >= 0 {
			expression = p.symbols.expression(u, child.list, child.listIsIndex, p.linked(pc))
		}
		if len(expression) == 0 {
			return n < maxVariables
		}
		p.followOrigin(child)
		t := p.resolve(entryReference(child.typ))
		if t == nil || t.Size <= 0 {
			return n < maxVariables
		}
		if places := pieces(expression, t.Size); len(places) > 0 {
			yield(Local{string(child.name), t, places})
		}
		return n < maxVariables
	})
}

// method is the entry of a function by its name, 0 if there is none.
func (p *Program) method(name string) uint32 {
	if p.symbols == nil {
		return 0
	}
	if p.methods == nil {
		p.methods = map[uint64]uint32{}
		var e entry
		for _, f := range p.symbols.functions {
			if _, _, ok := p.symbols.entry(uint64(f.entry), &e); !ok {
				continue
			}
			p.followOrigin(&e)
			p.methods[hashed(string(e.name))] = f.entry
		}
	}
	return p.methods[hashed(name)]
}

func hashed(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

// Parameter is the type of the first parameter of the function that starts at that address, nil if it has none.
func (p *Program) Parameter(entryPC uint64) *Type {
	if p.symbols == nil {
		return nil
	}
	at, ok := find(p.symbols.functions, p.linked(entryPC))
	if !ok {
		return nil
	}
	return p.firstParameter(at)
}

// firstParameter is the type of the first parameter, a method's receiver, of a function's entry.
func (p *Program) firstParameter(at uint32) *Type {
	if at == 0 {
		return nil
	}
	var e, child entry
	c, u, ok := p.symbols.entry(uint64(at), &e)
	if !ok || !e.children {
		return nil
	}
	for n := 0; n < maxVariables && !c.broken; n++ { // a parameter is no child of a block
		p.symbols.parse(&c, u, &child)
		if child.tag == 0 || child.children {
			return nil
		}
		if child.tag != tagParameter || child.hasClosure {
			continue
		}
		p.followOrigin(&child)
		return p.resolve(entryReference(child.typ))
	}
	return nil
}

// Variables are the types of all variables of a function that hold pointers, wherever these lie, of inlined functions
// too; each type once.
func (p *Program) Variables(entryPC uint64) []*Type {
	if list, ok := p.variables[entryPC]; ok {
		return list
	}
	if p.variables == nil {
		p.variables = map[uint64][]*Type{}
	}
	var list []*Type
	seen := map[*Type]bool{}
	p.entriesWithin(entryPC, func(child *entry, _ *unit) bool {
		if child.tag != tagVariable && child.tag != tagParameter {
			return true
		}
		p.followOrigin(child)
		if t := p.resolve(entryReference(child.typ)); t != nil && !seen[t] && p.Pointers(t) {
			seen[t] = true
			list = append(list, t)
		}
		return len(list) < maxDistinct
	})
	p.variables[entryPC] = list
	return list
}

// linked is an address of the running program as the symbols have it.
func (p *Program) linked(address uint64) uint64 {
	return address - p.bias - p.image.module.text + p.symbols.im.module.text
}

// followOrigin gives an entry the name and the type of the one that it was inlined from, if it was.
func (p *Program) followOrigin(e *entry) {
	if e.origin == 0 {
		return
	}
	var origin entry
	if _, _, ok := p.symbols.entry(e.origin, &origin); ok {
		e.name, e.typ = origin.name, origin.typ
	}
}

// entriesWithin calls yield with each entry within that of the function which starts at an address, in blocks and
// inlined functions too, until yield returns false.
func (p *Program) entriesWithin(entryPC uint64, yield func(child *entry, u *unit) bool) {
	c, u, e, ok := p.functionEntry(entryPC)
	if !ok || !e.children {
		return
	}
	start := c.at
	defer func() { p.work += c.at - start }()
	var child entry
	for depth := 1; depth > 0 && !c.broken && c.at-start < maxFunctionAt; {
		p.symbols.parse(&c, u, &child)
		if child.tag == 0 {
			depth--
			continue
		}
		if child.children {
			depth++
		}
		if !yield(&child, u) {
			return
		}
	}
}

func (p *Program) functionEntry(entryPC uint64) (cursor, *unit, entry, bool) {
	var e entry
	if p.symbols == nil {
		return cursor{}, nil, e, false
	}
	at, ok := find(p.symbols.functions, p.linked(entryPC))
	if !ok {
		return cursor{}, nil, e, false
	}
	if p.work > maxWork {
		return cursor{}, nil, e, false
	}
	c, u, ok := p.symbols.entry(uint64(at), &e)
	return c, u, e, ok
}

// Closure is the type of a function value whose function starts at that address; nil if none does.
func (p *Program) Closure(entryPC uint64) *Type {
	if t, ok := p.closures[entryPC]; ok {
		return t
	}
	if !p.IsEntry(entryPC) {
		return nil
	}
	t := &Type{Name: "func " + p.image.lines.name(p.image.lines.function(entryPC-p.bias)), Kind: Closure, Size: pointerSize}
	t.unfolded = true
	p.add(t)
	p.closures[entryPC] = t
	if method := strings.TrimSuffix(t.Name, "-fm"); method != t.Name {
		if receiver := p.firstParameter(p.method(strings.TrimPrefix(method, "func "))); receiver != nil {
			t.Size += receiver.Size
			t.slots = p.placed(nil, receiver, pointerSize, false)
		}
		return t
	}
	p.entriesWithin(entryPC, func(child *entry, _ *unit) bool {
		if !child.hasClosure || child.closure < 0 || child.closure > maxFunctionAt {
			return true
		}
		p.followOrigin(child)
		if captured := p.resolve(entryReference(child.typ)); captured != nil && captured.Size >= 0 {
			t.Size = max(t.Size, child.closure+captured.Size)
			t.slots = p.placed(t.slots, captured, child.closure, false)
		}
		return true
	})
	sort.SliceStable(t.slots, func(i, j int) bool { return t.slots[i].Offset < t.slots[j].Offset })
	return t
}

// objectSymbol is a variable of the symbol table; its name is read when asked for.
type objectSymbol struct {
	address, size uint64
	name          uint32
}

// Symbol is the name that the symbol table has for an address of data or bss, "" if none. The compiler names some
// variables that DWARF does not know: composite literals and what they point to.
func (p *Program) Symbol(address uint64) string {
	if !p.objectsRead {
		p.objectsRead = true
		p.readObjects()
	}
	i := sort.Search(len(p.objects), func(i int) bool { return p.objects[i].address > address }) - 1
	if i < 0 || address-p.objects[i].address >= p.objects[i].size {
		return ""
	}
	var buf [256]byte
	im := p.symbolImage()
	n := len(buf)
	for n > 0 && !im.readOffset(int64(p.nameTable)+int64(p.objects[i].name), buf[:n]) {
		n /= 2
	}
	if end := bytes.IndexByte(buf[:n], 0); end >= 0 {
		n = end
	}
	return typeName([]byte(strings.TrimSuffix(string(buf[:n]), "·f")))
}

func (p *Program) symbolImage() *image {
	if p.twin != nil {
		return p.twin
	}
	return p.image
}

func (p *Program) readObjects() {
	im := p.symbolImage()
	section := im.elf.SectionByType(elf.SHT_SYMTAB)
	if section == nil || section.Size > maxSymbols || int(section.Link) >= len(im.elf.Sections) {
		return
	}
	p.nameTable = im.elf.Sections[section.Link].Offset
	from, to := &im.module, &p.image.module
	buf := make([]byte, symbolSize*512)
	for at := uint64(0); at+symbolSize <= section.Size; {
		piece := buf[:min(uint64(len(buf)), (section.Size-at)/symbolSize*symbolSize)]
		if !im.readOffset(int64(section.Offset+at), piece) {
			break
		}
		at += uint64(len(piece))
		for ; len(piece) >= symbolSize; piece = piece[symbolSize:] {
			address, size := binary.LittleEndian.Uint64(piece[8:]), binary.LittleEndian.Uint64(piece[16:])
			switch {
			case elf.ST_TYPE(piece[4]) != elf.STT_OBJECT || size == 0:
				continue
			case address >= from.data && address < from.edata:
				address += to.data - from.data
			case address >= from.bss && address < from.ebss:
				address += to.bss - from.bss
			default:
				continue
			}
			p.objects = append(p.objects, objectSymbol{address + p.bias, size, binary.LittleEndian.Uint32(piece)})
		}
	}
	sort.Slice(p.objects, func(i, j int) bool { return p.objects[i].address < p.objects[j].address })
}
