package answer

import "strings"

// OfType are the holders of the objects of the types that a glob means; the bytes of these objects alone count.
type OfType struct {
	Type    string   `json:"type"`
	Holders []Holder `json:"holders"`
}

// composed is how the names of types begin that are made of other types, or that are not known.
var composed = []string{
	"[", "*", "map[", "chan ", "<-chan ", "func", "struct {", "interface {", "?",
}

// meansType tells whether a glob means a type, as budgets on objects do: a star is any run of characters, a question
// mark one character, and a star alone every type. A type that is made of others is meant only by a glob that begins as
// it does, and never by a star at the beginning.
func meansType(glob, name string) bool {
	if glob == "*" {
		return true
	}
	for _, begin := range composed {
		if strings.HasPrefix(name, begin) {
			return begin != "*" && strings.HasPrefix(glob, begin) && matches([]rune(glob), []rune(name))
		}
	}
	return matches([]rune(glob), []rune(name))
}

// matches goes back to the last star alone, so it never takes more than the product of the lengths.
func matches(glob, name []rune) bool {
	at, star, tried := 0, -1, 0
	for k := 0; k < len(name); {
		switch {
		case at < len(glob) && glob[at] == '*':
			star, tried = at, k
			at++
		case at < len(glob) && (glob[at] == '?' || glob[at] == name[k]):
			at++
			k++
		case star >= 0:
			tried++
			at, k = star+1, tried
		default:
			return false
		}
	}
	for at < len(glob) && glob[at] == '*' {
		at++
	}
	return at == len(glob)
}

// meant remembers which types a glob means.
type meant struct {
	glob  string
	types Types
	known map[int32]bool
}

func (m *meant) has(id int32) bool {
	means, ok := m.known[id]
	if !ok {
		means = meansType(m.glob, m.types.NameOf(id))
		m.known[id] = means
	}
	return means
}
