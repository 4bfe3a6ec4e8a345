// An account page behind a token, whose signature is checked.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

var secret = []byte("benchmark")

func key(*jwt.Token) (any, error) { return secret, nil }

func account(w http.ResponseWriter, r *http.Request) {
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	token, err := jwt.Parse(bearer, key, jwt.WithValidMethods([]string{"HS256"}))
	if err != nil {
		fmt.Fprintln(w, "please log in")
		return
	}
	subject, _ := token.Claims.GetSubject()
	fmt.Fprintln(w, "hello", subject)
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "")
	flag.Parse()
	http.HandleFunc("/account", account)
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	log.Fatal(http.ListenAndServe(*listen, nil))
}
