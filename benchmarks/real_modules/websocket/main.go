// A gateway that asks a quote of a feed, over a WebSocket of its own for each request.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"time"

	"nhooyr.io/websocket"
)

// feed answers one message on each connection, and then waits for the other side to close.
func feed(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close(websocket.StatusInternalError, "")
	kind, asked, err := conn.Read(r.Context())
	if err != nil {
		return
	}
	conn.Write(r.Context(), kind, append(asked, ": 42\n"...))
	conn.Read(r.Context())
}

func quote(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+r.Host+"/feed", nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer conn.Close(websocket.StatusNormalClosure, "")
	if err := conn.Write(ctx, websocket.MessageText, []byte(r.FormValue("of"))); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	_, answer, err := conn.Read(ctx)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Write(answer)
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "")
	flag.Parse()
	http.HandleFunc("/quote", quote)
	http.HandleFunc("/feed", feed)
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	log.Fatal(http.ListenAndServe(*listen, nil))
}
