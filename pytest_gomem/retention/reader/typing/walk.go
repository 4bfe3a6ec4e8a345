package typing

import (
	"encoding/binary"
	"strings"

	"gomem/heapreader/program"
)

// Words of the runtime's structures.
const (
	directoryAt       = 16 // of swiss map headers
	directoryLengthAt = 24
	groupsAt          = 16 // of tables
	groupMaskAt       = 24
	bucketCountAt     = 9 // of old map headers: its binary logarithm
	bucketsAt         = 16
	oldBucketsAt      = 24
	extraAt           = 40
	queueLengthAt     = 8 // of channels
	queueAt           = 16
	elementSizeAt     = 24
	smallestChannel   = 96
	timerAt           = 32
	waitersAfter      = 24     // of the element's descriptor: the queues of receivers and senders
	indirectFlag      = 1 << 7 // of a reflect.Value: its word points to the value
	maxBucketBits     = 40     // of an old map
)

// alive says which words of memory may be trusted; nil: all.
type alive []bool

func (a alive) at(offset int64) bool {
	return a == nil || offset/8 < int64(len(a)) && a[offset/8]
}

// walk follows the pointers of one value of a type.
func (r *run) walk(t *program.Type, memory []byte, living alive) {
	switch t.Kind {
	case program.Backing:
		r.row(t, memory)
	case program.MapHeader:
		if length := word(memory, directoryLengthAt); length == 0 {
			r.reach(word(memory, directoryAt), r.program.MapGroups(t), 1)
		} else {
			r.reach(word(memory, directoryAt), r.program.MapDirectory(t), length)
		}
	case program.MapDirectory:
		table := r.program.Element(t)
		for at := int64(0); at+8 <= int64(len(memory)); at += 8 {
			r.reach(word(memory, at), table, 1)
		}
	case program.MapTable:
		r.reach(word(memory, groupsAt), r.program.MapGroups(t), word(memory, groupMaskAt)+1)
	case program.OldMapHeader:
		r.oldMap(t, memory)
	case program.ChannelHeader:
		r.channel(t, memory)
	default:
		r.slots(r.program.Slots(t), memory, living, 0)
	}
}

func (r *run) oldMap(t *program.Type, memory []byte) {
	if len(memory) <= bucketCountAt || memory[bucketCountAt] > maxBucketBits {
		return
	}
	logarithm := memory[bucketCountAt]
	groups := r.program.MapGroups(t)
	r.reach(word(memory, bucketsAt), groups, buckets(logarithm))
	r.reach(word(memory, oldBucketsAt), groups, buckets(max(logarithm, 1)-1)) // half as many while it grows
	r.reach(word(memory, oldBucketsAt), groups, buckets(logarithm))
	r.reach(word(memory, extraAt), r.program.MapExtra(t), 1)
}

// buckets is how many buckets an old map of 2^logarithm has at first: larger ones have some for overflow.
func buckets(logarithm byte) uint64 {
	count := uint64(1) << logarithm
	if logarithm >= 4 {
		count += count >> 4
	}
	return count
}

func (r *run) channel(t *program.Type, memory []byte) {
	at := int64(r.program.ChannelElement())
	element := r.program.Element(t)
	if exact := r.program.Descriptor(word(memory, at)); exact != nil {
		element = exact
	}
	if element != nil && r.program.Pointers(element) {
		r.reach(word(memory, queueAt), r.program.ChannelBuffer(t, element), word(memory, queueLengthAt))
	}
	if at > timerAt {
		if timer := r.program.Named("runtime.timer"); timer != nil {
			r.reach(word(memory, timerAt), timer, 1)
		}
	}
	if waiter := r.program.Named("runtime.sudog"); waiter != nil {
		for i := int64(0); i < 4; i++ {
			r.reach(word(memory, at+waitersAfter+8*i), waiter, 1)
		}
	}
}

