package program

import "encoding/binary"

// Tags, attributes and forms of DWARF that Go writes and that matter here.
const (
	tagArray       = 0x01
	tagParameter   = 0x05
	tagMember      = 0x0d
	tagPointer     = 0x0f
	tagCompileUnit = 0x11
	tagStruct      = 0x13
	tagSubroutine  = 0x15
	tagTypedef     = 0x16
	tagSubrange    = 0x21
	tagBase        = 0x24
	tagSubprogram  = 0x2e
	tagVariable    = 0x34
	tagUnspecified = 0x3b

	attrLocation       = 0x02
	attrName           = 0x03
	attrByteSize       = 0x0b
	attrLowPC          = 0x11
	attrHighPC         = 0x12
	attrLanguage       = 0x13
	attrUpperBound     = 0x2f
	attrAbstractOrigin = 0x31
	attrCount          = 0x37
	attrMemberLocation = 0x38
	attrType           = 0x49
	attrAddressBase    = 0x73
	attrGoKind         = 0x2900
	attrGoKey          = 0x2901
	attrGoElem         = 0x2902
	attrGoRuntimeType  = 0x2904
	attrGoClosure      = 0x2907

	languageGo = 0x16
)

const (
	formAddress       = 0x01
	formBlock2        = 0x03
	formBlock4        = 0x04
	formData2         = 0x05
	formData4         = 0x06
	formData8         = 0x07
	formString        = 0x08
	formBlock         = 0x09
	formBlock1        = 0x0a
	formData1         = 0x0b
	formFlag          = 0x0c
	formSigned        = 0x0d
	formStringOffset  = 0x0e
	formUnsigned      = 0x0f
	formRefAddress    = 0x10
	formRef1          = 0x11
	formRef2          = 0x12
	formRef4          = 0x13
	formRef8          = 0x14
	formRefUnsigned   = 0x15
	formSectionOffset = 0x17
	formExpression    = 0x18
	formFlagPresent   = 0x19
	formStringIndex   = 0x1a
	formAddressIndex  = 0x1b
	formData16        = 0x1e
	formLineString    = 0x1f
	formRefSignature  = 0x20
	formImplicit      = 0x21
	formListIndex     = 0x22
	formRangeIndex    = 0x23
	formAddressIndex1 = 0x29
	formAddressIndex2 = 0x2a
	formAddressIndex4 = 0x2c
)

type abbreviation struct {
	tag        uint16
	children   bool
	attributes []attribute
}

type attribute struct {
	name     uint16
	form     uint16
	implicit int64
}

const maxAbbreviation = 1 << 14

// abbreviations reads one table: entry codes are small in what Go and GCC write.
func abbreviations(section []byte, offset uint64) []*abbreviation {
	if offset > uint64(len(section)) {
		return nil
	}
	c := cursor{data: section, at: int(offset)}
	var table []*abbreviation
	for {
		code := c.unsigned()
		if code == 0 || code > maxAbbreviation || c.broken {
			return table
		}
		a := &abbreviation{tag: uint16(c.unsigned()), children: c.byte() != 0}
		for {
			name, form := c.unsigned(), c.unsigned()
			one := attribute{name: uint16(name), form: uint16(form)}
			if form == formImplicit {
				one.implicit = c.signed()
			}
			if name == 0 && form == 0 || c.broken {
				break
			}
			if name > 1<<16-1 || form > 1<<16-1 {
				one.name = 0
			}
			a.attributes = append(a.attributes, one)
		}
		for uint64(len(table)) <= code {
			table = append(table, nil)
		}
		table[code] = a
	}
}

// unit is one compilation unit that Go wrote.
type unit struct {
	start, end  int // of .debug_info; start is that of the header
	first       int // of its first entry
	version     int
	low         uint64
	addressBase uint64
	table       []*abbreviation
}

// entry is one entry of .debug_info with the attributes that matter; references are offsets, 0 where there is none.
type entry struct {
	tag                        uint16
	children                   bool
	name                       []byte
	kind                       uint8
	size, count                int64
	typ, origin, key, elem     uint64
	low, high                  uint64
	hasLow, highIsSize         bool
	location                   []byte
	list                       int64 // offset of a location list, -1
	listIsIndex                bool
	member, closure            int64
	hasClosure, hasRuntimeType bool
	runtimeType                uint64
	language                   uint64
	addressBase                uint64
}

// skip passes one attribute.
func (c *cursor) skipForm(u *unit, form uint16) {
	switch form {
	case formFlagPresent, formImplicit:
	case formData1, formFlag, formRef1, 0x25, formAddressIndex1:
		c.skip(1)
	case formData2, formRef2, 0x26, formAddressIndex2:
		c.skip(2)
	case 0x27, 0x2b:
		c.skip(3)
	case formData4, formRef4, formSectionOffset, formStringOffset, formLineString, 0x28, formAddressIndex4, 0x1c, 0x1d:
		c.skip(4)
	case formRefAddress:
		c.skip(4)
	case formAddress, formData8, formRef8, formRefSignature, 0x24:
		c.skip(8)
	case formData16:
		c.skip(16)
	case formString:
		c.text()
	case formUnsigned, formRefUnsigned, formAddressIndex, formStringIndex, formListIndex, formRangeIndex:
		c.unsigned()
	case formSigned:
		c.signed()
	case formBlock1:
		c.skip(int(c.word(1)))
	case formBlock2:
		c.skip(int(c.word(2)))
	case formBlock4:
		c.skip(int(c.word(4)))
	case formBlock, formExpression:
		c.skipLong(c.unsigned())
	default:
		c.broken, c.at = true, len(c.data)
	}
}

