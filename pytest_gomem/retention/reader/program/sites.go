package program

const (
	maxInlineDepth = 64
	maxLineMatches = 256
)

// Inlined gives what a line of a function means: a heap dump names the function that was compiled, and the line of what
// was inlined into it. yield gets the function that the line is in, and then where that was called, up to the function.
func (p *Program) Inlined(function, file string, line int, yield func(function, file string, line int) bool) {
	t := &p.image.lines
	i, known := p.functionNamed(function)
	if !known {
		yield(function, file, line)
		return
	}
	record, start := t.record(i), t.entry(i)
	matches := 0
	found := false
	t.each(t.im.word32(record+24), start, func(pc, _ uint64, value int32) bool {
		if int(value) == line {
			matches++
			if _, at, _, _ := t.place(pc); at == file {
				found = true
				t.outward(record, start, pc, yield)
			}
		}
		return !found && matches < maxLineMatches
	})
	if !found {
		yield(function, file, line)
	}
}

// outward gives the functions at pc, the innermost one first.
func (t *lineTable) outward(record, start, pc uint64, yield func(function, file string, line int) bool) {
	for depth := 0; depth < maxInlineDepth; depth++ {
		function, file, line, ok := t.place(pc)
		if !ok || !yield(function, file, line) {
			return
		}
		at, inlined := t.inlineAt(record, start, pc)
		if !inlined {
			return
		}
		pc = start + uint64(t.im.word32(at+8))
	}
}

// functionNamed is the index of a compiled function.
func (p *Program) functionNamed(name string) (int, bool) {
	t := &p.image.lines
	if p.byName == nil {
		p.byName = make(map[string]int32, t.count)
		for i := 0; i < t.count; i++ {
			p.byName[t.name(i)] = int32(i)
		}
	}
	i, known := p.byName[name]
	return int(i), known
}

// Call gives the place of the call that returns to a function, offset bytes after its beginning, as stack traces say it.
func (p *Program) Call(function string, offset uint64) (file string, line int, known bool) {
	t := &p.image.lines
	i, known := p.functionNamed(function)
	if !known || offset == 0 {
		return "", 0, false
	}
	_, file, line, known = t.place(t.entry(i) + offset - 1)
	return file, line, known
}
