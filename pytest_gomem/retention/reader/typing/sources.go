package typing

import (
	"gomem/heapreader/dump"
	"gomem/heapreader/program"
)

// fromHeaders takes the types that the allocator wrote before the contents of objects.
func (r *run) fromHeaders() {
	if !r.headers {
		return
	}
	for i := 0; i < r.dump.Len() && r.err == nil; i++ {
		if r.header(i) == 0 {
			continue
		}
		descriptor, ok := r.contents.Word(i, 0)
		if !ok {
			continue
		}
		t := r.program.Descriptor(descriptor)
		if t == nil && r.dump.Size(i) == largestSmall {
			r.bare[i] = true
		}
		if t == nil || t.Size <= 0 || !r.program.Pointers(t) {
			continue
		}
		if room := r.dump.Size(i) - headerSize; uint64(t.Size) > room {
			continue
		} else if room/uint64(t.Size) > 1 {
			t = r.program.Backing(t)
		}
		r.assign(i, t)
	}
}

// fromGlobals follows all variables of data and bss.
func (r *run) fromGlobals() {
	for _, v := range r.program.Globals() {
		segment := r.dump.SegmentAt(v.Address)
		if segment == nil {
			continue
		}
		r.owner = static{owner: v.Name, ownerType: display(v.Type.Name)}
		memory := segment.Data[v.Address-segment.Address:]
		if uint64(len(memory)) > uint64(v.Type.Size) {
			memory = memory[:v.Type.Size]
		}
		r.walk(v.Type, memory, nil)
		r.outsideAll()
	}
	r.owner = static{}
}

func (r *run) fromFinalizers() {
	for _, list := range [][]dump.Finalizer{r.dump.Finalizers, r.dump.Queued} {
		for i := range list {
			f := &list[i]
			r.closure(f.Function)
			for _, descriptor := range [2]uint64{f.ObjectType, f.Argument} {
				if t := r.program.Descriptor(descriptor); t != nil && t.Kind == program.Pointer {
					r.reach(f.Object, r.program.Element(t), 1)
				}
			}
		}
	}
}

// fromContents looks into objects of unknown type for closures, for interfaces, which name the type of their data, and
// for channels, which name the type of their elements.
func (r *run) fromContents() {
	var words []uint64
	for i := 0; i < r.dump.Len() && r.err == nil; i++ {
		if r.typ[i] > 0 {
			continue
		}
		if r.isChannel(i) || !r.dump.HasPointers(i) {
			continue
		}
		if first, ok := r.contents.Word(i, r.header(i)); ok && r.program.IsEntry(first) {
			if r.closure(r.dump.Address(i) + r.header(i)); r.typ[i] > 0 {
				continue
			}
		}
		words = words[:0]
		behind := uint64(0)
		err := r.contents.Pointers(i, func(offset, value uint64) bool {
			if offset > behind && value != 0 { // the first word of an interface is none that the collector follows
				words = append(words, offset-8, value)
			}
			behind = offset + 8
			return true
		})
		if err != nil {
			r.err = err
			return
		}
		for k := 0; k < len(words); k += 2 {
			first, _ := r.contents.Word(i, words[k])
			if descriptor, ok := r.dump.Itabs[first]; ok {
				r.dynamic(descriptor, words[k+1])
			} else if first != 0 {
				r.dynamic(first, words[k+1])
			}
		}
	}
}

// isChannel types an object that has all that a channel has: a descriptor of elements whose size is the one beside it,
// and a queue within itself or in an object of its own.
func (r *run) isChannel(object int) bool {
	size := r.dump.Size(object)
	if size < smallestChannel {
		return false
	}
	memory, err := r.contents.Chunk(object, 0, smallestChannel)
	if err != nil {
		r.err = err
		return false
	}
	descriptor := word(memory, int64(r.program.ChannelElement()))
	element := r.program.Descriptor(descriptor)
	if element == nil || element.Size != int64(uint16(word(memory, elementSizeAt))) {
		return false
	}
	count, queue, waiting := word(memory, 0), word(memory, queueAt), word(memory, queueLengthAt)
	if count > waiting || queue == 0 {
		return false
	}
	if inside := queue-r.dump.Address(object) < size; !inside && r.dump.Find(queue) < 0 {
		return false
	}
	r.assign(object, r.program.ChannelOf(descriptor))
	return true
}

// outside notes memory that is not of the heap, which a pointer leads to.
func (r *run) outside(address uint64, t *program.Type, count uint64) {
	if len(r.todo) < maxStatics && !r.followed[address] && !r.onStack[address] {
		r.todo = append(r.todo, place{address, t, count, r.owner})
	}
}

// outsideAll follows what was noted.
func (r *run) outsideAll() {
	for len(r.todo) > 0 {
		p := r.todo[len(r.todo)-1]
		r.todo = r.todo[:len(r.todo)-1]
		if r.followed[p.address] || r.onStack[p.address] || len(r.followed)+len(r.onStack) >= maxStatics || p.typ.Size <= 0 {
			continue
		}
		size := uint64(p.typ.Size)
		if p.count > 1<<32/size {
			continue
		}
		size *= p.count
		r.owner = p.owner
		if segment := r.dump.SegmentAt(p.address); segment != nil {
			memory := segment.Data[p.address-segment.Address:]
			if _, ok := r.program.Global(p.address); ok || size > uint64(len(memory)) {
				continue
			}
			r.followed[p.address] = true
			p.owner.address, p.owner.size = p.address, size
			r.statics = append(r.statics, p.owner)
			r.walk(p.typ, memory[:size], nil)
		} else if memory := r.onAnyStack(p.address, size); memory != nil {
			r.onStack[p.address] = true
			r.walk(p.typ, memory, nil)
		}
	}
}
