package program

import (
	"sort"
	"strings"
)

const (
	groupSlots    = 8
	controlSize   = 8
	largestInline = 128
	swissMinor    = 24
	splitMinor    = 27 // descriptors of maps with offsets of keys and elements
)

// Swiss says whether the program has the maps of Go 1.24.
func (p *Program) Swiss() bool {
	return p.image.minor >= swissMinor && !strings.Contains(p.image.experiments, "noswissmap")
}

func (p *Program) mapDescriptorSize() uint64 {
	switch {
	case !p.Swiss():
		return 88
	case p.image.minor >= splitMinor:
		return 136
	}
	return 112
}

// layout is how a map places keys and elements in a group of eight.
type layout struct {
	size, keys, keyStride, elements, elementStride int64
	indirectKey, indirectElement                   bool
	overflow                                       int64 // of old maps, -1
}

// MapTable is the type of a table of a map with this header.
func (p *Program) MapTable(header *Type) *Type {
	if header.header == nil {
		header.header = p.add(&Type{
			Name: header.Name, Kind: MapTable, Size: 32, Part: true, Shape: header.Shape,
			key: header.key, element: header.element, descriptor: header.descriptor, in: header.in,
		})
	}
	return header.header
}

// MapDirectory is the type of the pointers to the tables.
func (p *Program) MapDirectory(header *Type) *Type {
	table := p.MapTable(header)
	if table.header == nil {
		table.header = p.add(&Type{
			Name: header.Name, Kind: MapDirectory, Size: pointerSize, Part: true, Shape: header.Shape,
			element: reference(table.ID),
		})
	}
	return table.header
}

// MapGroups is the type of a row of groups, or of buckets, of a map with this header or table.
func (p *Program) MapGroups(of *Type) *Type {
	if of.backing != nil {
		return of.backing
	}
	l := p.layout(of)
	group := &Type{Name: of.Name, Kind: MapGroup, Size: l.size, Part: true, Shape: of.Shape, unfolded: true}
	p.add(group)
	key, element := p.Key(of), p.Element(of)
	for i := int64(0); i < groupSlots; i++ {
		group.slots = p.placed(group.slots, key, l.keys+i*l.keyStride, l.indirectKey)
		group.slots = p.placed(group.slots, element, l.elements+i*l.elementStride, l.indirectElement)
	}
	sort.SliceStable(group.slots, func(i, j int) bool { return group.slots[i].Offset < group.slots[j].Offset })
	row := p.Backing(group)
	if l.overflow >= 0 {
		group.slots = append(group.slots, Slot{Offset: l.overflow, Kind: Pointer, target: reference(row.ID)})
	}
	row.slots, row.unfolded = group.slots, true
	row.Part, row.Name = true, of.Name
	of.backing = row
	return row
}

func (p *Program) placed(out []Slot, t *Type, offset int64, indirect bool) []Slot {
	if t == nil {
		return out
	}
	if indirect {
		return append(out, Slot{Offset: offset, Kind: Pointer, target: reference(t.ID)})
	}
	for _, s := range p.Slots(t) {
		s.Offset += offset
		out = append(out, s)
	}
	return out
}

func (p *Program) layout(of *Type) layout {
	at := of.descriptor
	byte1 := func(offset uint64) int64 {
		var one [1]byte
		of.in.read(at+offset, one[:])
		return int64(one[0])
	}
	if at == 0 {
		return p.computedLayout(of)
	}
	if !p.Swiss() {
		l := layout{keys: controlSize, keyStride: byte1(80), elementStride: byte1(81), size: int64(of.in.word32(at+80) >> 16)}
		flags := byte1(84)
		l.indirectKey, l.indirectElement = flags&1 != 0, flags&2 != 0
		l.elements = l.keys + groupSlots*l.keyStride
		if e := p.Element(of); e != nil && !l.indirectElement {
			l.elements = roundUp(l.elements, p.align(e, 0))
		}
		l.overflow = l.size - pointerSize
		return l
	}
	l := layout{size: int64(of.in.word(at + 80)), overflow: -1}
	var flags uint32
	if p.image.minor >= splitMinor {
		l.keys, l.keyStride = int64(of.in.word(at+88)), int64(of.in.word(at+96))
		l.elements, l.elementStride = int64(of.in.word(at+104)), int64(of.in.word(at+112))
		flags = of.in.word32(at + 128)
	} else {
		slot := int64(of.in.word(at + 88))
		l.keys, l.keyStride, l.elementStride = controlSize, slot, slot
		l.elements = controlSize + int64(of.in.word(at+96))
		flags = of.in.word32(at + 104)
	}
	l.indirectKey, l.indirectElement = flags&4 != 0, flags&8 != 0
	if l.size <= 0 || l.size > 1<<16 || l.keys < 0 || l.keys > l.size || l.elements < 0 || l.elements > l.size ||
		l.keyStride < 0 || l.keyStride > l.size || l.elementStride < 0 || l.elementStride > l.size {
		return p.computedLayout(of)
	}
	return l
}

