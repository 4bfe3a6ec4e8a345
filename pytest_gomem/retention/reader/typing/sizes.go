package typing

import "sort"

// classes are the sizes of small objects, the same from Go 1.21 to 1.27.
var classes = [...]uint16{
	8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384, 416, 448, 480, 512,
	576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072, 3200, 3456, 4096, 4864, 5376, 6144,
	6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264,
	28672, 32768,
}

const (
	headerSize   = 8
	headerAbove  = 512   // objects with pointers up to here have no header
	largestSmall = 32768 // an object above it has a span of its own, of whole pages
	tinySize     = 16    // several objects without pointers share a block of this size
	pageSize     = 8192
	headerMinor  = 22
)

// class is the size of the object that the allocator makes for n bytes.
func class(n uint64) uint64 {
	if n > largestSmall {
		return (n + pageSize - 1) / pageSize * pageSize
	}
	i := sort.Search(len(classes), func(i int) bool { return uint64(classes[i]) >= n })
	return uint64(classes[i])
}

// header is how many bytes the runtime puts before the contents of an object: the descriptor of its type.
func (r *run) header(object int) uint64 {
	size := r.dump.Size(object)
	if !r.headers || size <= headerAbove || size > largestSmall || !r.dump.HasPointers(object) || r.bare[object] {
		return 0
	}
	return headerSize
}

// fills says whether the allocator makes an object of just this size for n bytes of contents.
func (r *run) fills(object int, n uint64) bool {
	size := r.dump.Size(object)
	if n > size {
		return false
	}
	if n <= tinySize && size == tinySize && !r.dump.HasPointers(object) {
		return true
	}
	return class(n+r.header(object)) == size
}