// slots follows the pointers of memory with these slots.
func (r *run) slots(slots []program.Slot, memory []byte, living alive, depth int) {
	for i := range slots {
		s := &slots[i]
		value := word(memory, s.Offset)
		if s.Kind == program.Array {
			r.array(s, memory, living, depth)
			continue
		}
		if value == 0 || !living.at(s.Offset) {
			continue
		}
		switch s.Kind {
		case program.Pointer:
			if t := r.program.Target(s); t != nil {
				r.reach(value, t, 1)
			}
		case program.String:
			r.reach(value, r.program.Text(), word(memory, s.Offset+8))
		case program.Slice:
			length, capacity := word(memory, s.Offset+8), word(memory, s.Offset+16)
			if t := r.program.Target(s); t != nil && length <= capacity {
				r.reach(value, r.program.Backing(t), capacity)
			}
		case program.Map, program.Channel:
			if t := r.program.Target(s); t != nil {
				r.reach(value, r.program.Header(t), 1)
			}
		case program.Function:
			r.closure(value)
		case program.Interface:
			if living.at(s.Offset + 8) {
				r.dynamic(r.dump.Itabs[value], word(memory, s.Offset+8))
			}
		case program.EmptyInterface:
			if living.at(s.Offset + 8) {
				r.dynamic(value, word(memory, s.Offset+8))
			}
		case program.ReflectValue:
			if t := r.program.Descriptor(value); t != nil && word(memory, s.Offset+16)&indirectFlag != 0 {
				r.reach(word(memory, s.Offset+8), t, 1)
			} else {
				r.dynamic(value, word(memory, s.Offset+8))
			}
		case program.PoolLocals:
			if t := r.program.Pooled(); t != nil {
				r.reach(value, t, word(memory, s.Offset+8))
			}
		}
	}
}

func (r *run) array(s *program.Slot, memory []byte, living alive, depth int) {
	t := r.program.Target(s)
	if t == nil || t.Size <= 0 || depth > arrayDepth {
		return
	}
	slots := r.program.Slots(t)
	for i, at := int64(0), s.Offset; i < s.Count && at < int64(len(memory)); i, at = i+1, at+t.Size {
		inner := living
		if living != nil {
			inner = living[min(at/8, int64(len(living))):]
		}
		r.slots(slots, memory[at:], inner, depth+1)
	}
}

// dynamic follows the data of an interface of a type with this descriptor.
func (r *run) dynamic(descriptor, data uint64) {
	if descriptor == 0 || data == 0 {
		return
	}
	t := r.program.Descriptor(descriptor)
	if t == nil {
		return
	}
	if !r.direct(t) {
		r.reach(data, t, 1)
		return
	}
	var memory [8]byte
	binary.LittleEndian.PutUint64(memory[:], data)
	r.slots(r.program.Slots(t), memory[:], nil, 0)
}

// direct says whether an interface has values of a type in its own word.
func (r *run) direct(t *program.Type) bool {
	switch t.Kind {
	case program.Pointer, program.Map, program.Channel, program.Function, program.UnsafePointer:
		return true
	case program.Struct, program.Array:
		slots := r.program.Slots(t)
		return t.Size == 8 && len(slots) == 1
	}
	return false
}

// closure types the object behind a function value.
func (r *run) closure(address uint64) {
	object := r.dump.Find(address)
	if object < 0 || r.typ[object] > 0 || address != r.dump.Address(object)+r.header(object) {
		return
	}
	pc, ok := r.dump.Word(object, address-r.dump.Address(object))
	if !ok {
		return
	}
	if t := r.program.Closure(pc); t != nil && uint64(t.Size) <= r.dump.Size(object) {
		r.assign(object, t)
		if (len(r.program.Slots(t)) == 0 || strings.HasPrefix(t.Name, "func runtime.AddCleanup[")) && r.dump.HasPointers(object) && len(r.vague) < maxGuesses {
			r.vague = append(r.vague, vague{int32(object), pc})
		}
	}
}
