package typing

import "gomem/heapreader/program"

const (
	tableSize     = 32
	mapHeaderSize = 48
)

// fromGroups types the parts of maps that nothing leads to but a stack, from the groups that they lead to: the compiler
// does not write down each map that it keeps on the stack.
func (r *run) fromGroups() {
	if !r.program.Swiss() {
		return
	}
	tables := map[int]*program.Type{} // the header of each table's map
	r.unknown(tableSize, func(object int) {
		if groups := r.known(object, groupsAt); groups != nil {
			if header := r.program.MapOf(groups); header != nil {
				tables[object] = header
				r.typ[object] = r.program.MapTable(header).ID
			}
		}
	})
	if len(tables) == 0 {
		return
	}
	directories := map[int]*program.Type{}
	r.unknown(0, func(object int) {
		if header := tables[r.target(object, 0)]; header != nil && r.header(object) == 0 {
			directories[object] = header
			r.typ[object] = r.program.MapDirectory(header).ID
		}
	})
	r.unknown(mapHeaderSize, func(object int) {
		if header := directories[r.target(object, directoryAt)]; header != nil {
			r.typ[object] = header.ID
		}
	})
}

// unknown calls do for each object of unknown type with pointers, of that size if it is not 0.
func (r *run) unknown(size uint64, do func(object int)) {
	for i := range r.typ {
		if r.typ[i] == 0 && r.dump.HasPointers(i) && (size == 0 || r.dump.Size(i) == size) {
			do(i)
		}
	}
}

// target is the object at whose start a word of an object points, -1 if there is none.
func (r *run) target(object int, offset uint64) int {
	value, ok := r.contents.Word(object, offset)
	target := r.dump.Find(value)
	if !ok || target < 0 || value != r.dump.Address(target)+r.header(target) {
		return -1
	}
	return target
}

// known is the type of the object at whose start a word of an object points, nil if there is none.
func (r *run) known(object int, offset uint64) *program.Type {
	target := r.target(object, offset)
	if target < 0 || r.typ[target] <= 0 {
		return nil
	}
	return r.program.Type(r.typ[target])
}
