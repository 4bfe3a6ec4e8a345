package dump

import (
	"strconv"
	"strings"
)

const (
	pageSize  = 1 << pageShift
	smallSize = 512 // bytes; larger objects have their type's description in front, and no bitmap at the end of the span
	bitmap    = pageSize / 64
	markBits  = 128
)

// spanEnds says which bytes at the end of a span of small objects the runtime keeps for itself. It writes them into the
// dump as objects, if one fits in.
type spanEnds struct {
	pointers bool // a bitmap of pointers, since Go 1.22
	marks    bool // mark bits of the Green Tea collector, Go 1.25 as an experiment, 1.26 by default
}

// spanEndsOf a Go version, such as "go1.25.3 X:greenteagc".
func spanEndsOf(version string) spanEnds {
	minor := 0
	if at := strings.Index(version, "go1."); at >= 0 {
		digits := version[at+len("go1."):]
		end := 0
		for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
			end++
		}
		minor, _ = strconv.Atoi(digits[:end])
	}
	return spanEnds{
		pointers: minor >= 22,
		marks:    minor >= 26 && !strings.Contains(version, "nogreenteagc") || minor == 25 && strings.Contains(version, "greenteagc"),
	}
}

// slots is how many objects a span has. All spans of small objects have one page.
func (e spanEnds) slots(size uint64, pointers bool) uint64 {
	kept := uint64(0)
	if e.pointers && pointers {
		kept += bitmap
	}
	if e.marks && size >= 16 {
		kept += markBits
	}
	return (pageSize - kept) / size
}

// dropPhantoms takes out what is no object but the end of a span.
func (o *objects) dropPhantoms(ends spanEnds) {
	if !ends.pointers && !ends.marks {
		return
	}
	kept := 0
	for i := 0; i < len(o.address); {
		page, size := o.address[i]>>pageShift, o.Size(i)
		end, pointers := i+1, o.HasPointers(i)
		if size <= smallSize {
			for end < len(o.address) && o.address[end]>>pageShift == page {
				pointers = pointers || o.HasPointers(end)
				end++
			}
		}
		for ; i < end; i++ {
			if size <= smallSize && o.address[i]%pageSize/size >= ends.slots(size, pointers) {
				continue
			}
			o.move(i, kept)
			kept++
		}
	}
	o.address, o.size, o.offset = o.address[:kept], o.size[:kept], o.offset[:kept]
}

// move gives an object a smaller number.
func (o *objects) move(from, to int) {
	if from == to {
		return
	}
	o.address[to], o.size[to], o.offset[to] = o.address[from], o.size[from], o.offset[from]
	if size, ok := o.large[int32(from)]; ok {
		o.large[int32(to)] = size
		delete(o.large, int32(from))
	}
	if bit := uint64(1) << uint(to%64); o.HasPointers(from) {
		o.scan[to/64] |= bit
	} else {
		o.scan[to/64] &^= bit
	}
}
