// Command server is a small service that lives, misbehaves and dies on request.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"example.com/programs/internal/web"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "host:port")
	admin := flag.String("admin", "", "host:port of /debug/pprof/")
	pprof := flag.Bool("pprof", false, "serve /debug/pprof/ on --listen too")
	logReady := flag.Bool("log-ready", false, `print "listening on HOST:PORT" to stderr once bound`)
	dieBeforeReady := flag.Bool("die-before-ready", false, "end with status 3 before binding the port")
	neverReady := flag.Bool("never-ready", false, "never bind the port")
	stealOnce := flag.String("steal-once", "", "if this file is missing: make it, and fail as if another had taken the port")
	ignoreSigterm := flag.Bool("ignore-sigterm", false, "live on after SIGTERM")
	children := flag.Int("children", 0, "start this many child processes that sleep, and inherit stderr")
	setsid := flag.Bool("setsid", false, "the children leave the session and process group")
	flag.Func("set-gogc", "debug.SetGCPercent with this percentage (-1: off)", setGOGC)
	flag.Func("set-memlimit", "debug.SetMemoryLimit with this number of bytes", setMemoryLimit)
	child := flag.Bool("child", false, "be one of the --children")
	flag.Parse()

	if *child {
		// Ends by itself, so that a test that loses it leaves nothing for ever.
		time.Sleep(5 * time.Minute)
		return
	}
	if *ignoreSigterm {
		signal.Ignore(syscall.SIGTERM)
	}
	family := startChildren(*children, *setsid)
	if *dieBeforeReady {
		fmt.Fprintln(os.Stderr, "cannot start: no database")
		os.Exit(3)
	}
	if *neverReady {
		time.Sleep(5 * time.Minute)
		return
	}
	if *stealOnce != "" {
		steal(*stealOnce, *listen)
	}
	listener := web.Listen(*listen)
	if *logReady {
		fmt.Fprintf(os.Stderr, "listening on %s\n", listener.Addr())
	}
	mux := routes(family)
	if *pprof {
		mux.Handle("/debug/pprof/", http.DefaultServeMux)
	}
	web.Serve(listener, *admin, mux)
}

// steal binds the address twice, if mark does not exist yet: the error and the exit are Go's own.
func steal(mark, address string) {
	file, err := os.OpenFile(mark, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if os.IsExist(err) {
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	file.Close()
	defer web.Listen(address).Close()
	web.Listen(address)
}

func setGOGC(text string) error {
	percent, err := strconv.Atoi(text)
	if err == nil {
		debug.SetGCPercent(percent)
	}
	return err
}

func setMemoryLimit(text string) error {
	bytes, err := strconv.ParseInt(text, 10, 64)
	if err == nil {
		debug.SetMemoryLimit(bytes)
	}
	return err
}
