// Reminders at a moment that the caller names; one that lies in the past is refused.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/go-co-op/gocron/v2"
)

type reminders struct{ scheduler gocron.Scheduler }

func (r *reminders) add(w http.ResponseWriter, request *http.Request) {
	at, err := time.Parse(time.RFC3339, request.FormValue("at"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	remind := gocron.NewTask(func(text string) { log.Print(text) }, request.FormValue("text"))
	once := gocron.OneTimeJob(gocron.OneTimeJobStartDateTime(at))
	if _, err := r.scheduler.NewJob(once, remind); err != nil {
		fmt.Fprintln(w, "not set:", err)
		return
	}
	fmt.Fprintln(w, "set")
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "")
	flag.Parse()
	scheduler, err := gocron.NewScheduler()
	if err != nil {
		log.Fatal(err)
	}
	scheduler.Start()
	set := &reminders{scheduler}
	http.HandleFunc("/remind", set.add)
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	log.Fatal(http.ListenAndServe(*listen, nil))
}
