package main

import (
	"log"
	"os"
	"os/exec"
	"syscall"
)

// startChildren starts this program count times as sleepers, and returns their process ids.
func startChildren(count int, setsid bool) []int {
	pids := []int{}
	for i := 0; i < count; i++ {
		command := exec.Command(os.Args[0], "--child")
		command.Stdout, command.Stderr = os.Stdout, os.Stderr
		command.SysProcAttr = &syscall.SysProcAttr{Setsid: setsid}
		if err := command.Start(); err != nil {
			log.Fatal(err)
		}
		pids = append(pids, command.Process.Pid)
		// Reaped when it ends, or it would stay as a zombie.
		go func() { _ = command.Wait() }()
	}
	return pids
}
