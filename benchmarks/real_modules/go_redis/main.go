// Page views counted in Redis; what answers as Redis is a few lines in redis.go.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"

	"github.com/redis/go-redis/v9"
)

type counter struct{ client *redis.Client }

func (c *counter) view(w http.ResponseWriter, r *http.Request) {
	views, err := c.client.Incr(r.Context(), "views").Result()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	fmt.Fprintln(w, views)
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "")
	flag.Parse()
	address, err := serveRedis()
	if err != nil {
		log.Fatal(err)
	}
	views := &counter{redis.NewClient(&redis.Options{Addr: address, PoolSize: 8, MinIdleConns: 8})}
	http.HandleFunc("/view", views.view)
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	log.Fatal(http.ListenAndServe(*listen, nil))
}
