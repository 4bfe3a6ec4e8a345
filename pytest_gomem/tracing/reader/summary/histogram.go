package summary

import "math/bits"

// parts is into how many each power of two is divided; the upper edge of a part is at most 1/parts above its values.
const parts = 16

// histogram counts durations, in ns, within a fixed memory.
type histogram struct {
	counts  [64 * parts]uint64
	n       uint64
	longest int64
}

func (h *histogram) add(ns int64) {
	if ns < 0 {
		return
	}
	h.counts[slot(uint64(ns))]++
	h.n++
	h.longest = max(h.longest, ns)
}

// slot of a value: values below parts have one of their own.
func slot(value uint64) int {
	if value < parts {
		return int(value)
	}
	power := bits.Len64(value) - 1 // of the highest bit
	return (power-3)*parts + int(value>>(power-4))&(parts-1)
}

// upper is the highest value of a slot.
func upper(slot int) int64 {
	if slot < parts {
		return int64(slot)
	}
	power := slot/parts + 3
	return int64(1)<<power + int64(slot%parts+1)<<(power-4) - 1
}

// quantile is the upper edge of where a share of all values lie below.
func (h *histogram) quantile(share float64) int64 {
	rank := uint64(share * float64(h.n))
	for i, count := range h.counts {
		if count > rank {
			return min(upper(i), h.longest)
		}
		rank -= count
	}
	return h.longest
}
