package program

import (
	"encoding/binary"
	"errors"
	"math"
	"sort"
	"strings"
)

// symbols is what DWARF says, indexed but not unfolded: types and functions are read when they are asked for.
type symbols struct {
	im              *image
	info, addresses []byte
	locations       []byte
	locationsRead   bool
	units           []unit
	globals         []located // by address
	functions       []located // by entry
	descriptors     []located // by address of the type descriptor
	named           map[string]uint32
}

// located is an entry of .debug_info and the address that it speaks of.
type located struct {
	address uint64
	entry   uint32
}

// Types that are looked up by name, because the program holds them behind unsafe pointers.
var namedTypes = map[string]bool{
	"runtime.timeTimer": true, "runtime.timer": true, "runtime.sudog": true, "runtime.hchan": true, "sync.poolLocal": true,
	"runtime.g": true, "runtime.m": true, "runtime.p": true, "runtime._defer": true, "time.Timer": true,
	"runtime.mapextra": true, "runtime.special": true, "runtime.itab": true, "runtime._type": true, "internal/abi.Type": true,
	"internal/abi.ITab": true, "sync.readOnly": true, "runtime.synctestBubble": true,
}

var namedPrefixes = []string{"internal/sync.entry[", "internal/sync.indirect[", "unique.entry[", "unique.indirect["}

const (
	maxTables        = 1 << 17 // one for each file of C
	maxAbbreviations = 1 << 22
	maxLocated       = 1 << 23
)

var errNoSymbols = errors.New("it has no DWARF")

// readSymbols indexes the DWARF of an image.
func readSymbols(im *image) (s *symbols, err error) {
	defer func() {
		if broken := recover(); broken != nil { // of a decompressor, on hostile input
			s, err = nil, errors.New("its DWARF is broken")
		}
	}()
	s = &symbols{im: im, named: map[string]uint32{}}
	abbreviationTables, err := im.debugSection("abbrev")
	if err != nil {
		return nil, err
	}
	if s.info, err = im.debugSection("info"); err != nil {
		return nil, err
	}
	if s.addresses, err = im.debugSection("addr"); err != nil {
		return nil, err
	}
	if len(s.info) == 0 {
		return nil, errNoSymbols
	}
	if uint64(len(s.info)) > math.MaxUint32 {
		return nil, errors.New("its DWARF is larger than 4 GiB")
	}
	tables, read := map[uint64][]*abbreviation{}, 0
	c := cursor{data: s.info}
	for c.at < len(s.info) && !c.broken {
		u := unit{start: c.at}
		length := c.word(4)
		if length >= 0xfffffff0 || c.broken {
			break
		}
		if length > uint64(len(s.info)-c.at) {
			break
		}
		u.end = c.at + int(length)
		u.version = int(c.word(2))
		var table uint64
		if u.version >= 5 {
			kind := c.byte()
			c.skip(1)
			table = c.word(4)
			if kind != 1 {
				u.version = 0
			}
		} else {
			table = c.word(4)
			c.skip(1)
		}
		if u.version == 4 || u.version == 5 {
			known, ok := tables[table]
			if !ok {
				if len(tables) >= maxTables || read > maxAbbreviations {
					break
				}
				known = abbreviations(abbreviationTables, table)
				read += len(known)
				tables[table] = known
			}
			u.table, u.first = known, c.at
			s.index(u)
		}
		c.at = u.end
	}
	byAddress(s.globals)
	byAddress(s.functions)
	byAddress(s.descriptors)
	if len(s.units) == 0 {
		return nil, errNoSymbols
	}
	return s, nil
}

func byAddress(list []located) {
	less := func(i, j int) bool { return list[i].address < list[j].address }
	if !sort.SliceIsSorted(list, less) {
		sort.SliceStable(list, less)
	}
}

// debugSection is one of DWARF, decompressed, with the relocations of nothing: programs are linked.
func (im *image) debugSection(name string) ([]byte, error) {
	data, err := im.section(".debug_" + name)
	if err == nil && data == nil {
		data, err = im.section(".zdebug_" + name)
	}
	if err != nil {
		return nil, errors.New("its section .debug_" + name + " is broken: " + err.Error())
	}
	return data, nil
}

