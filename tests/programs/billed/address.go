package main

import "unsafe"

// address is where the block lies; the heap does not move.
func address(block []byte) uintptr {
	return uintptr(unsafe.Pointer(unsafe.SliceData(block)))
}
