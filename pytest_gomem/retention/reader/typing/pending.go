package typing

import "math/bits"

// pending is a set of numbers that gives the next one from anywhere on at once: a bit for each, and a bit for each word
// of bits that is not empty.
type pending struct {
	levels [][]uint64
}

func newPending(n int) *pending {
	p := &pending{}
	for {
		n = (n + 63) / 64
		p.levels = append(p.levels, make([]uint64, n+1))
		if n <= 1 {
			return p
		}
	}
}

func (p *pending) add(i int) {
	for _, level := range p.levels {
		level[i>>6] |= 1 << (uint(i) & 63)
		i >>= 6
	}
}

func (p *pending) remove(i int) {
	for _, level := range p.levels {
		level[i>>6] &^= 1 << (uint(i) & 63)
		i >>= 6
		if level[i] != 0 {
			return
		}
	}
}

// next is the smallest number of the set that is not below from, -1 if there is none.
func (p *pending) next(from int) int {
	for height, level := range p.levels {
		word := from >> 6
		if word >= len(level) {
			return -1
		}
		if rest := level[word] >> (uint(from) & 63); rest != 0 {
			found := from + bits.TrailingZeros64(rest)
			for height > 0 {
				height--
				found = found<<6 + bits.TrailingZeros64(p.levels[height][found])
			}
			return found
		}
		from = word + 1
	}
	return -1
}
