// Command ending allocates --mb MiB in pieces of 1 MiB, holds every second one, and ends in the way that --how names.
// It does without net/http, in whose company the runtime sees no deadlock.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

var (
	held    [][]byte
	dropped []byte
)

func main() {
	mb := flag.Int("mb", 0, "MiB to allocate")
	how := flag.String("how", "return", "return, exit (status 3), panic, kill, deadlock, collecting, child or variables")
	wait := flag.Duration("wait", 0, "time between the allocating and the end")
	gogc := flag.Int("gogc", 0, "percent to set while it runs")
	flag.Parse()
	if *gogc != 0 {
		debug.SetGCPercent(*gogc)
	}
	for i := 0; i < *mb; i++ {
		hold(i)
	}
	time.Sleep(*wait)
	switch *how {
	case "exit":
		os.Exit(3)
	case "panic":
		panic("as asked")
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "deadlock":
		select {}
	case "collecting":
		collecting()
	case "child":
		child()
	case "variables":
		for _, variable := range os.Environ() {
			if strings.HasPrefix(variable, "PYTEST_GOMEM") {
				fmt.Println(variable)
			}
		}
	}
}

//go:noinline
func hold(i int) {
	piece := make([]byte, 1<<20)
	for at := 0; at < len(piece); at += os.Getpagesize() {
		piece[at] = 1
	}
	if i%2 == 0 {
		held = append(held, piece)
	} else {
		dropped = piece
	}
}

// collecting returns while a collection runs, or is about to.
func collecting() {
	for i := 0; i < 4; i++ {
		go func() {
			for {
				runtime.GC()
			}
		}()
	}
	for i := 0; i < 200; i++ {
		runtime.Gosched()
	}
}

// child runs itself, allocating more than its parent, with the parent's environment.
func child() {
	command := exec.Command(os.Args[0], "--mb=200", "--how=variables")
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		panic(err)
	}
}
