// Command hold keeps --mb MiB of Go heap resident, then ends after --for or waits for SIGTERM or SIGINT; status 0 either way.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"example.com/programs/internal/web"
)

func main() {
	mb := flag.Int("mb", 50, "MiB to hold")
	duration := flag.Duration("for", -1, "end with status 0 after this time (0: at once); negative: wait for SIGTERM or SIGINT")
	listen := flag.String("listen", "", "host:port that answers /healthz once the memory is resident")
	admin := flag.String("admin", "", "host:port of /debug/pprof/; needs --listen")
	flag.Parse()

	held := web.Touch(make([]byte, *mb<<20))
	fmt.Printf("holding %d MiB\n", *mb)
	if *listen != "" {
		go web.Serve(web.Listen(*listen), *admin, http.NewServeMux())
	}
	if *duration >= 0 {
		time.Sleep(*duration)
	} else {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
		<-asked
	}
	runtime.KeepAlive(held)
}
