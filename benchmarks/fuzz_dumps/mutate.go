package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand"
)

const magic = "go1.7 heap dump\n"

// What follows each tag: n is a number, s a length and so many bytes, f a list of fields, m the memory statistics and b
// a stack that allocated.
var records = map[uint64]string{
	1: "nsf", 2: "sn", 3: "nnsn", 4: "nnnnnnnnsnnnn", 5: "nnnsnnnsf", 6: "nnnnssn", 7: "nnnnn", 8: "nn", 9: "nnn",
	10: "m", 11: "nnnnn", 12: "nsf", 13: "nsf", 14: "nnnnnnn", 15: "nnnnnn", 16: "b", 17: "nn",
}

// places finds the bytes that a reader believes: numbers, lengths and lists, but not what an object contains.
func places(raw []byte) ([]int, error) {
	var found []int
	at := len(magic)
	number := func() uint64 {
		value, size := binary.Uvarint(raw[at:])
		for range size {
			found = append(found, at)
			at++
		}
		return value
	}
	text := func() { at += int(number()) }
	for at < len(raw) {
		tag := number()
		if tag == 0 {
			return found, nil
		}
		shape, known := records[tag]
		if !known {
			return nil, fmt.Errorf("tag %d at byte %d", tag, at)
		}
		for _, part := range shape {
			switch part {
			case 'n':
				number()
			case 's':
				text()
			case 'f':
				for number() != 0 {
					number()
				}
			case 'm':
				for n := 0; n < 24+256+1; n++ {
					number()
				}
			case 'b':
				number()
				number()
				for n := number(); n > 0; n-- {
					text()
					text()
					number()
				}
				number()
				number()
			}
		}
	}
	return nil, fmt.Errorf("no end")
}

// mutant is a changed copy of a dump; the same number gives the same one.
func mutant(raw []byte, believed []int, seed int64) []byte {
	random := rand.New(rand.NewSource(seed))
	out := bytes.Clone(raw)
	for n := 1 << random.Intn(5); n > 0 && len(out) > len(magic)+2; n-- {
		at := believed[random.Intn(len(believed))]
		if random.Intn(4) == 0 || at >= len(out) {
			at = random.Intn(len(out))
		}
		end := min(len(out), at+1+random.Intn(16))
		switch random.Intn(9) {
		case 0, 1:
			out[at] ^= 1 << random.Intn(8)
		case 2, 3:
			out[at] = byte(random.Intn(20))
		case 4: // a promise
			var huge [binary.MaxVarintLen64]byte
			size := binary.PutUvarint(huge[:], random.Uint64()>>random.Intn(50))
			out = append(out[:at:at], append(huge[:size], out[end:]...)...)
		case 5:
			out = append(out[:at:at], out[end:]...)
		case 6: // twice
			out = append(out[:end:end], out[at:]...)
		case 7: // a piece from elsewhere, such as an address
			copy(out[at:end], raw[random.Intn(len(raw)):])
		case 8:
			if random.Intn(4) == 0 {
				out = out[:at]
			} else {
				random.Read(out[at:end])
			}
		}
	}
	return out
}
