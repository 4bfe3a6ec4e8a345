package program

import (
	"strconv"
	"strings"
)

// Kind says how memory of a type is read.
type Kind uint8

const (
	Plain Kind = iota // no pointers that are followed
	Pointer
	UnsafePointer
	Function // a pointer to a closure
	String
	Slice
	Interface
	EmptyInterface
	Map     // a pointer to a map header
	Channel // a pointer to a channel header
	Struct
	Array
	ReflectValue
	PoolLocals // a pointer to as many sync.poolLocal as the next word says
	// What only objects are, not variables:
	Backing      // elements in a row
	Text         // data of strings
	Closure      // a function's entry and what it captured
	MapHeader    // of swiss maps
	MapDirectory // pointers to tables
	MapTable     // with the pointer to its groups
	MapGroup     // slots
	OldMapHeader // before Go 1.24
	ChannelHeader
	TrieNode // of sync.Map: an entry or children
)

// Kinds of reflect, as descriptors and DWARF have them.
const (
	goArray     = 17
	goChan      = 18
	goFunc      = 19
	goInterface = 20
	goMap       = 21
	goPointer   = 22
	goSlice     = 23
	goString    = 24
	goStruct    = 25
	goUnsafe    = 26
	goKindMask  = 31
)

// reference names a type that need not have been read: a number, an entry of DWARF or a descriptor.
type reference uint64

const (
	isEntry      reference = 1 << 63
	isDescriptor reference = 1 << 62
)

// Type is a Go type, or what a part of a map or channel is made of.
type Type struct {
	ID          int32
	Name        string
	Size        int64
	Kind        Kind
	Part        bool // an inner part of a map, channel or pool: Name is that of the whole
	Shape       bool // of a generic function's shape, not the very type
	alignment   int64
	element     reference
	key         reference
	count       int64
	descriptor  uint64 // as the linker placed it, 0 if there is none
	in          *image // that has the descriptor
	fields      []field
	slots       []Slot
	offsets     []uint64
	offsetsRead bool
	unfolded    bool
	backing     *Type
	header      *Type
}

type field struct {
	name   string
	offset int64
	typ    reference
}

// Slot is one place in memory of a type that leads elsewhere.
type Slot struct {
	Offset int64
	Kind   Kind // Array: Count elements of Target
	Count  int64
	Field  string
	target reference
}

const (
	maxTypes      = 1 << 20
	maxFields     = 1 << 16
	maxAllFields  = 1 << 23
	maxSteps      = 1 << 20 // of unfolding one type
	maxWork       = 1 << 31 // bytes of DWARF that are read again for types and functions
	maxTypeName   = 4 << 10
	maxSlots      = 1 << 14
	maxDepth      = 64
	unfoldedArray = 64 // slots of an array that are unfolded
	pointerSize   = 8
)

func (p *Program) add(t *Type) *Type {
	if len(p.types) >= maxTypes {
		return p.types[0]
	}
	t.ID = int32(len(p.types))
	p.types = append(p.types, t)
	return t
}

// resolve is the type that a reference names, nil for none.
func (p *Program) resolve(r reference) *Type {
	switch {
	case r == 0:
		return nil
	case r&isEntry != 0:
		return p.fromEntry(uint32(r))
	case r&isDescriptor != 0:
		return p.fromDescriptor(uint64(r &^ isDescriptor))
	case int(r) < len(p.types):
		return p.types[r]
	}
	return nil
}

func entryReference(at uint64) reference {
	if at == 0 || at > 1<<32-1 {
		return 0
	}
	return isEntry | reference(at)
}

func typeReference(t *Type) reference {
	if t == nil {
		return 0
	}
	return reference(t.ID)
}

// Field is the offset of a field of a struct, also of one of a struct embedded in it.
func (p *Program) Field(t *Type, name string) (int64, bool) {
	for _, f := range t.fields {
		if f.name == name {
			return f.offset, true
		}
	}
	return 0, false
}

// Target is the type that a slot leads to.
func (p *Program) Target(s *Slot) *Type {
	t := p.resolve(s.target)
	s.target = typeReference(t)
	return t
}

// Element is what a pointer points to, and what a slice, array, map or channel holds.
func (p *Program) Element(t *Type) *Type {
	e := p.resolve(t.element)
	t.element = typeReference(e)
	return e
}

// Key is that of a map.
func (p *Program) Key(t *Type) *Type {
	k := p.resolve(t.key)
	t.key = typeReference(k)
	return k
}

