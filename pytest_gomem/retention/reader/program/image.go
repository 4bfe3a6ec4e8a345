package program

import (
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"
)

const (
	blockSize    = 16 << 10
	blockCount   = 128
	maxSection   = 512 << 20 // an uncompressed section of symbols above it is not read
	maxName      = 4 << 10
	newestMinor  = 1 << 10
	relativeX86  = 8
	relativeARM  = 1027
	relaSize     = 24
	maxRelocated = 1 << 24
	mostTables   = 64 // that look like one of lines
)

// image is an ELF file, read by small blocks. Addresses are those that the linker chose.
type image struct {
	file        *os.File
	elf         *elf.File
	loads       []load
	blocks      [blockCount]block
	relocations []relocation
	minor       int // of go1.N
	version     string
	experiments string
	module      module
	lines       lineTable
}

type load struct {
	address, offset, size uint64
}

type block struct {
	offset int64 // of the file, plus 1
	data   []byte
}

type relocation struct {
	at, value uint64
}

// module is what the runtime knows about the layout of the program.
type module struct {
	text, etext, noptrdata, enoptrdata, data, edata, bss, ebss, noptrbss, enoptrbss uint64
	types, etypes, functionData                                                     uint64
}

func openImage(path string) (*image, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	im := &image{file: file}
	if err := im.load(path); err != nil {
		file.Close()
		return nil, err
	}
	return im, nil
}

func (im *image) load(path string) (err error) {
	defer func() {
		if broken := recover(); broken != nil { // of debug/elf and debug/buildinfo, on hostile input
			err = fmt.Errorf("%s is no ELF file that can be read: %v", path, broken)
		}
	}()
	im.elf, err = elf.NewFile(im.file)
	if err != nil {
		return fmt.Errorf("%s is no ELF file that can be read: %v", path, err)
	}
	if im.elf.Class != elf.ELFCLASS64 || im.elf.Data != elf.ELFDATA2LSB {
		return fmt.Errorf("%s is not a program of a 64-bit little-endian machine", path)
	}
	for _, p := range im.elf.Progs {
		if p.Type == elf.PT_LOAD && p.Filesz > 0 && p.Vaddr+p.Filesz > p.Vaddr {
			im.loads = append(im.loads, load{p.Vaddr, p.Off, p.Filesz})
		}
	}
	im.version, im.minor = "", newestMinor
	if info, err := buildinfo.Read(im.file); err == nil {
		im.version = info.GoVersion
		im.minor = minorOf(info.GoVersion)
		for _, s := range info.Settings {
			if s.Key == "GOEXPERIMENT" {
				im.experiments = s.Value
			}
		}
		if at := strings.Index(im.version, "X:"); at >= 0 {
			im.experiments += "," + im.version[at+2:]
		}
	}
	if im.elf.Type == elf.ET_DYN {
		im.readRelocations()
	}
	if err := im.findModule(); err != nil {
		return fmt.Errorf("%s: %v", path, err)
	}
	return nil
}

func (im *image) close() {
	im.file.Close()
}

// minorOf is N of "go1.N.M"; the newest for a development version.
func minorOf(version string) int {
	if !strings.HasPrefix(version, "go1.") {
		return newestMinor
	}
	digits := version[len("go1."):]
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		digits = digits[:end]
	}
	minor, err := strconv.Atoi(digits)
	if err != nil {
		return newestMinor
	}
	return minor
}

// read fills buf from an address; false if the file does not hold all of it.
func (im *image) read(address uint64, buf []byte) bool {
	for i := range im.loads {
		l := &im.loads[i]
		if address >= l.address && address-l.address < l.size && uint64(len(buf)) <= l.size-(address-l.address) {
			return im.readOffset(int64(l.offset+address-l.address), buf)
		}
	}
	return false
}

func (im *image) readOffset(offset int64, buf []byte) bool {
	for len(buf) > 0 {
		if offset < 0 {
			return false
		}
		start := offset / blockSize * blockSize
		b := &im.blocks[start/blockSize%blockCount]
		if b.offset != start+1 {
			if b.data == nil {
				b.data = make([]byte, blockSize)
			}
			n, err := im.file.ReadAt(b.data[:blockSize], start)
			if err != nil && !errors.Is(err, io.EOF) {
				b.offset = 0
				return false
			}
			b.data, b.offset = b.data[:n], start+1
		}
		in := int(offset - start)
		if in >= len(b.data) {
			return false
		}
		n := copy(buf, b.data[in:])
		buf, offset = buf[n:], offset+int64(n)
	}
	return true
}

func (im *image) word(address uint64) uint64 {
	var buf [8]byte
	if !im.read(address, buf[:]) {
		return 0
	}
	return binary.LittleEndian.Uint64(buf[:])
}

func (im *image) word32(address uint64) uint32 {
	var buf [4]byte
	if !im.read(address, buf[:]) {
		return 0
	}
	return binary.LittleEndian.Uint32(buf[:])
}

