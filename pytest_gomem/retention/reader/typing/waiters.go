package typing

import (
	"sort"

	"gomem/heapreader/dump"
	"gomem/heapreader/program"
)

// stackRange is where the stack of a goroutine lies.
type stackRange struct {
	low, high uint64
	goroutine int32
}

// waitingFields are the places of what a goroutine that waits for a channel sends or receives.
type waitingFields struct {
	read             bool
	element, channel int64 // -1 if they are not known
}

// waiter follows what a goroutine sends or receives: the runtime knows no more than its address, the channel its type.
func (r *run) waiter(object int, t *program.Type) {
	if !r.waiting.read {
		r.waiting = waitingFields{read: true, element: -1, channel: -1}
		element, hasElement := r.program.Field(t, "elem")
		channel, hasChannel := r.program.Field(t, "c")
		if hasElement && hasChannel {
			r.waiting.element, r.waiting.channel = element, channel
		}
	}
	if r.waiting.element < 0 {
		return
	}
	memory, err := r.contents.Bytes(object)
	if err != nil {
		r.err = err
		return
	}
	element, channel := word(memory, r.waiting.element), word(memory, r.waiting.channel)
	target := r.dump.Find(channel)
	if element == 0 || target < 0 {
		return
	}
	descriptor, _ := r.dump.Word(target, channel-r.dump.Address(target)+r.program.ChannelElement())
	if t := r.program.Descriptor(descriptor); t != nil && r.program.Pointers(t) {
		r.reach(element, t, 1)
	}
}

// onAnyStack is a copy of memory of a goroutine's stack, nil if there is none.
func (r *run) onAnyStack(address, size uint64) []byte {
	if memory := r.stack.at(address, size); memory != nil {
		return memory
	}
	if r.stacks == nil {
		r.stacks = make([]stackRange, 0, len(r.dump.Goroutines))
		for i, g := range r.dump.Goroutines {
			if n := len(g.Frames); n > 0 {
				last := &g.Frames[n-1]
				r.stacks = append(r.stacks, stackRange{g.Frames[0].SP, last.SP + uint64(last.Size), int32(i)})
			}
		}
		sort.Slice(r.stacks, func(i, j int) bool { return r.stacks[i].low < r.stacks[j].low })
	}
	i := sort.Search(len(r.stacks), func(i int) bool { return r.stacks[i].low > address }) - 1
	if i < 0 || address >= r.stacks[i].high || size > dump.MaxChunk {
		return nil
	}
	frames := r.dump.Goroutines[r.stacks[i].goroutine].Frames
	for k := range frames {
		f := &frames[k]
		if address < f.SP || address-f.SP >= uint64(f.Size) || size > uint64(f.Size)-(address-f.SP) {
			continue
		}
		memory, err := r.dump.Frame(f, address-f.SP, size)
		if err != nil {
			r.err = err
			return nil
		}
		return append([]byte(nil), memory...)
	}
	return nil
}
