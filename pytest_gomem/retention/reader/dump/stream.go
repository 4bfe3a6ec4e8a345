package dump

import (
	"errors"
	"fmt"
	"io"
)

// stream reads a file from front to back through one buffer. Its first error stays.
type stream struct {
	file   io.ReaderAt
	size   int64
	buffer []byte
	start  int64 // offset in the file of buffer[0]
	next   int   // of buffer
	end    int   // of buffer
	record string
	err    error
}

func newStream(file io.ReaderAt, size int64, buffer int) *stream {
	return &stream{file: file, size: size, buffer: make([]byte, buffer), record: "its header"}
}

func (s *stream) offset() int64 { return s.start + int64(s.next) }

func (s *stream) left() int64 { return s.size - s.offset() }

// fail keeps the first error, with the offset where it was found.
func (s *stream) fail(format string, arguments ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format+", at byte %d", append(arguments, s.offset())...)
	}
}

func (s *stream) truncated() {
	if s.err == nil {
		s.err = fmt.Errorf("the heap dump ends in the middle of %s, at byte %d", s.record, s.size)
	}
}

// fill makes at least one more byte ready; false at the end of the file or after an error.
func (s *stream) fill() bool {
	if s.err != nil {
		return false
	}
	if s.next < s.end {
		return true
	}
	s.start += int64(s.next)
	s.next, s.end = 0, 0
	want := min(int64(len(s.buffer)), s.size-s.start)
	if want <= 0 {
		s.truncated()
		return false
	}
	n, err := s.file.ReadAt(s.buffer[:want], s.start)
	if n == 0 {
		if err == nil || errors.Is(err, io.EOF) {
			s.size = s.start
			s.truncated()
		} else {
			s.err = fmt.Errorf("the heap dump cannot be read at byte %d: %w", s.start, err)
		}
		return false
	}
	s.end = n
	return true
}

// seek goes to an offset of the file.
func (s *stream) seek(offset int64) {
	if offset >= s.start && offset <= s.start+int64(s.end) {
		s.next = int(offset - s.start)
		return
	}
	s.start, s.next, s.end = offset, 0, 0
}

func (s *stream) byte() byte {
	if s.next >= s.end && !s.fill() {
		return 0
	}
	b := s.buffer[s.next]
	s.next++
	return b
}

func (s *stream) uint() uint64 {
	if s.next < s.end && s.err == nil {
		if b := s.buffer[s.next]; b < 0x80 {
			s.next++
			return uint64(b)
		}
	}
	var value uint64
	for shift := uint(0); ; shift += 7 {
		b := s.byte()
		if s.err != nil {
			return 0
		}
		if shift == 63 && b > 1 {
			s.fail("the heap dump is broken: a number of %s is longer than 64 bits", s.record)
			return 0
		}
		value |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return value
		}
	}
}

// count is a number that must not exceed a limit.
func (s *stream) count(what string, limit uint64) int {
	n := s.uint()
	if n > limit {
		s.fail("the heap dump is broken: %s of %s is %d", what, s.record, n)
		return 0
	}
	return int(n)
}

func (s *stream) bool() bool { return s.count("a yes or no", 1) == 1 }

// length is that of contents that the rest of the file must hold.
func (s *stream) length() int64 {
	n := s.uint()
	if s.err == nil && n > uint64(s.left()) {
		s.record += fmt.Sprintf(" of %d bytes", n)
		s.truncated()
		return 0
	}
	return int64(n)
}

func (s *stream) skip(n int64) {
	if s.err == nil {
		s.seek(s.offset() + n)
	}
}

// read fills a slice.
func (s *stream) read(into []byte) {
	for len(into) > 0 && s.fill() {
		n := copy(into, s.buffer[s.next:s.end])
		s.next += n
		into = into[n:]
	}
}

// fields gives the offset of each pointer among so many bytes, until the list ends.
func (s *stream) fields(size int64, yield func(offset uint64)) {
	for most := size / 8; s.err == nil; most-- {
		kind := s.byte()
		if kind == 0 {
			return
		}
		offset := s.uint()
		if s.err != nil {
			return
		}
		if kind != 1 {
			s.fail("the heap dump is broken: %s has a field of the unknown kind %d", s.record, kind)
		} else if int64(offset) < 0 || int64(offset) > size-8 {
			s.fail("the heap dump is broken: %s has a pointer outside of its contents", s.record)
		} else if most <= 0 {
			s.fail("the heap dump is broken: %s has more pointers than words", s.record)
		} else {
			yield(offset)
		}
	}
}
