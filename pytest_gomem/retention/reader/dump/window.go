package dump

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	blockShift = 13
	blockSize  = 1 << blockShift
	blocks     = 2048
	// MaxChunk is the most that Chunk gives at a time, bytes.
	MaxChunk = 64 << 10
)

// Reader reads contents of objects and frames through a small cache of blocks. It serves one goroutine at a time;
// Dump has one of its own, NewReader gives more.
type Reader struct {
	dump   *Dump
	block  []int64 // which block of the file a slot holds, plus one
	memory []byte
	chunk  []byte
	lists  *stream
}

// NewReader gives a further reader of the same file.
func (d *Dump) NewReader() *Reader {
	slots := min(blocks, d.size>>blockShift+1)
	return &Reader{
		dump: d, block: make([]int64, slots), memory: make([]byte, slots*blockSize), lists: newStream(d.file, d.size, 4<<10),
	}
}

// at is the block of the file with an offset in it, from that offset on.
func (r *Reader) at(offset int64) ([]byte, error) {
	number := offset >> blockShift
	slot := int(number) % len(r.block)
	start := number << blockShift
	memory := r.memory[slot*blockSize : (slot+1)*blockSize]
	length := min(blockSize, r.dump.size-start)
	if r.block[slot] != number+1 {
		r.block[slot] = 0
		n, err := r.dump.file.ReadAt(memory[:length], start)
		if int64(n) < length {
			if err == nil || errors.Is(err, io.EOF) {
				return nil, fmt.Errorf("the heap dump became shorter while it was read: it ends at byte %d", start+int64(n))
			}
			return nil, fmt.Errorf("the heap dump cannot be read at byte %d: %w", start, err)
		}
		r.block[slot] = number + 1
	}
	return memory[offset-start : length], nil
}

// view is some bytes of the file, at most MaxChunk, valid until the next call.
func (r *Reader) view(offset int64, n int) ([]byte, error) {
	memory, err := r.at(offset)
	if err != nil || len(memory) >= n {
		return memory[:min(n, len(memory))], err
	}
	if cap(r.chunk) < n {
		r.chunk = make([]byte, MaxChunk)
	}
	chunk := r.chunk[:0]
	for {
		chunk = append(chunk, memory[:min(len(memory), n-len(chunk))]...)
		if len(chunk) == n {
			return chunk, nil
		}
		if memory, err = r.at(offset + int64(len(chunk))); err != nil {
			return nil, err
		}
	}
}

// Chunk is contents of an object from an offset on: n bytes, or less where the object or MaxChunk ends.
// It is valid until the next call.
func (r *Reader) Chunk(object int, offset, n uint64) ([]byte, error) {
	size := r.dump.Size(object)
	if offset >= size {
		return nil, nil
	}
	n = min(n, size-offset, MaxChunk)
	return r.view(r.dump.offset[object]+int64(offset), int(n))
}

// Bytes is the contents of an object, at most MaxChunk of it, valid until the next call.
func (r *Reader) Bytes(object int) ([]byte, error) {
	return r.Chunk(object, 0, r.dump.Size(object))
}

// Word is one of the words of an object; false if it has none there or it cannot be read.
func (r *Reader) Word(object int, offset uint64) (uint64, bool) {
	if size := r.dump.Size(object); size < 8 || offset > size-8 {
		return 0, false
	}
	memory, err := r.view(r.dump.offset[object]+int64(offset), 8)
	if err != nil {
		return 0, false
	}
	return binary.LittleEndian.Uint64(memory), true
}

// Pointers gives offset and value of each word of an object that may hold a pointer, until yield says false.
// yield may not read: that would take the memory under it away.
func (r *Reader) Pointers(object int, yield func(offset, value uint64) bool) error {
	if !r.dump.HasPointers(object) {
		return nil
	}
	size, start := r.dump.Size(object), r.dump.offset[object]
	memory, err := r.at(start)
	if err != nil {
		return err
	}
	if uint64(len(memory)) > size {
		contents, list := memory[:size], memory[size:]
		for {
			if len(list) < 11 {
				break // the list may go on in the next block
			}
			if list[0] == 0 {
				return nil
			}
			offset, n := uint64(list[1]), 1
			if offset >= 0x80 {
				if offset, n = binary.Uvarint(list[1:]); n <= 0 {
					return r.changed(start)
				}
			}
			if size < 8 || offset > size-8 {
				return r.changed(start)
			}
			list = list[1+n:]
			if !yield(offset, binary.LittleEndian.Uint64(contents[offset:])) {
				return nil
			}
		}
		start += int64(len(memory) - len(list)) // of what is left of the list
		return r.far(start, int64(size), func(offset uint64) (uint64, error) {
			return binary.LittleEndian.Uint64(contents[offset:]), nil
		}, yield)
	}
	return r.far(start+int64(size), int64(size), func(offset uint64) (uint64, error) {
		memory, err := r.view(start+int64(offset), 8)
		if err != nil {
			return 0, err
		}
		return binary.LittleEndian.Uint64(memory), nil
	}, yield)
}

// far reads a list of fields that is not in the block of the contents.
func (r *Reader) far(list, size int64, word func(uint64) (uint64, error), yield func(offset, value uint64) bool) error {
	s := r.lists
	s.err, s.record = nil, "an object"
	s.seek(list)
	s.fields(size, func(offset uint64) {
		value, err := word(offset)
		if err != nil {
			s.err = err
		} else if !yield(offset, value) {
			s.err = errEnough
		}
	})
	if s.err == errEnough {
		return nil
	}
	return s.err
}

var errEnough = errors.New("enough")

func (r *Reader) changed(offset int64) error {
	return fmt.Errorf("the heap dump changed while it was read, at byte %d", offset)
}

// Frame is the contents of a stack frame from an offset on: n bytes, or less where the frame or MaxChunk ends.
// It is valid until the next call.
func (r *Reader) Frame(f *Frame, offset, n uint64) ([]byte, error) {
	if offset >= uint64(f.Size) {
		return nil, nil
	}
	n = min(n, uint64(f.Size)-offset, MaxChunk)
	return r.view(f.offset+int64(offset), int(n))
}

// FramePointers gives offset and value of each word of a frame that holds a pointer, until yield says false.
// The arguments of the function that it called are among them.
func (r *Reader) FramePointers(f *Frame, yield func(offset, value uint64) bool) error {
	return r.far(f.offset+int64(f.Size)+int64(f.pointers), int64(f.Size), func(offset uint64) (uint64, error) {
		memory, err := r.view(f.offset+int64(offset), 8)
		if err != nil {
			return 0, err
		}
		return binary.LittleEndian.Uint64(memory), nil
	}, yield)
}
