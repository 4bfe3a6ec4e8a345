// Command sessions is a service that logs users in and out, and forgets some of them in one of two places.
package main

import (
	"flag"
	"net/http"
	"sync"

	"example.com/programs/internal/web"
)

// Session is of one user.
type Session struct {
	User int
	Data []byte
}

// Cache finds sessions by user.
type Cache struct {
	mu     sync.Mutex
	byUser map[int]*Session
}

var (
	cache  *Cache
	audit  []*Session
	auditM sync.Mutex
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "host:port")
	flag.Parse()
	cache = &Cache{byUser: map[int]*Session{}} // a variable's initial value would be no object of the heap
	mux := http.NewServeMux()
	web.Handle(mux, "/login", login)
	web.Handle(mux, "/logout", logout)
	web.Serve(web.Listen(*listen), "", mux)
}

// login makes ?n= sessions, each of 4 KiB.
func login(query web.Query) (any, error) {
	n, err := query.Int("n", 1)
	if err != nil {
		return nil, err
	}
	cache.mu.Lock()
	defer cache.mu.Unlock()
	for user := 0; user < n; user++ {
		cache.byUser[user] = newSession(user)
	}
	return n, nil
}

//go:noinline
func newSession(user int) *Session {
	return &Session{user, make([]byte, 4096)}
}

// logout forgets all sessions, but for those that ?audit=true writes down.
func logout(query web.Query) (any, error) {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	if query.Bool("audit") {
		auditM.Lock()
		defer auditM.Unlock()
		for _, session := range cache.byUser {
			audit = append(audit, session)
		}
	}
	cache.byUser = map[int]*Session{}
	return "ok", nil
}
