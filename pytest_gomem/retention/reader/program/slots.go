package program

import "strings"

// Pointers says whether memory of the type leads anywhere.
func (p *Program) Pointers(t *Type) bool {
	switch t.Kind {
	case Plain, Text:
		return false
	case MapHeader, MapDirectory, MapTable, OldMapHeader, ChannelHeader, TrieNode, Closure:
		return true
	}
	return len(p.Slots(t)) > 0
}

// PointerOffsets are the words of one T, or of one element of a backing array, that the collector takes for pointers,
// in order; nil if they are too many.
func (p *Program) PointerOffsets(t *Type) []uint64 {
	if !t.offsetsRead {
		t.offsetsRead = true
		if offsets, ok := p.pointerOffsets(nil, p.Slots(t), 0, 0); ok {
			t.offsets = offsets
		}
	}
	return t.offsets
}

func (p *Program) pointerOffsets(out []uint64, slots []Slot, base int64, depth int) ([]uint64, bool) {
	for i := range slots {
		s := &slots[i]
		at := uint64(base + s.Offset)
		switch s.Kind {
		case Interface, EmptyInterface:
			at += pointerSize
		case ReflectValue:
			out = append(out, at)
			at += pointerSize
		case Array:
			t := p.Target(s)
			if t == nil || depth > maxDepth {
				return nil, false
			}
			inner := p.Slots(t)
			for k := int64(0); k < s.Count; k++ {
				var ok bool
				if out, ok = p.pointerOffsets(out, inner, base+s.Offset+k*t.Size, depth+1); !ok {
					return nil, false
				}
			}
			continue
		}
		if out = append(out, at); len(out) > maxSlots {
			return nil, false
		}
	}
	return out, true
}

// Slots are the places of one T, or of one element of a backing array, in order.
func (p *Program) Slots(t *Type) []Slot {
	if !t.unfolded {
		t.unfolded = true
		if t.Kind == Backing {
			if e := p.Element(t); e != nil {
				t.slots = p.Slots(e)
			}
		} else {
			p.steps = 0
			t.slots = p.unfold(nil, typeReference(t), 0, "", 0)
		}
	}
	return t.slots
}

func (p *Program) unfold(out []Slot, r reference, offset int64, name string, depth int) []Slot {
	t := p.resolve(r)
	p.steps++
	if t == nil || depth > maxDepth || len(out) >= maxSlots || p.steps > maxSteps {
		return out
	}
	switch t.Kind {
	case Pointer, Slice:
		return append(out, Slot{Offset: offset, Kind: t.Kind, Field: name, target: t.element})
	case UnsafePointer, Function, String, Interface, EmptyInterface, ReflectValue:
		return append(out, Slot{Offset: offset, Kind: t.Kind, Field: name})
	case Map, Channel:
		return append(out, Slot{Offset: offset, Kind: t.Kind, Field: name, target: reference(t.ID)})
	case Struct, TrieNode:
		return p.unfoldStruct(out, t, offset, name, depth)
	case Array:
		e := p.Element(t)
		if e == nil || t.count <= 0 || e.Size <= 0 {
			return out
		}
		sub := p.Slots(e)
		if len(sub) == 0 || t.count > (1<<40)/e.Size {
			return out
		}
		if int64(len(sub)) > unfoldedArray/t.count {
			return append(out, Slot{Offset: offset, Kind: Array, Count: t.count, Field: name, target: reference(e.ID)})
		}
		for i := int64(0); i < t.count; i++ {
			for _, s := range sub {
				s.Offset += offset + i*e.Size
				s.Field = name
				out = append(out, s)
			}
		}
	}
	return out
}

func (p *Program) unfoldStruct(out []Slot, t *Type, offset int64, name string, depth int) []Slot {
	if strings.HasPrefix(t.Name, "sync/atomic.Pointer[") || strings.HasPrefix(t.Name, "internal/runtime/atomic.Pointer[") ||
		strings.HasPrefix(t.Name, "runtime/internal/atomic.Pointer[") {
		for _, f := range t.fields {
			if held := p.resolve(f.typ); held != nil && held.Kind == Array {
				if pointer := p.Element(held); pointer != nil && pointer.Kind == Pointer {
					return append(out, Slot{Offset: offset + t.Size - pointerSize, Kind: Pointer, Field: name, target: pointer.element})
				}
			}
		}
	}
	for _, f := range t.fields {
		if f.offset < 0 || t.Size > 0 && f.offset > t.Size {
			continue
		}
		if t.Name == "sync.Pool" && (f.name == "local" || f.name == "victim") {
			out = append(out, Slot{Offset: offset + f.offset, Kind: PoolLocals, Field: f.name})
			continue
		}
		if f.name == "overflow" && (strings.HasPrefix(t.Name, "noalg.map.bucket[") || strings.HasPrefix(t.Name, "map.bucket[")) {
			if held := p.resolve(f.typ); held != nil && held.Kind != Plain {
				out = append(out, Slot{Offset: offset + f.offset, Kind: Pointer, Field: f.name, target: typeReference(t)})
			}
			continue
		}
		inner := f.name
		if name != "" {
			inner = name
		}
		out = p.unfold(out, f.typ, offset+f.offset, inner, depth+1)
	}
	return out
}

// align is the alignment of values of a type.
func (p *Program) align(t *Type, depth int) int64 {
	if t == nil || depth > maxDepth {
		return 1
	}
	if t.alignment > 0 {
		return min(t.alignment, pointerSize)
	}
	t.alignment = 1 // until it is known, for a type within itself
	largest := int64(pointerSize)
	switch t.Kind {
	case Struct:
		largest = 1
		for _, f := range t.fields {
			largest = max(largest, p.align(p.resolve(f.typ), depth+1))
		}
	case Array:
		largest = p.align(p.Element(t), depth+1)
	case Plain:
		largest = max(1, min(t.Size, pointerSize))
	}
	t.alignment = largest
	return largest
}
