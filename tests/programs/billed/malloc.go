//go:build cgo

package main

/*
#include <stdlib.h>
#include <string.h>

static void take(size_t size) {
	// Small blocks, as C code makes them: glibc would map a large one by itself.
	for (size_t taken = 0; taken < size; taken += 4096)
		memset(malloc(4080), 1, 4080);
}
*/
import "C"

func malloc(bytes int) {
	C.take(C.size_t(bytes))
}
