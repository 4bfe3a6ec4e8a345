// A shop that counts its requests and their time by method and status, as the page of promhttp shows it.
package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var (
	labels   = []string{"code", "method"}
	requests = promauto.NewCounterVec(prometheus.CounterOpts{Name: "shop_requests_total"}, labels)
	seconds  = promauto.NewHistogramVec(prometheus.HistogramOpts{Name: "shop_request_seconds"}, labels)
)

func order(w http.ResponseWriter, r *http.Request) {
	w.Write([]byte("thank you\n"))
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "")
	flag.Parse()
	counted := promhttp.InstrumentHandlerCounter(requests, http.HandlerFunc(order))
	http.Handle("/order", promhttp.InstrumentHandlerDuration(seconds, counted))
	http.Handle("/metrics", promhttp.Handler())
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	log.Fatal(http.ListenAndServe(*listen, nil))
}
