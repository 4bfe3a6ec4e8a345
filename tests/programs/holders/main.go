// Command holders keeps what its requests bring: /session in a map, /file by a cleanup that reaches its own object.
package main

import (
	"flag"
	"net/http"
	"runtime"
	"strconv"

	"example.com/programs/internal/web"
)

const size = 8 << 10 // of what a request keeps, bytes

type session struct {
	user string
	data []byte
}

type file struct {
	data []byte
}

type closing struct {
	of *file
}

var sessions = map[string]*session{}

func login(q web.Query) (any, error) {
	user := strconv.Itoa(len(sessions))
	sessions[user] = &session{user, web.Touch(make([]byte, size))}
	return user, nil
}

func open(q web.Query) (any, error) {
	opened := &file{web.Touch(make([]byte, size))}
	runtime.AddCleanup(opened, func(it closing) { it.of.data = nil }, closing{opened})
	return "ok", nil
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "host:port")
	flag.Parse()
	mux := http.NewServeMux()
	web.Handle(mux, "/session", login)
	web.Handle(mux, "/file", open)
	web.Serve(web.Listen(*listen), "", mux)
}
