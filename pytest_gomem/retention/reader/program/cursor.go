package program

import (
	"bytes"
	"encoding/binary"
)

// cursor reads a section. Whoever reads past its end gets zeros and finds it broken.
type cursor struct {
	data   []byte
	at     int
	broken bool
}

func (c *cursor) skip(n int) {
	if n < 0 || n > len(c.data)-c.at {
		c.broken, c.at = true, len(c.data)
		return
	}
	c.at += n
}

func (c *cursor) bytes(n int) []byte {
	start := c.at
	c.skip(n)
	if c.broken {
		return nil
	}
	return c.data[start:c.at]
}

func (c *cursor) byte() byte {
	if c.at >= len(c.data) {
		c.broken = true
		return 0
	}
	c.at++
	return c.data[c.at-1]
}

func (c *cursor) word(size int) uint64 {
	if size > len(c.data)-c.at {
		c.broken, c.at = true, len(c.data)
		return 0
	}
	p := c.data[c.at:]
	c.at += size
	switch size {
	case 1:
		return uint64(p[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(p))
	case 4:
		return uint64(binary.LittleEndian.Uint32(p))
	}
	return binary.LittleEndian.Uint64(p)
}

func (c *cursor) unsigned() uint64 {
	var value uint64
	for shift := uint(0); ; shift += 7 {
		b := c.byte()
		if shift < 64 {
			value |= uint64(b&0x7f) << shift
		}
		if b < 0x80 {
			return value
		}
	}
}

func (c *cursor) signed() int64 {
	var value int64
	for shift := uint(0); ; {
		b := c.byte()
		if shift < 64 {
			value |= int64(b&0x7f) << shift
		}
		shift += 7
		if b < 0x80 {
			if b&0x40 != 0 && shift < 64 {
				value |= -1 << shift
			}
			return value
		}
	}
}

func (c *cursor) text() []byte {
	end := bytes.IndexByte(c.data[c.at:], 0)
	if end < 0 {
		c.broken, c.at = true, len(c.data)
		return nil
	}
	start := c.at
	c.at += end + 1
	return c.data[start : start+end]
}
