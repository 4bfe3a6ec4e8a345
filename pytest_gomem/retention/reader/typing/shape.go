package typing

import (
	"strings"

	"gomem/heapreader/program"
)

// fits says whether the words of an object that the collector takes for pointers are those of a type, as far as that
// is known: the first ones of a large object are enough.
func (r *run) fits(object int, t *program.Type) bool {
	switch t.Kind {
	case program.MapHeader, program.MapDirectory, program.MapTable, program.OldMapHeader, program.ChannelHeader,
		program.Closure, program.TrieNode:
		return true
	}
	if t.Name == "[]sync.eface" || isRuntime(strings.TrimPrefix(t.Name, "[]")) { // it has pointers that the collector does not see
		return true
	}
	expected := r.program.PointerOffsets(t)
	if expected == nil {
		return true
	}
	base, size, behind := r.header(object), uint64(t.Size), r.dump.Size(object)
	if t.Kind != program.Backing {
		behind = base + size
	} else if size > 0 {
		behind = base + (behind-base)/size*size // what is left has no element: the dump makes up pointers there
	}
	element, k, good := base, 0, true
	err := r.contents.Pointers(object, func(offset, _ uint64) bool {
		if k == len(expected) {
			k, element = 0, element+size
		}
		if element >= min(behind, base+checkedBytes) {
			return false
		}
		good = k < len(expected) && offset == element+expected[k]
		k++
		return good
	})
	if err != nil {
		r.err = err
	}
	return good && (k == len(expected) || element > base)
}

const checkedBytes = 4 << 10
