// Package graph tells who holds what in a heap dump: edges between objects, the roots that reach them, and the
// dominators, which say what would be free without one of them.
package graph

// Types is what is known about the Go types of a dump's objects and about its program.
type Types interface {
	// ID of an object's type: small and dense, 0 if the type is not known.
	ID(object int) int32
	// NameOf a type: of the map itself for a part of a map.
	NameOf(id int32) string
	// Internal tells whether a type is a part of a map or of another structure of the runtime.
	Internal(id int32) bool
	// Global is the variable at an address in data or bss.
	Global(address uint64) (name, typeName string, ok bool)
	// Place of a code address.
	Place(pc uint64) (function, file string, line int)
}
