package program

import (
	"errors"
	"fmt"
	"sort"
)

const (
	tableMagic       = 0xfffffff1 // since Go 1.20
	inlineIndexTable = 2          // of a function's pc data
	inlineTree       = 3          // of a function's data
	inlineEntry      = 16
	functionFixed    = 44
	maxFunctions     = 1 << 24
	maxTableSteps    = 1 << 20
)

// lineTable is the runtime's table of functions and lines, which stripped programs have too. It is read in place.
type lineTable struct {
	im                                            *image
	base, text                                    uint64
	count                                         int
	quantum                                       uint64
	names, units, files, programs, functionsTable uint64 // offsets from base
}

func (t *lineTable) open(im *image, base uint64) error {
	t.im, t.base = im, base
	if magic := im.word32(base); magic != tableMagic {
		return fmt.Errorf("its table of lines is of a kind (%#x) that Go 1.21 to 1.27 do not write", magic)
	}
	var small [2]byte
	im.read(base+6, small[:])
	t.quantum = uint64(small[0])
	count := im.word(base + 8)
	if small[1] != 8 || count > maxFunctions || t.quantum == 0 {
		return errors.New("its table of lines is broken")
	}
	t.count = int(count)
	t.names, t.units, t.files = im.word(base+32), im.word(base+40), im.word(base+48)
	t.programs, t.functionsTable = im.word(base+56), im.word(base+64)
	return nil
}

func (t *lineTable) entry(i int) uint64 {
	return t.text + uint64(t.im.word32(t.base+t.functionsTable+uint64(i)*8))
}

// function is the index of the function that holds pc, or -1.
func (t *lineTable) function(pc uint64) int {
	if t.count == 0 || pc < t.entry(0) || pc >= t.entry(t.count) {
		return -1
	}
	return sort.Search(t.count, func(i int) bool { return t.entry(i) > pc }) - 1
}

func (t *lineTable) record(i int) uint64 {
	return t.base + t.functionsTable + uint64(t.im.word32(t.base+t.functionsTable+uint64(i)*8+4))
}

func (t *lineTable) name(i int) string {
	return t.im.text(t.base + t.names + uint64(t.im.word32(t.record(i)+4)))
}

// place is the innermost function at pc, inlined ones too, with its file and line.
func (t *lineTable) place(pc uint64) (function, file string, line int, found bool) {
	i := t.function(pc)
	if i < 0 {
		return "", "", 0, false
	}
	record, start := t.record(i), t.entry(i)
	function = t.name(i)
	fileIndex, known := t.value(t.im.word32(record+20), start, pc)
	if known && fileIndex >= 0 {
		unit := uint64(t.im.word32(record + 32))
		if offset := t.im.word32(t.base + t.units + (unit+uint64(fileIndex))*4); offset != ^uint32(0) {
			file = t.im.text(t.base + t.files + uint64(offset))
		}
	}
	if at, known := t.value(t.im.word32(record+24), start, pc); known {
		line = int(at)
	}
	if name := t.inlined(record, start, pc); name != "" {
		function = name
	}
	return function, file, line, true
}

func (t *lineTable) inlined(record, start, pc uint64) string {
	at, inlined := t.inlineAt(record, start, pc)
	if !inlined {
		return ""
	}
	return t.im.text(t.base + t.names + uint64(t.im.word32(at+4)))
}

// inlineAt is the address of the entry of the function that is inlined at pc.
func (t *lineTable) inlineAt(record, start, pc uint64) (uint64, bool) {
	tables := uint64(t.im.word32(record + 28))
	var counts [1]byte
	if !t.im.read(record+43, counts[:]) || tables <= inlineIndexTable || counts[0] <= inlineTree || tables > 64 {
		return 0, false
	}
	index, known := t.value(t.im.word32(record+functionFixed+inlineIndexTable*4), start, pc)
	tree := t.im.word32(record + functionFixed + tables*4 + inlineTree*4)
	if !known || index < 0 || tree == ^uint32(0) || t.im.module.functionData == 0 {
		return 0, false
	}
	return t.im.module.functionData + uint64(tree) + uint64(index)*inlineEntry, true
}

// value runs the table of one kind up to pc.
func (t *lineTable) value(offset uint32, start, pc uint64) (found int32, known bool) {
	t.each(offset, start, func(_, end uint64, value int32) bool {
		if pc < end {
			found, known = value, true
		}
		return !known
	})
	return found, known
}

// each gives the values of a function's table, with the code addresses that they are of.
func (t *lineTable) each(offset uint32, start uint64, yield func(start, end uint64, value int32) bool) {
	if offset == 0 {
		return
	}
	address := t.base + t.programs + uint64(offset)
	value := int32(-1)
	for step := 0; step < maxTableSteps; step++ {
		delta, ok := t.varint(&address)
		if !ok || delta == 0 && step > 0 {
			return
		}
		if delta&1 != 0 {
			value += ^int32(delta >> 1)
		} else {
			value += int32(delta >> 1)
		}
		advance, ok := t.varint(&address)
		if !ok {
			return
		}
		end := start + uint64(advance)*t.quantum
		if !yield(start, end, value) {
			return
		}
		start = end
	}
}

func (t *lineTable) varint(address *uint64) (uint32, bool) {
	var value uint32
	var one [1]byte
	for shift := uint(0); shift < 35; shift += 7 {
		if !t.im.read(*address, one[:]) {
			return 0, false
		}
		*address++
		value |= uint32(one[0]&0x7f) << shift
		if one[0] < 0x80 {
			return value, true
		}
	}
	return 0, false
}
