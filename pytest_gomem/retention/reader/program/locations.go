package program

import "encoding/binary"

const (
	opAddress      = 0x03
	opSigned       = 0x11
	opPlus         = 0x22
	opPlusUnsigned = 0x23
	opFrameBase    = 0x91
	opPiece        = 0x93
	opFrameAddress = 0x9c
	opAddressIndex = 0xa1
	opRegister     = 0x50
	opLastRegister = 0x6f
)

// Piece is a part of a variable on the stack: Offset within the variable, Frame from the canonical frame address (that
// of the caller's stack pointer at the call), Size in bytes.
type Piece struct {
	Offset, Frame, Size int64
}

// part is a piece as an expression gives it, in a register too.
type part struct {
	size, frame int64
	onStack     bool
	register    byte
}

// pieces are the parts of a variable of that size that an expression puts on the stack.
func pieces(expression []byte, size int64) []Piece {
	var parts []part
	var now part
	var whole int64
	c := cursor{data: expression}
	for c.at < len(expression) && !c.broken {
		switch op := c.byte(); {
		case op == opFrameAddress:
			now.onStack, now.frame = true, 0
		case op == opFrameBase:
			now.onStack, now.frame = true, c.signed()
		case op == opSigned:
			now.frame += c.signed()
		case op == opPlus:
		case op == opPlusUnsigned:
			now.frame += int64(c.unsigned())
		case op == opPiece:
			now.size = int64(c.unsigned())
			if now.size <= 0 || now.size > size || len(parts) > maxFields {
				return nil
			}
			parts = append(parts, now)
			whole += now.size
			now = part{}
		case op >= opRegister && op <= opLastRegister:
			now = part{register: op}
		default:
			return nil
		}
	}
	if len(parts) == 0 {
		if !now.onStack {
			return nil
		}
		return []Piece{{0, now.frame, size}}
	}
	var out []Piece
	var offset int64
	for i, p := range parts {
		if whole > size && i > 0 && p == parts[i-1] && p != (part{size: p.size}) {
			whole -= p.size // Go 1.21 writes some pieces twice
			continue
		}
		if p.onStack && p.size <= size-offset {
			out = append(out, Piece{offset, p.frame, p.size})
		}
		offset += p.size
	}
	return out
}

// expression is the location at pc by the list of a variable.
func (s *symbols) expression(u *unit, list int64, isIndex bool, pc uint64) []byte {
	if !s.locationsRead {
		s.locationsRead = true
		name := "loc"
		if u.version >= 5 {
			name = "loclists"
		}
		s.locations, _ = s.im.debugSection(name)
	}
	if list < 0 || list >= int64(len(s.locations)) || isIndex {
		return nil
	}
	if u.version >= 5 {
		return s.listed5(u, int(list), pc)
	}
	return s.listed4(u, int(list), pc)
}

func (s *symbols) listed4(u *unit, at int, pc uint64) []byte {
	c := cursor{data: s.locations, at: at}
	base := u.low
	for !c.broken {
		low, high := c.word(8), c.word(8)
		if low == 0 && high == 0 {
			break
		}
		if low == ^uint64(0) {
			base = high
			continue
		}
		expression := c.bytes(int(c.word(2)))
		if pc >= base+low && pc < base+high {
			return expression
		}
	}
	return nil
}

func (s *symbols) listed5(u *unit, at int, pc uint64) []byte {
	c := cursor{data: s.locations, at: at}
	base := u.low
	for !c.broken {
		var low, high uint64
		switch c.byte() {
		case 1: // base by index
			base = s.indexed(u, c.unsigned())
			continue
		case 2: // two indexes
			low, high = s.indexed(u, c.unsigned()), s.indexed(u, c.unsigned())
		case 3: // index and length
			low = s.indexed(u, c.unsigned())
			high = low + c.unsigned()
		case 4: // offsets
			low, high = base+c.unsigned(), base+c.unsigned()
		case 5: // everywhere else
			high = ^uint64(0)
		case 6: // base
			base = c.word(8)
			continue
		case 7:
			low, high = c.word(8), c.word(8)
		case 8:
			low = c.word(8)
			high = low + c.unsigned()
		default:
			return nil
		}
		n := c.unsigned()
		if n > uint64(len(c.data)) {
			return nil
		}
		expression := c.bytes(int(n))
		if pc >= low && pc < high {
			return expression
		}
	}
	return nil
}

func wordAt(b []byte) uint64 {
	return binary.LittleEndian.Uint64(b)
}
