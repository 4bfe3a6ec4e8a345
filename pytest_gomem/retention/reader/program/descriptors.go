package program

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// Layout of abi.Type and of what follows it, the same from Go 1.21 to 1.27.
const (
	descriptorSize = 48
	hashAt         = 16
	flagUncommon   = 1
	flagExtraStar  = 2
	flagNamed      = 4
	fieldSize      = 24
)

// descriptorOf is where the linker placed a descriptor: DWARF has its address or its offset from the first one.
func (s *symbols) descriptorOf(value uint64) uint64 {
	m := &s.im.module
	if value < m.types {
		value += m.types
	}
	if value < m.types || value >= m.etypes {
		return 0
	}
	return value
}

// described is the entry of DWARF for a descriptor of the program, whose first bytes are head. A build without symbols
// leaves descriptors out, so those of a twin lie elsewhere: the hash of the type finds them.
func (p *Program) described(address uint64, head []byte) (uint32, bool) {
	if p.twin == nil {
		return find(p.symbols.descriptors, address)
	}
	if p.hashes == nil {
		p.hashes = make(map[uint32]uint32, len(p.symbols.descriptors))
		for _, d := range p.symbols.descriptors {
			if hash := p.twin.word32(d.address + hashAt); hash != 0 {
				p.hashes[hash] = d.entry
			}
		}
	}
	at, ok := p.hashes[binary.LittleEndian.Uint32(head[hashAt:])]
	return at, ok
}

// Descriptor is the type of a runtime type descriptor at an address of the running program, nil if there is none.
func (p *Program) Descriptor(address uint64) *Type {
	address -= p.bias
	m := &p.image.module
	if address < m.types || address >= m.etypes || address%8 != 0 {
		return nil
	}
	return p.fromDescriptor(address)
}

func (p *Program) fromDescriptor(address uint64) *Type {
	if id, ok := p.byDescriptor[address]; ok {
		if id < 0 {
			return nil
		}
		return p.types[id]
	}
	if p.depth > maxDepth || len(p.byDescriptor) > maxTypes {
		return nil
	}
	p.depth++
	defer func() { p.depth-- }()
	var head [descriptorSize]byte
	if !p.image.read(address, head[:]) {
		p.byDescriptor[address] = -1
		return nil
	}
	size := int64(binary.LittleEndian.Uint64(head[:]))
	if p.symbols != nil {
		if at, ok := p.described(address, head[:]); ok {
			if t := p.fromEntry(at); t != nil && t.Size == size {
				p.byDescriptor[address] = t.ID
				return t
			}
		}
	}
	t := p.decode(address, head[:])
	if t == nil {
		p.byDescriptor[address] = -1
	}
	return t
}

// decode reads a descriptor from the program's file.
func (p *Program) decode(address uint64, head []byte) *Type {
	kind := head[23] & goKindMask
	flags := head[20]
	size := int64(binary.LittleEndian.Uint64(head))
	if kind == 0 || kind > goUnsafe || size < 0 || size > 1<<40 || binary.LittleEndian.Uint64(head[8:]) > uint64(size) {
		return nil
	}
	t := &Type{Size: size, alignment: int64(head[21]), descriptor: address, in: p.image}
	text, ok := p.name(p.image.module.types + uint64(binary.LittleEndian.Uint32(head[40:])))
	if !ok {
		return nil
	}
	if flags&flagExtraStar != 0 {
		text = strings.TrimPrefix(text, "*")
	}
	t.Name = text
	own := uint64(descriptorSize)
	pointer := func(offset uint64) reference {
		if value := p.image.pointer(address + offset); value != 0 {
			return isDescriptor | reference(value)
		}
		return 0
	}
	switch kind {
	case goPointer:
		t.Kind, t.element = Pointer, pointer(48)
		own = 56
	case goSlice:
		t.Kind, t.element = Slice, pointer(48)
		own = 56
	case goArray:
		t.Kind, t.element, t.count = Array, pointer(48), int64(p.image.word(address+64))
		own = 72
	case goChan:
		t.Kind, t.element = Channel, pointer(48)
		own = 64
	case goMap:
		t.Kind, t.key, t.element = Map, pointer(48), pointer(56)
		own = p.mapDescriptorSize()
	case goFunc:
		t.Kind = Function
		own = 56
	case goInterface:
		t.Kind = Interface
		if p.image.word(address+64) == 0 {
			t.Kind = EmptyInterface
		}
		own = 80
	case goString:
		t.Kind = String
	case goUnsafe:
		t.Kind = UnsafePointer
	case goStruct:
		t.Kind = Struct
		own = 80
		p.fields(t, p.image.pointer(address+56), p.image.word(address+64))
	}
	p.add(t)
	p.byDescriptor[address] = t.ID
	if flags&flagNamed != 0 {
		if flags&flagUncommon != 0 {
			t.Name = p.qualified(text, p.image.word32(address+own))
		}
	} else {
		t.Name = p.unnamed(t, text)
	}
	t.Shape = strings.Contains(t.Name, "go.shape.")
	p.special(t)
	return t
}

func (p *Program) fields(t *Type, at, count uint64) {
	if count > maxFields || p.allFields+int(count) > maxAllFields {
		return
	}
	p.allFields += int(count)
	for i := uint64(0); i < count; i++ {
		base := at + i*fieldSize
		typ := p.image.pointer(base + 8)
		if typ == 0 {
			return
		}
		name, _ := p.name(p.image.pointer(base))
		offset := int64(p.image.word(base + 16))
		if offset < 0 || offset > t.Size {
			return
		}
		t.fields = append(t.fields, field{name, offset, isDescriptor | reference(typ)})
	}
}

// name reads a name of the runtime: a byte of flags, the length, the text.
func (p *Program) name(at uint64) (string, bool) {
	var head [11]byte
	n := len(head)
	for n > 2 && !p.image.read(at, head[:n]) {
		n--
	}
	c := cursor{data: head[:n], at: 1}
	length := c.unsigned()
	if c.broken || length > maxName {
		return "", false
	}
	text := make([]byte, length)
	if !p.image.read(at+uint64(c.at), text) {
		return "", false
	}
	return string(text), true
}

// qualified puts the whole path of the package before a name that has its last element alone.
func (p *Program) qualified(text string, path uint32) string {
	if path == 0 {
		return text
	}
	whole, ok := p.name(p.image.module.types + uint64(path))
	if !ok || whole == "" {
		return text
	}
	end := strings.IndexByte(text, '[')
	if end < 0 {
		end = len(text)
	}
	if dot := strings.IndexByte(text[:end], '.'); dot >= 0 {
		return whole + text[dot:]
	}
	return text
}

// unnamed is the name of a composite type by the whole names of its parts.
func (p *Program) unnamed(t *Type, text string) string {
	element := p.Element(t)
	if element == nil {
		return text
	}
	switch t.Kind {
	case Pointer:
		return "*" + element.Name
	case Slice:
		return "[]" + element.Name
	case Array:
		return "[" + strconv.FormatInt(t.count, 10) + "]" + element.Name
	case Map:
		if key := p.Key(t); key != nil {
			return "map[" + key.Name + "]" + element.Name
		}
	case Channel:
		if at := strings.IndexByte(text, ' '); at > 0 && !strings.HasPrefix(element.Name, "<-") {
			return text[:at+1] + element.Name
		}
	}
	return text
}
