package graph

import (
	"fmt"
	"math"

	"gomem/heapreader/dump"
)

// edges between objects: those of object i are to[start[i]:start[i+1]].
type edges struct {
	start []uint32
	to    []int32
}

func (e *edges) of(i int32) []int32 { return e.to[e.start[i]:e.start[i+1]] }

// readEdges follows each pointer of each object. A pointer of an object into itself is no edge, and of pointers to one
// target that follow each other one is enough.
func readEdges(d *dump.Dump) (edges, error) {
	n := d.Len()
	e := edges{start: make([]uint32, n+1), to: make([]int32, 0, d.Fields/2+64)}
	for i := 0; i < n; i++ {
		from := len(e.to)
		e.start[i] = uint32(from)
		err := d.Pointers(i, func(_, value uint64) bool {
			if value == 0 {
				return true
			}
			if target := d.Find(value); target >= 0 && target != i {
				if k := len(e.to); k == from || e.to[k-1] != int32(target) {
					e.to = append(e.to, int32(target))
				}
			}
			return true
		})
		if err != nil {
			return e, err
		}
		if len(e.to) > math.MaxUint32/2 {
			return e, fmt.Errorf("the heap dump is too large: its objects have more than %d pointers", math.MaxUint32/2)
		}
	}
	e.start[n] = uint32(len(e.to))
	return e, nil
}
