package answer

import (
	"hash/fnv"

	"gomem/heapreader/dump"
)

// Before is what has to be known of an earlier dump: which objects it has, in order of address.
type Before struct {
	address []uint64
	key     []uint32 // of size and type
}

// Remember takes from a dump what a comparison with a later one needs.
func Remember(d *dump.Dump, types Types) *Before {
	b := &Before{address: make([]uint64, d.Len()), key: make([]uint32, d.Len())}
	names := hashes{types: types}
	for i := range b.address {
		b.address[i], b.key[i] = d.Address(i), names.key(d, i)
	}
	return b
}

// hashes are those of type names, by number.
type hashes struct {
	types Types
	known []uint32
}

func (h *hashes) key(d *dump.Dump, object int) uint32 {
	id := h.types.ID(object)
	for int(id) >= len(h.known) {
		sum := fnv.New32a()
		sum.Write([]byte(h.types.NameOf(int32(len(h.known)))))
		h.known = append(h.known, sum.Sum32())
	}
	size := d.Size(object)
	return h.known[id] ^ uint32(size*0x9e3779b97f4a7c15>>32)
}

// in has a bit for each object of a later dump that is in the earlier one: of the same address, size and type.
// share is how much of the earlier one is still there.
func (b *Before) in(d *dump.Dump, types Types) (old []uint64, share float64) {
	old = make([]uint64, d.Len()/64+1)
	found := 0
	names := hashes{types: types}
	k := 0
	for i := 0; i < d.Len(); i++ {
		address := d.Address(i)
		for k < len(b.address) && b.address[k] < address {
			k++
		}
		if k < len(b.address) && b.address[k] == address && b.key[k] == names.key(d, i) {
			old[i/64] |= 1 << uint(i%64)
			found++
		}
	}
	return old, float64(found) / float64(len(b.address))
}