// index notes globals, functions and descriptors of one unit; units of other languages are passed over.
func (s *symbols) index(u unit) {
	c := cursor{data: s.info[:u.end], at: u.first}
	var e entry
	s.parse(&c, &u, &e)
	if e.tag != tagCompileUnit || e.language != languageGo || c.broken {
		return
	}
	u.low, u.addressBase = e.low, e.addressBase
	if u.version >= 5 {
		u.low = e.low
	}
	s.units = append(s.units, u)
	depth := 0
	if e.children {
		depth = 1
	}
	for depth > 0 && !c.broken && c.at < u.end {
		at := c.at
		code := c.unsigned()
		if code == 0 {
			depth--
			continue
		}
		if code >= uint64(len(u.table)) || u.table[code] == nil {
			return
		}
		a := u.table[code]
		if depth > 1 || !indexed[a.tag] {
			for i := range a.attributes {
				c.skipForm(&u, a.attributes[i].form)
			}
		} else {
			c.at = at
			s.parse(&c, &u, &e)
			s.note(uint32(at), &u, &e)
		}
		if a.children {
			depth++
		}
	}
}

var indexed = [1 << 16]bool{
	tagSubprogram: true, tagVariable: true, tagArray: true, tagPointer: true, tagStruct: true, tagSubroutine: true,
	tagTypedef: true, tagBase: true,
}

func (s *symbols) note(at uint32, u *unit, e *entry) {
	if len(s.functions)+len(s.globals)+len(s.descriptors) >= maxLocated {
		return
	}
	switch e.tag {
	case tagSubprogram:
		if e.hasLow {
			s.functions = append(s.functions, located{e.low, at})
		}
		return
	case tagVariable:
		if address, ok := s.fixed(u, e.location); ok {
			s.globals = append(s.globals, located{address, at})
		}
		return
	case tagStruct:
		if namedTypes[string(e.name)] || hasNamedPrefix(e.name) {
			s.named[string(e.name)] = at
		}
	}
	if e.hasRuntimeType {
		if address := s.descriptorOf(e.runtimeType); address != 0 {
			s.descriptors = append(s.descriptors, located{address, at})
		}
	}
}

func hasNamedPrefix(name []byte) bool {
	if len(name) == 0 || name[0] != 'i' && name[0] != 'u' {
		return false
	}
	for _, prefix := range namedPrefixes {
		if strings.HasPrefix(string(name), prefix) {
			return true
		}
	}
	return false
}

// fixed is the address of a variable that does not move.
func (s *symbols) fixed(u *unit, location []byte) (uint64, bool) {
	if len(location) == 9 && location[0] == opAddress {
		return binary.LittleEndian.Uint64(location[1:]), true
	}
	if len(location) > 1 && location[0] == opAddressIndex {
		c := cursor{data: location, at: 1}
		return s.indexed(u, c.unsigned()), true
	}
	return 0, false
}

// unitOf is the unit that holds an entry.
func (s *symbols) unitOf(at uint64) *unit {
	i := sort.Search(len(s.units), func(i int) bool { return uint64(s.units[i].end) > at })
	if i == len(s.units) || at < uint64(s.units[i].first) {
		return nil
	}
	return &s.units[i]
}

// entry reads one entry and leaves the cursor at its first child.
func (s *symbols) entry(at uint64, e *entry) (cursor, *unit, bool) {
	u := s.unitOf(at)
	if u == nil {
		return cursor{}, nil, false
	}
	c := cursor{data: s.info[:u.end], at: int(at)}
	s.parse(&c, u, e)
	return c, u, e.tag != 0 && !c.broken
}

// find is the entry of an address in a sorted list.
func find(list []located, address uint64) (uint32, bool) {
	i := sort.Search(len(list), func(i int) bool { return list[i].address >= address })
	if i < len(list) && list[i].address == address {
		return list[i].entry, true
	}
	return 0, false
}
