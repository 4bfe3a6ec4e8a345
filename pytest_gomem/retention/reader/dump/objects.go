package dump

import (
	"fmt"
	"math"
	"sort"
)

const (
	chunkLength = 1 << 13
	pageShift   = 13
	noRoom      = math.MaxUint32 // a size that needs 64 bits
)

// objects is the index of all objects, in order of address.
type objects struct {
	address []uint64
	size    []uint32
	offset  []int64          // in the file, of the contents
	large   map[int32]uint64 // sizes of 4 GB and more
	scan    []uint64         // a bit for each object that has pointers
	first   uint64           // page of the first object
	page    []int32          // for each page the first object that ends behind its start; nil if pages are too many
}

// Len is the number of objects.
func (o *objects) Len() int { return len(o.address) }

// Address of an object.
func (o *objects) Address(i int) uint64 { return o.address[i] }

// Size of an object, bytes: that of its size class.
func (o *objects) Size(i int) uint64 {
	if size := o.size[i]; size != noRoom {
		return uint64(size)
	}
	return o.large[int32(i)]
}

// HasPointers tells whether the collector looks for pointers in an object.
func (o *objects) HasPointers(i int) bool { return o.scan[i>>6]>>(uint(i)&63)&1 != 0 }

// Find is the object that an address points into, -1 if there is none.
func (o *objects) Find(address uint64) int {
	low, high := 0, len(o.address)
	if o.page != nil {
		page := address>>pageShift - o.first
		if page >= uint64(len(o.page)-1) {
			return -1
		}
		low = int(o.page[page])
		high = min(int(o.page[page+1])+1, high)
	}
	if low >= high {
		return -1
	}
	if start := o.address[low]; address < start {
		return -1
	} else if size := uint64(o.size[low]); address-start >= size && size != noRoom {
		// Neighbours are mostly of one size without holes: look there first.
		guess := low + int(min((address-start)/size, uint64(high-1-low)))
		if o.address[guess] <= address {
			low = guess
		} else {
			high = guess
		}
	}
	for low+1 < high {
		middle := int(uint(low+high) >> 1)
		if o.address[middle] <= address {
			low = middle
		} else {
			high = middle
		}
	}
	if address-o.address[low] >= o.Size(low) {
		return -1
	}
	return low
}

// collected gathers objects in the order of the file, in chunks, so that nothing is copied while it grows.
type collected struct {
	address [][]uint64
	size    [][]uint32
	offset  [][]int64
	scan    [][]uint64
	large   map[int32]uint64
	runs    []run
	count   int
	last    uint64 // address of the last object
	behind  uint64 // its end
}

// run is objects that follow each other in the file and in memory, without another one between them: they lie side by
// side, or in the same page, which has objects of one span alone.
type run struct{ start, end int32 }

func (c *collected) add(address, size uint64, offset int64, pointers bool) {
	k := c.count % chunkLength
	if k == 0 {
		c.address = append(c.address, make([]uint64, chunkLength))
		c.size = append(c.size, make([]uint32, chunkLength))
		c.offset = append(c.offset, make([]int64, chunkLength))
		c.scan = append(c.scan, make([]uint64, chunkLength/64))
	}
	chunk, behind := c.count/chunkLength, address+size
	c.address[chunk][k] = address
	c.offset[chunk][k] = offset
	if size >= noRoom {
		if c.large == nil {
			c.large = map[int32]uint64{}
		}
		c.large[int32(c.count)] = size
		size = noRoom
	}
	c.size[chunk][k] = uint32(size)
	if pointers {
		c.scan[chunk][k/64] |= 1 << uint(k%64)
	}
	if c.count == 0 || address < c.behind || address > c.behind && address>>pageShift != c.last>>pageShift {
		c.runs = append(c.runs, run{start: int32(c.count)})
	}
	c.last, c.behind = address, behind
	c.count++
	c.runs[len(c.runs)-1].end = int32(c.count)
}

func (c *collected) addressOf(i int32) uint64 { return c.address[i/chunkLength][i%chunkLength] }

func (c *collected) sizeOf(i int32) uint64 {
	if size := c.size[i/chunkLength][i%chunkLength]; size != noRoom {
		return uint64(size)
	}
	return c.large[i]
}

// sorted is the index in order of address. Spans are written one after the other, so whole runs are moved.
func (c *collected) sorted() (objects, error) {
	o := objects{
		address: make([]uint64, 0, c.count), size: make([]uint32, 0, c.count), offset: make([]int64, 0, c.count),
		scan: make([]uint64, c.count/64+1),
	}
	sort.Slice(c.runs, func(a, b int) bool { return c.addressOf(c.runs[a].start) < c.addressOf(c.runs[b].start) })
	var behind uint64
	for _, run := range c.runs {
		for i := run.start; i < run.end; i++ {
			address, size := c.addressOf(i), c.sizeOf(i)
			if address < behind {
				at := c.offset[i/chunkLength][i%chunkLength]
				return o, fmt.Errorf("the heap dump is broken: two objects overlap, at byte %d", at)
			}
			behind = address + size
			k := len(o.address)
			o.address = append(o.address, address)
			o.offset = append(o.offset, c.offset[i/chunkLength][i%chunkLength])
			if size >= noRoom {
				if o.large == nil {
					o.large = map[int32]uint64{}
				}
				o.large[int32(k)] = size
				size = noRoom
			}
			o.size = append(o.size, uint32(size))
			if c.scan[i/chunkLength][i%chunkLength/64]>>uint(i%64)&1 != 0 {
				o.scan[k/64] |= 1 << uint(k%64)
			}
		}
	}
	return o, nil
}

// pages makes the table that Find looks into, unless the addresses lie too far apart for one.
func (o *objects) pages() {
	n := len(o.address)
	if n == 0 {
		return
	}
	o.first = o.address[0] >> pageShift
	behind := o.address[n-1] + o.Size(n-1)
	count := (behind-1)>>pageShift - o.first + 2
	if count > uint64(4*n)+1<<20 {
		return
	}
	o.page = make([]int32, count)
	k := 0
	for p := range o.page {
		start := (o.first + uint64(p)) << pageShift
		for k < n && o.address[k]+o.Size(k) <= start {
			k++
		}
		o.page[p] = int32(k)
	}
}