// fromEntry is the type of an entry of DWARF; nil if it is none.
func (p *Program) fromEntry(at uint32) *Type {
	if id, ok := p.byEntry[at]; ok {
		return p.types[id]
	}
	if p.depth > maxDepth || p.symbols == nil || p.work > maxWork {
		return nil
	}
	p.depth++
	defer func() { p.depth-- }()
	var e entry
	c, u, ok := p.symbols.entry(uint64(at), &e)
	if !ok {
		return nil
	}
	t := &Type{Name: typeName(e.name), Size: e.size}
	kind := e.kind & goKindMask
	switch e.tag {
	case tagBase, tagUnspecified:
		t.alignment = t.Size
	case tagPointer:
		t.Size, t.Kind, t.element = pointerSize, Pointer, entryReference(e.typ)
		if e.typ == 0 {
			t.Kind = UnsafePointer
		}
	case tagSubroutine:
		t.Size, t.Kind = pointerSize, Function
	case tagArray:
		t.Kind, t.element = Array, entryReference(e.typ)
		t.count = p.children(&c, u, &e, t)
	case tagStruct:
		p.children(&c, u, &e, t)
		switch {
		case kind == goString:
			t.Kind = String
		case kind == goSlice:
			t.Kind, t.element = Slice, entryReference(e.elem)
		case t.Name == "runtime.eface" || t.Name == "sync.eface":
			t.Kind = EmptyInterface
		case t.Name == "runtime.iface":
			t.Kind = Interface
		default:
			t.Kind = Struct
		}
	case tagTypedef:
		switch kind {
		case goMap:
			t.Kind, t.Size, t.key, t.element = Map, pointerSize, entryReference(e.key), entryReference(e.elem)
		case goChan:
			t.Kind, t.Size, t.element = Channel, pointerSize, entryReference(e.elem)
		default:
			under := p.resolve(entryReference(e.typ))
			if under == nil {
				return nil
			}
			if t.Name == "" || t.Name[0] == '.' {
				p.byEntry[at] = under.ID
				return under
			}
			name := t.Name
			copied := *under
			t = &copied
			t.Name, t.backing, t.header = name, nil, nil
		}
	default:
		return nil
	}
	if t.Name == "" {
		t.Name = p.composed(t)
	}
	t.Shape = strings.Contains(t.Name, "go.shape.")
	if e.hasRuntimeType && t.descriptor == 0 {
		t.descriptor, t.in = p.symbols.descriptorOf(e.runtimeType), p.symbols.im
	}
	p.special(t)
	p.add(t)
	p.byEntry[at] = t.ID
	return t
}

// children reads fields into t and gives the count of an array.
func (p *Program) children(c *cursor, u *unit, e *entry, t *Type) int64 {
	var count int64
	if !e.children {
		return 0
	}
	start := c.at
	defer func() { p.work += c.at - start }()
	var child entry
	for depth := 1; depth > 0 && !c.broken; {
		p.symbols.parse(c, u, &child)
		switch {
		case child.tag == 0:
			depth--
			continue
		case depth == 1 && child.tag == tagMember && len(t.fields) < maxFields && p.allFields < maxAllFields:
			p.allFields++
			t.fields = append(t.fields, field{string(child.name), child.member, entryReference(child.typ)})
		case depth == 1 && child.tag == tagSubrange:
			count = child.count
		}
		if child.children {
			depth++
		}
	}
	return count
}

// special marks the types of the standard library that hide others behind unsafe pointers.
func (p *Program) special(t *Type) {
	if t.Kind != Struct {
		return
	}
	switch {
	case t.Name == "reflect.Value":
		t.Kind = ReflectValue
	case strings.HasPrefix(t.Name, "internal/sync.node["), strings.HasPrefix(t.Name, "unique.node["):
		t.Kind = TrieNode
	case t.Name == "sync.eface":
		t.Kind = EmptyInterface
	}
}

// typeName undoes the escapes of package paths in symbols.
func typeName(name []byte) string {
	text := string(name[:min(len(name), maxTypeName)])
	if !strings.Contains(text, "%") {
		return text
	}
	return strings.NewReplacer("%2e", ".", "%22", `"`, "%25", "%").Replace(text)
}

// composed is the name of a type that has none of its own.
func (p *Program) composed(t *Type) string {
	element := func() string {
		if e := p.Element(t); e != nil {
			return e.Name
		}
		return "?"
	}
	switch t.Kind {
	case Pointer:
		return "*" + element()
	case Slice:
		return "[]" + element()
	case Array:
		return "[" + strconv.FormatInt(t.count, 10) + "]" + element()
	case Function:
		return "func"
	}
	return "?"
}
