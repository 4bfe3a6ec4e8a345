package program

import (
	"debug/elf"
	"encoding/binary"
)

const (
	maxCode      = 64 << 10 // bytes of a function that are looked at
	pageBits     = 12
	pageOpcode   = 0x90000000 // of arm64: the page of an address into a register
	pageMask     = 0x9f000000
	addOpcode    = 0x91000000 // of arm64: a number to a register
	addMask      = 0xffc00000
	registerMask = 31
)

// Mentioned are the types whose descriptors the code of a function names, as variables that lead to values of them: what
// it allocates. The compiler leaves variables that it has optimised away out of DWARF, but not what makes their values.
func (p *Program) Mentioned(entryPC uint64) []*Type {
	if list, ok := p.mentioned[entryPC]; ok {
		return list
	}
	if p.mentioned == nil {
		p.mentioned = map[uint64][]*Type{}
	}
	table := &p.image.lines
	i := table.function(entryPC - p.bias)
	if i < 0 {
		return nil
	}
	start, end := table.entry(i), table.entry(i+1)
	code := make([]byte, min(end-start, maxCode))
	var list []*Type
	if p.image.read(start, code) {
		seen := map[*Type]bool{}
		note := func(address uint64) {
			m := &p.image.module
			if address < m.types || address >= m.etypes || address%pointerSize != 0 || len(list) >= maxDistinct {
				return
			}
			if t := p.fromDescriptor(address); t != nil && t.Size > 0 && !seen[t] {
				seen[t] = true
				list = append(list, p.leading(t)...)
			}
		}
		if p.image.elf.Machine == elf.EM_AARCH64 {
			pagesAndAdditions(code, start, note)
		} else {
			relativeOperands(code, start, note)
		}
	}
	p.mentioned[entryPC] = list
	return list
}

// leading are types of variables that lead to values of a type.
func (p *Program) leading(t *Type) []*Type {
	if t.Kind == Map || t.Kind == Channel {
		return []*Type{t}
	}
	element := reference(t.ID)
	return []*Type{
		p.add(&Type{Name: "*" + t.Name, Kind: Pointer, Size: pointerSize, element: element, Shape: t.Shape}),
		p.add(&Type{Name: "[]" + t.Name, Kind: Slice, Size: 3 * pointerSize, element: element, Shape: t.Shape}),
	}
}

// relativeOperands calls note with each address that an instruction of amd64 may name by its distance.
func relativeOperands(code []byte, start uint64, note func(uint64)) {
	for at := 0; at+4 <= len(code); at++ {
		distance := int64(int32(binary.LittleEndian.Uint32(code[at:])))
		note(start + uint64(at) + 4 + uint64(distance))
	}
}

// pagesAndAdditions calls note with each address that two instructions of arm64 put together.
func pagesAndAdditions(code []byte, start uint64, note func(uint64)) {
	var pages [registerMask + 1]uint64
	for at := 0; at+4 <= len(code); at += 4 {
		instruction := binary.LittleEndian.Uint32(code[at:])
		register := instruction & registerMask
		switch {
		case instruction&pageMask == pageOpcode:
			high := int64(int32(instruction<<8)>>13)<<2 | int64(instruction>>29&3) // 19 bits with their sign, then 2
			pages[register] = (start+uint64(at))>>pageBits<<pageBits + uint64(high<<pageBits)
		case instruction&addMask == addOpcode:
			if page := pages[instruction>>5&registerMask]; page != 0 {
				note(page + uint64(instruction>>10&0xfff))
			}
		}
	}
}
