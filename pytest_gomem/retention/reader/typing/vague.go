package typing

import (
	"strings"

	"gomem/heapreader/dump"
	"gomem/heapreader/program"
)

// vague is a closure that captured what its function's symbols do not place, as before Go 1.23.
type vague struct {
	object int32
	pc     uint64
}

const mostInDictionary = 32

// fromClosures guesses what closures captured from the variables of their functions.
func (r *run) fromClosures() {
	list := r.vague
	r.vague = nil
	for _, v := range list {
		memory, err := r.contents.Chunk(int(v.object), r.header(int(v.object)), dump.MaxChunk)
		if err != nil {
			r.err = err
			return
		}
		variables := r.program.Variables(v.pc)
		if t := r.program.Closure(v.pc); strings.HasPrefix(t.Name, "func runtime.AddCleanup[") {
			variables = r.cleaned(memory)
			for at := int64(8); at+8 <= int64(len(memory)); at += 8 {
				r.noteArguments(word(memory, at))
			}
		}
		for at := int64(8); at+8 <= int64(len(memory)); at += 8 {
			r.match(memory, at, variables, false)
		}
	}
}

// cleaned is the type of the argument of the function that the closure of a cleanup calls.
func (r *run) cleaned(memory []byte) []*program.Type {
	for at := int64(8); at+8 <= int64(len(memory)); at += 8 {
		function := word(memory, at)
		pc := r.program.Static(function)
		if object := r.dump.Find(function); object >= 0 {
			pc, _ = r.dump.Word(object, function-r.dump.Address(object))
		}
		if r.program.IsEntry(pc) {
			if t := r.program.Parameter(pc); t != nil {
				return []*program.Type{t}
			}
		}
	}
	return nil
}

// noteArguments keeps the types of a cleanup's argument, if a word leads to the dictionary of a generic function, which
// names them: nothing of the heap leads to a copy of the argument since Go 1.26, or it is known by its shape alone.
func (r *run) noteArguments(dictionary uint64) {
	for k := uint64(0); k < mostInDictionary; k++ {
		value := r.program.Static(dictionary + 8*k)
		if value == 0 {
			return
		}
		t := r.program.Descriptor(value)
		if t == nil || t.Kind != program.Pointer { // such as a dictionary of what it calls
			continue
		}
		if argument := r.program.Element(t); argument != nil && argument.Kind != program.Function && r.program.Pointers(argument) {
			r.arguments[argument] = true
		}
	}
}

// fromArguments takes objects that nothing leads to for copies of the arguments of cleanups.
func (r *run) fromArguments() {
	if len(r.arguments) == 0 {
		return
	}
	for i := 0; i < r.dump.Len() && r.err == nil; i++ {
		if !r.dump.HasPointers(i) || r.typ[i] != 0 && !r.program.Type(max(r.typ[i], -r.typ[i])).Shape {
			continue
		}
		var only *program.Type
		clear := true
		for t := range r.arguments {
			if r.fills(i, uint64(t.Size)) && r.plausible(i, t) {
				clear = only == nil
				only = t
			}
		}
		if only != nil && clear {
			r.typ[i] = 0
			r.guess(i, only)
		}
	}
}

// plausible says whether all pointers of an object could be those of a type, and whether there is any.
func (r *run) plausible(object int, t *program.Type) bool {
	header := r.header(object)
	found := false
	slots := r.program.Slots(t)
	for i := range slots {
		s := &slots[i]
		if s.Kind != program.Pointer {
			continue
		}
		value, _ := r.contents.Word(object, header+uint64(s.Offset))
		if value == 0 {
			continue
		}
		target, held := r.dump.Find(value), r.program.Target(s)
		if target < 0 || held == nil || value != r.dump.Address(target)+r.header(target) {
			return false
		}
		known := r.typ[target]
		if known != 0 && known != held.ID && known != -held.ID || !r.fills(target, uint64(held.Size)) ||
			r.program.Pointers(held) != r.dump.HasPointers(target) {
			return false
		}
		found = true
	}
	return found
}

// unplaced guesses what the words of a frame point to from the variables of its function: the compiler keeps some
// variables, and what they point to on the stack, in places that it does not write down.
func (r *run) unplaced(f *dump.Frame) {
	var variables, mentioned []*program.Type
	start := f.SP - r.stack.low
	for at := start; at+8 <= start+uint64(f.Size); at += 8 {
		if r.dump.Find(word(r.stack.memory, int64(at))) < 0 {
			continue
		}
		if mentioned == nil {
			variables, mentioned = r.program.Variables(f.Entry), r.program.Mentioned(f.Entry)
			if len(variables)+len(mentioned) == 0 {
				return
			}
		}
		if !r.match(r.stack.memory, int64(at), variables, true) {
			r.match(r.stack.memory, int64(at), mentioned, true)
		}
	}
}

// match takes an object of unknown type, to which a word points, for the only one that it can be of the types to which
// variables lead. It says whether there is such a type, or nothing to do. headers: the word may also be one of a map
// header.
func (r *run) match(memory []byte, at int64, variables []*program.Type, headers bool) bool {
	address := word(memory, at)
	object := r.dump.Find(address)
	if object < 0 || r.typ[object] != 0 || address != r.dump.Address(object)+r.header(object) {
		return true
	}
	var only *program.Type
	clear := true
	try := func(t *program.Type, count uint64) {
		if t == nil || t.Size <= 0 || count == 0 || count > r.dump.Size(object)/uint64(t.Size) || t == only {
			return
		}
		if r.fills(object, count*uint64(t.Size)) && r.program.Pointers(t) == r.dump.HasPointers(object) &&
			(!r.dump.HasPointers(object) || r.fits(object, t)) {
			clear = clear && only == nil
			only = t
		}
	}
	for _, v := range variables {
		slots := r.program.Slots(v)
		for i := range slots {
			switch s := &slots[i]; s.Kind {
			case program.Pointer:
				try(r.program.Target(s), 1)
			case program.Slice:
				if t := r.program.Target(s); t != nil && word(memory, at+8) <= word(memory, at+16) {
					try(r.program.Backing(t), word(memory, at+16))
				}
			case program.Map, program.Channel:
				header := r.program.Header(r.program.Target(s))
				try(header, 1)
				if headers && s.Kind == program.Map {
					r.tryMap(header, memory, at, try)
				}
			}
		}
	}
	if clear && only != nil {
		r.guess(object, only)
	}
	return only != nil
}

// tryMap takes the word for that of a map header on the stack which points to the map's contents.
func (r *run) tryMap(header *program.Type, memory []byte, at int64, try func(*program.Type, uint64)) {
	if header.Kind == program.MapHeader {
		if length := word(memory, at+directoryLengthAt-directoryAt); length == 0 {
			try(r.program.MapGroups(header), 1)
		} else {
			try(r.program.MapDirectory(header), length)
		}
		return
	}
	if logarithm := at + bucketCountAt - bucketsAt; logarithm >= 0 && memory[logarithm] <= maxBucketBits {
		try(r.program.MapGroups(header), buckets(memory[logarithm]))
	}
	if logarithm := at + bucketCountAt - oldBucketsAt; logarithm >= 0 && memory[logarithm]-1 <= maxBucketBits {
		try(r.program.MapGroups(header), buckets(memory[logarithm]-1))
	}
}
