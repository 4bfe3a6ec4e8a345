package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"time"
)

// connections leaves idle connections, one whose response is not closed, and one whose handler never answers, both
// ends of each in this process; and one of HTTP/2. It returns when all of their goroutines wait.
func connections() {
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(100 * time.Millisecond)
		io.WriteString(w, "hello")
	})
	mux.HandleFunc("/stuck", func(http.ResponseWriter, *http.Request) { select {} })
	plain := httptest.NewServer(mux)
	done := make(chan bool)
	for i := 0; i < 2; i++ {
		go func() {
			read(http.Get(plain.URL + "/slow"))
			done <- true
		}()
	}
	<-done
	<-done
	// A transport each, so that none takes an idle connection away.
	must((&http.Client{Transport: &http.Transport{}}).Get(plain.URL))
	go (&http.Client{Transport: &http.Transport{}}).Get(plain.URL + "/stuck")
	secure := httptest.NewUnstartedServer(mux)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	read(secure.Client().Get(secure.URL))
	time.Sleep(300 * time.Millisecond)
}

func must(response *http.Response, err error) *http.Response {
	if err != nil {
		panic(err)
	}
	return response
}

func read(response *http.Response, err error) {
	must(response, err)
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
}