// pointer is a word that the loader may have to relocate.
func (im *image) pointer(address uint64) uint64 {
	if value := im.word(address); value != 0 || len(im.relocations) == 0 {
		return value
	}
	i := sort.Search(len(im.relocations), func(i int) bool { return im.relocations[i].at >= address })
	if i < len(im.relocations) && im.relocations[i].at == address {
		return im.relocations[i].value
	}
	return 0
}

// text is the string that ends with a zero byte.
func (im *image) text(address uint64) string {
	var buf [256]byte
	var out []byte
	for len(out) < maxName {
		n := len(buf)
		for n > 0 && !im.read(address, buf[:n]) {
			n /= 2
		}
		if n == 0 {
			break
		}
		for i, c := range buf[:n] {
			if c == 0 {
				return string(append(out, buf[:i]...))
			}
		}
		out = append(out, buf[:n]...)
		address += uint64(n)
	}
	return string(out)
}

func (im *image) readRelocations() {
	relative := uint64(relativeX86)
	if im.elf.Machine == elf.EM_AARCH64 {
		relative = relativeARM
	}
	for _, s := range im.elf.Sections {
		if s.Type != elf.SHT_RELA || s.Flags&elf.SHF_ALLOC == 0 || s.Size > maxSection {
			continue
		}
		data, err := s.Data()
		if err != nil {
			continue
		}
		for ; len(data) >= relaSize; data = data[relaSize:] {
			if binary.LittleEndian.Uint64(data[8:]) != relative || len(im.relocations) >= maxRelocated {
				continue
			}
			at, value := binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[16:])
			im.relocations = append(im.relocations, relocation{at, value})
		}
	}
	less := func(i, j int) bool { return im.relocations[i].at < im.relocations[j].at }
	if !sort.SliceIsSorted(im.relocations, less) {
		sort.Slice(im.relocations, less)
	}
}

// findModule finds the table of lines and the runtime's moduledata, whose first word is the address of that table.
func (im *image) findModule() error {
	err := errors.New("it has no table of lines, which every Go program has")
	for _, table := range im.lineTables() {
		if err = im.lines.open(im, table); err == nil {
			if im.moduleOf(table) {
				return nil
			}
			err = errors.New("its module data cannot be found")
		}
	}
	return err
}

// lineTables are the addresses where the table of lines may be: linkers of C put it into a section of others in
// position-independent programs.
func (im *image) lineTables() []uint64 {
	for _, s := range im.elf.Sections {
		if strings.HasSuffix(s.Name, ".gopclntab") && s.Type == elf.SHT_PROGBITS {
			return []uint64{s.Addr}
		}
	}
	var found []uint64
	for _, s := range im.elf.Sections {
		if s.Flags&elf.SHF_EXECINSTR == 0 {
			im.words(s, func(address, value uint64) bool {
				if value&(1<<48-1) == tableMagic && value>>56 == pointerSize { // two zero bytes, and one of any value
					found = append(found, address)
				}
				return len(found) >= mostTables
			})
		}
	}
	return found
}

// words calls yield with each word of a section of the program's memory until it says that it is enough.
func (im *image) words(s *elf.Section, yield func(address, value uint64) (enough bool)) {
	if s.Type != elf.SHT_PROGBITS || s.Flags&elf.SHF_ALLOC == 0 {
		return
	}
	buf := make([]byte, blockSize)
	for at := uint64(0); at < s.Size; at += blockSize {
		piece := buf[:min(blockSize, s.Size-at)]
		if !im.read(s.Addr+at, piece) {
			return
		}
		for i := 0; i+8 <= len(piece); i += 8 {
			if yield(s.Addr+at+uint64(i), binary.LittleEndian.Uint64(piece[i:])) {
				return
			}
		}
	}
}

func (im *image) moduleOf(table uint64) bool {
	found := false
	for _, s := range im.elf.Sections {
		if s.Flags&elf.SHF_WRITE != 0 && !found {
			im.words(s, func(address, value uint64) bool {
				found = value == table && im.readModule(address, table)
				return found
			})
		}
	}
	for _, r := range im.relocations {
		if !found && r.value == table {
			found = im.readModule(r.at, table)
		}
	}
	return found
}

func (im *image) readModule(at, table uint64) bool {
	word := func(index uint64) uint64 { return im.pointer(at + index*8) }
	if word(1) != table+im.lines.names {
		return false
	}
	m := module{
		text: word(22), etext: word(23), noptrdata: word(24), enoptrdata: word(25), data: word(26), edata: word(27),
		bss: word(28), ebss: word(29), noptrbss: word(30), enoptrbss: word(31), types: word(37),
	}
	if im.minor >= 27 {
		m.etypes, m.functionData = word(39), word(43)
	} else {
		m.etypes, m.functionData = word(38), word(40)
	}
	if m.text == 0 || m.etext < m.text || m.edata < m.data || m.ebss < m.bss || m.etypes < m.types {
		return false
	}
	im.module = m
	im.lines.text = m.text
	return true
}

func (im *image) section(name string) ([]byte, error) {
	s := im.elf.Section(name)
	if s == nil {
		return nil, nil
	}
	if s.Size > maxSection {
		return nil, fmt.Errorf("section %s has %d bytes, more than this reader takes", name, s.Size)
	}
	return s.Data()
}
