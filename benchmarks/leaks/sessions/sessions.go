// Package sessions is a library that keeps what it is given, without bound.
package sessions

import "sync"

type entry struct {
	user string
	data []byte
}

var (
	mutex sync.Mutex
	known = map[string]*entry{}
)

// Put keeps the data of a user.
func Put(user string, data []byte) {
	mutex.Lock()
	defer mutex.Unlock()
	known[user] = &entry{user, data}
}
