package typing

import (
	"gomem/heapreader/dump"
	"gomem/heapreader/program"
)

const (
	maxStack      = 64 << 20 // bytes of one goroutine's stack
	maxKnownCalls = 1 << 16
)

// stack is that of one goroutine. Words that the collector sees as pointers are alive.
type stack struct {
	low    uint64
	memory []byte
	living []bool
}

// at is memory of the stack, nil if it has none there.
func (s *stack) at(address, size uint64) []byte {
	if address < s.low || address-s.low > uint64(len(s.memory)) || size > uint64(len(s.memory))-(address-s.low) {
		return nil
	}
	return s.memory[address-s.low:][:size]
}

type call struct{ entry, pc uint64 }

// fromStacks follows the variables of all frames; with onlyLiving those that the collector sees too.
func (r *run) fromStacks(onlyLiving bool) {
	known := map[call][]program.Local{}
	var memory []byte
	for _, g := range r.dump.Goroutines {
		for i := range g.Defers {
			r.closure(g.Defers[i].Function)
		}
		for i := range g.Panics {
			r.dynamic(g.Panics[i].Type, g.Panics[i].Data)
		}
		if !r.readStack(g) {
			continue
		}
		r.owner = static{}
		clear(r.onStack)
		for i := range g.Frames {
			f := &g.Frames[i]
			key := call{f.Entry, f.PC}
			locals, ok := known[key]
			if !ok {
				r.program.Locals(f.Entry, f.PC-1, func(l program.Local) {
					if r.program.Pointers(l.Type) && l.Type.Size <= maxStack {
						locals = append(locals, l)
					}
				})
				if len(known) < maxKnownCalls {
					known[key] = locals
				}
			}
			for k := range locals {
				memory = r.local(f, &locals[k], memory, onlyLiving)
			}
			if !onlyLiving {
				r.unplaced(f)
			}
		}
		r.outsideAll()
		if r.err != nil {
			return
		}
	}
	r.stack = stack{}
}

// local follows one variable of a frame.
func (r *run) local(f *dump.Frame, l *program.Local, memory []byte, onlyLiving bool) []byte {
	size := int(l.Type.Size)
	if cap(memory) < size {
		memory = make([]byte, size+1024)
	}
	memory = memory[:size]
	clear(memory)
	living := make(alive, (size+7)/8)
	found := false
	for _, p := range l.Pieces {
		address := uint64(int64(f.SP+uint64(f.Size)) + p.Frame)
		there := r.stack.at(address, uint64(p.Size))
		if there == nil || p.Offset < 0 || p.Offset+p.Size > int64(size) {
			continue
		}
		copy(memory[p.Offset:], there)
		for at := int64(0); at+8 <= p.Size; at += 8 {
			if (p.Offset+at)%8 == 0 && (!onlyLiving || r.stack.living[(address-r.stack.low+uint64(at))/8]) {
				living[(p.Offset+at)/8] = true
				found = true
			}
		}
	}
	if found {
		r.walk(l.Type, memory, living)
	}
	return memory
}

// readStack reads the frames of a goroutine in one piece.
func (r *run) readStack(g *dump.Goroutine) bool {
	r.stack = stack{memory: r.stack.memory[:0], living: r.stack.living[:0]}
	if len(g.Frames) == 0 {
		return false
	}
	low, high := g.Frames[0].SP, uint64(0)
	for i := range g.Frames {
		low = min(low, g.Frames[i].SP)
		high = max(high, g.Frames[i].SP+uint64(g.Frames[i].Size))
	}
	if high <= low || high-low > maxStack || low%8 != 0 {
		return false
	}
	s := &r.stack
	s.low = low
	if uint64(cap(s.memory)) < high-low {
		s.memory, s.living = make([]byte, high-low), make([]bool, (high-low)/8+1)
	}
	s.memory, s.living = s.memory[:high-low], s.living[:(high-low)/8+1]
	clear(s.memory)
	clear(s.living)
	for i := range g.Frames {
		f := &g.Frames[i]
		for at := uint64(0); at < uint64(f.Size); at += dump.MaxChunk {
			chunk, err := r.contents.Frame(f, at, dump.MaxChunk)
			if err != nil {
				r.err = err
				return false
			}
			copy(s.memory[f.SP-low+at:], chunk)
		}
		err := r.contents.FramePointers(f, func(offset, _ uint64) bool {
			s.living[(f.SP-low+offset)/8] = true
			return true
		})
		if err != nil {
			r.err = err
			return false
		}
	}
	return true
}