func (c *cursor) skipLong(n uint64) {
	if n > uint64(len(c.data)) {
		n = uint64(len(c.data)) + 1
	}
	c.skip(int(n))
}

// number is an attribute that is a constant, a reference or an offset.
func (c *cursor) number(u *unit, a *attribute) int64 {
	switch a.form {
	case formImplicit:
		return a.implicit
	case formFlagPresent:
		return 1
	case formData1, formFlag:
		return int64(c.word(1))
	case formData2:
		return int64(c.word(2))
	case formData4, formSectionOffset, formRefAddress:
		return int64(c.word(4))
	case formData8, formAddress:
		return int64(c.word(8))
	case formUnsigned, formAddressIndex, formListIndex:
		return int64(c.unsigned())
	case formSigned:
		return c.signed()
	case formRef1:
		return int64(c.word(1)) + int64(u.start)
	case formRef2:
		return int64(c.word(2)) + int64(u.start)
	case formRef4:
		return int64(c.word(4)) + int64(u.start)
	case formRef8:
		return int64(c.word(8)) + int64(u.start)
	case formRefUnsigned:
		return int64(c.unsigned()) + int64(u.start)
	case formAddressIndex1:
		return int64(c.word(1))
	case formAddressIndex2:
		return int64(c.word(2))
	case formAddressIndex4:
		return int64(c.word(4))
	}
	c.skipForm(u, a.form)
	return 0
}

func (c *cursor) block(u *unit, a *attribute) []byte {
	var n uint64
	switch a.form {
	case formBlock1:
		n = c.word(1)
	case formBlock2:
		n = c.word(2)
	case formBlock4:
		n = c.word(4)
	case formBlock, formExpression:
		n = c.unsigned()
	default:
		c.skipForm(u, a.form)
		return nil
	}
	if n > uint64(len(c.data)) {
		c.broken, c.at = true, len(c.data)
		return nil
	}
	return c.bytes(int(n))
}

// address is one that stands here or in .debug_addr.
func (s *symbols) address(c *cursor, u *unit, a *attribute) uint64 {
	switch a.form {
	case formAddress:
		return c.word(8)
	case formAddressIndex, formAddressIndex1, formAddressIndex2, formAddressIndex4:
		return s.indexed(u, uint64(c.number(u, a)))
	}
	c.skipForm(u, a.form)
	return 0
}

func (s *symbols) indexed(u *unit, index uint64) uint64 {
	if index > uint64(len(s.addresses)) {
		return 0
	}
	at := u.addressBase + index*8
	if at > uint64(len(s.addresses)) || uint64(len(s.addresses))-at < 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(s.addresses[at:])
}

// parse reads the entry under the cursor into e; a null entry has tag 0.
func (s *symbols) parse(c *cursor, u *unit, e *entry) {
	code := c.unsigned()
	*e = entry{list: -1}
	if code == 0 || c.broken {
		return
	}
	if code >= uint64(len(u.table)) || u.table[code] == nil {
		c.broken, c.at = true, len(c.data)
		return
	}
	abbreviation := u.table[code]
	e.tag, e.children = abbreviation.tag, abbreviation.children
	for i := range abbreviation.attributes {
		a := &abbreviation.attributes[i]
		switch a.name {
		case attrName:
			if a.form == formString {
				e.name = c.text()
			} else {
				c.skipForm(u, a.form)
			}
		case attrType:
			e.typ = uint64(c.number(u, a))
		case attrByteSize:
			e.size = c.number(u, a)
		case attrAbstractOrigin:
			e.origin = uint64(c.number(u, a))
		case attrGoKind:
			e.kind = uint8(c.number(u, a))
		case attrGoKey:
			e.key = uint64(c.number(u, a))
		case attrGoElem:
			e.elem = uint64(c.number(u, a))
		case attrGoRuntimeType:
			e.runtimeType, e.hasRuntimeType = uint64(c.number(u, a)), true
		case attrGoClosure:
			e.closure, e.hasClosure = c.number(u, a), true
		case attrMemberLocation:
			e.member = c.number(u, a)
		case attrCount:
			e.count = c.number(u, a)
		case attrUpperBound:
			e.count = c.number(u, a) + 1
		case attrLanguage:
			e.language = uint64(c.number(u, a))
		case attrAddressBase:
			e.addressBase = uint64(c.number(u, a))
		case attrLowPC:
			e.low, e.hasLow = s.address(c, u, a), true
		case attrHighPC:
			if a.form == formAddress || a.form == formAddressIndex {
				e.high = s.address(c, u, a)
			} else {
				e.high, e.highIsSize = uint64(c.number(u, a)), true
			}
		case attrLocation:
			switch a.form {
			case formSectionOffset, formData4, formData8:
				e.list = c.number(u, a)
			case formListIndex:
				e.list, e.listIsIndex = c.number(u, a), true
			default:
				e.location = c.block(u, a)
			}
		default:
			c.skipForm(u, a.form)
		}
	}
	if e.highIsSize {
		e.high += e.low
	}
}
