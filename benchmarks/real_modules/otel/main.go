// Orders that are counted with OpenTelemetry, in an installation that has no collector: no provider is set.
package main

import (
	"flag"
	"log"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

type telemetry struct {
	orders metric.Int64Counter
	taken  metric.Float64Histogram
}

func newTelemetry(shop string) (*telemetry, error) {
	meter := otel.Meter("example.com/shop/" + shop)
	orders, err := meter.Int64Counter("shop.orders", metric.WithDescription("orders taken"))
	if err != nil {
		return nil, err
	}
	taken, err := meter.Float64Histogram("shop.order.duration", metric.WithUnit("s"))
	return &telemetry{orders, taken}, err
}

func order(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	measured, err := newTelemetry(r.FormValue("shop"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Write([]byte("thank you\n"))
	measured.orders.Add(r.Context(), 1)
	measured.taken.Record(r.Context(), time.Since(start).Seconds())
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "")
	flag.Parse()
	http.HandleFunc("/order", order)
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	log.Fatal(http.ListenAndServe(*listen, nil))
}
