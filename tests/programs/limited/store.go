package main

var (
	remembered [][]byte
	held       *node
	newest     *node
)

type node struct {
	next *node
	data [112]byte
}

// remember leaks n bytes.
func remember(n int) error {
	kept := make([]byte, n)
	touch(kept)
	remembered = append(remembered, kept)
	return nil
}

// spread uses n bytes at once and drops them.
func spread(n int) error {
	all := make([]byte, n)
	touch(all)
	return nil
}

// hold makes n bytes of small objects live, and whatever it held before garbage.
func hold(n int) error {
	var first *node
	for made := 0; made < n; made += 128 {
		first = &node{next: first}
	}
	held = first
	return nil
}

// touch writes to each page, since only then it is in memory.
func touch(memory []byte) {
	for at := 0; at < len(memory); at += 4096 {
		memory[at] = 1
	}
}
