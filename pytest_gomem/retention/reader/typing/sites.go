package typing

// Inlined gives what a line of a compiled function means, the function that it is in first.
func (t *Types) Inlined(function, file string, line int, yield func(function, file string, line int) bool) {
	t.program.Inlined(function, file, line, yield)
}
