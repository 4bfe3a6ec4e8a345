package typing

import (
	"math/rand"
	"testing"
)

func TestPendingGivesTheNextFromAnywhere(t *testing.T) {
	for _, n := range []int{1, 64, 65, 4096, 300_000} {
		random := rand.New(rand.NewSource(int64(n)))
		set, is := newPending(n), map[int]bool{}
		for k := 0; k < 500; k++ {
			i := random.Intn(n)
			if random.Intn(3) == 0 {
				set.remove(i)
				delete(is, i)
			} else {
				set.add(i)
				is[i] = true
			}
			from := random.Intn(n)
			expected := -1
			for j := range is {
				if j >= from && (expected < 0 || j < expected) {
					expected = j
				}
			}
			if found := set.next(from); found != expected {
				t.Fatalf("of %d: next(%d) is %d, not %d", n, from, found, expected)
			}
		}
	}
}

func TestClassIsTheAllocatorsSize(t *testing.T) {
	for n, size := range map[uint64]uint64{1: 8, 8: 8, 9: 16, 33: 48, 512: 512, 513: 576, 32768: 32768, 32769: 40960} {
		if class(n) != size {
			t.Errorf("class(%d) is %d, not %d", n, class(n), size)
		}
	}
}