// computedLayout is that of a map without a descriptor.
func (p *Program) computedLayout(of *Type) layout {
	key, element := p.Key(of), p.Element(of)
	l := layout{keys: controlSize, overflow: -1}
	measure := func(t *Type, indirect *bool) (int64, int64) {
		if t == nil {
			return pointerSize, pointerSize
		}
		if t.Size > largestInline {
			*indirect = true
			return pointerSize, pointerSize
		}
		return t.Size, p.align(t, 0)
	}
	keySize, keyAlign := measure(key, &l.indirectKey)
	elementSize, elementAlign := measure(element, &l.indirectElement)
	if !p.Swiss() {
		l.keyStride, l.elementStride = keySize, elementSize
		l.elements = roundUp(l.keys+groupSlots*keySize, elementAlign)
		l.overflow = roundUp(l.elements+groupSlots*elementSize, pointerSize)
		l.size = l.overflow + pointerSize
		return l
	}
	inSlot := roundUp(keySize, elementAlign)
	size := inSlot + elementSize
	if elementSize == 0 {
		size++ // Go keeps a pointer to the last field of a struct within it
	}
	slot := roundUp(size, max(keyAlign, elementAlign))
	l.elements, l.keyStride, l.elementStride = controlSize+inSlot, slot, slot
	l.size = controlSize + groupSlots*slot
	return l
}

// MapOf is a map's header, whose name is known from its groups alone.
func (p *Program) MapOf(groups *Type) *Type {
	name := strings.TrimPrefix(groups.Name, "[]")
	name = strings.TrimPrefix(name, "noalg.")
	if !groups.Part && !strings.HasPrefix(name, "map.group[") {
		return nil
	}
	if header, ok := p.maps[groups.ID]; ok {
		return header
	}
	if p.maps == nil {
		p.maps = map[int32]*Type{}
	}
	row := groups
	if row.Kind != Backing {
		row = p.Backing(groups)
	}
	header := p.add(&Type{
		Name: strings.Replace(name, "map.group[", "map[", 1), Kind: MapHeader, Size: 48, Shape: groups.Shape, backing: row,
	})
	p.maps[groups.ID] = header
	p.MapTable(header).backing = row
	return header
}

// MapExtra is the type that keeps overflow buckets of an old map alive where its buckets hold no pointers.
func (p *Program) MapExtra(header *Type) *Type {
	if header.header == nil {
		part := func(size int64, kind Kind, slots ...Slot) *Type {
			return p.add(&Type{
				Name: header.Name, Kind: kind, Size: size, Part: true, Shape: header.Shape, slots: slots, unfolded: true,
			})
		}
		row := p.MapGroups(header)
		bucket := part(pointerSize, Pointer, Slot{Kind: Pointer, target: reference(row.ID)})
		bucket.element = reference(row.ID)
		list := part(3*pointerSize, Struct, Slot{Kind: Slice, target: reference(bucket.ID)})
		header.header = part(
			3*pointerSize, Struct,
			Slot{Kind: Pointer, target: reference(list.ID)},
			Slot{Offset: pointerSize, Kind: Pointer, target: reference(list.ID)},
			Slot{Offset: 2 * pointerSize, Kind: Pointer, target: reference(row.ID)},
		)
	}
	return header.header
}

func roundUp(n, to int64) int64 {
	if to <= 1 {
		return n
	}
	return (n + to - 1) / to * to
}
