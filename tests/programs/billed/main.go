// Command billed keeps resident memory of each kind that a bill tells apart: --live=40 keeps 40 MiB of live heap, and so on.
//
// It prints "ready" and lives until stdin is closed. With --record=DIR it writes what the kernel and the runtime say of
// it into that folder, and ends.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
)

const (
	mib      = 1 << 20
	hugePage = 2 * mib
	collapse = 25 // MADV_COLLAPSE, Linux 6.1
)

func main() {
	live := flag.Int("live", 0, "MiB of live heap")
	free := flag.Int("free", 0, "MiB that the collector has freed and the runtime keeps")
	garbage := flag.Int("garbage", 0, "MiB that nothing reaches and the collector has not freed")
	huge := flag.Int("huge", 0, "MiB of huge pages in the heap, each for one object of 8 KiB")
	stacks := flag.Int("stacks", 0, "MiB of goroutine stacks")
	mapped := flag.Int("mmap", 0, "MiB of anonymous memory by mmap")
	file := flag.Int("file", 0, "MiB of a mapped file")
	inC := flag.Int("malloc", 0, "MiB by malloc in C")
	gogc := flag.Int("gogc", -1, "GOGC; -1: no collection but those of the other options")
	churn := flag.Int("churn", 0, "MiB to allocate and drop, collected as GOGC says")
	record := flag.String("record", "", "folder to write smaps, exe and MemStats to")
	flag.Parse()

	// No collection but those below: each kind stays what it is.
	debug.SetGCPercent(-1)
	kept := []any{collapsed(*huge), allocate(*live), mmap(*mapped), mmapFile(*file)}
	if *inC > 0 {
		malloc(*inC * mib)
	}
	for i := 0; i < *stacks; i++ {
		goroutine()
	}
	if *free > 0 {
		allocate(*free)
		// One cycle: from the second on the runtime returns what it no longer needs.
		runtime.GC()
	}
	allocate(*garbage)
	if *churn > 0 {
		debug.SetGCPercent(*gogc)
		runtime.GC()
		for i := 0; i < *churn; i++ {
			touch(make([]byte, mib))
		}
	}

	if *record != "" {
		recordTo(*record)
	} else {
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin)
	}
	runtime.KeepAlive(kept)
}

func touch(block []byte) []byte {
	for i := 0; i < len(block); i += os.Getpagesize() {
		block[i] = 1
	}
	return block
}

// allocate makes so many MiB resident on the heap, in objects that fill their spans.
func allocate(count int) [][]byte {
	blocks := [][]byte{}
	for i := 0; i < count; i++ {
		blocks = append(blocks, touch(make([]byte, mib)))
	}
	return blocks
}

// collapsed keeps one object in each huge page of the heap, gives the rest back, and has the kernel fill the pages again.
func collapsed(count int) [][]byte {
	if count == 0 {
		return nil
	}
	const size = 8 << 10
	kept := [][]byte{}
	for i := 0; i < count*mib/size; i++ {
		object := touch(make([]byte, size))
		if i%(hugePage/size) == 0 {
			kept = append(kept, object)
		}
	}
	debug.FreeOSMemory()
	for _, object := range kept {
		page := address(object) &^ (hugePage - 1)
		if _, _, err := syscall.Syscall(syscall.SYS_MADVISE, page, hugePage, collapse); err != 0 {
			log.Fatal("MADV_COLLAPSE: ", err)
		}
	}
	return kept
}

// goroutine starts one with a stack of 1 MiB, all of it used, and returns when it is parked.
func goroutine() {
	parked := make(chan struct{})
	go func() {
		deep(mib / 2)
		close(parked)
		select {}
	}()
	<-parked
}

// deep uses so many bytes of stack, which then grows to the next power of two above.
func deep(bytes int) byte {
	var frame [1024]byte
	if bytes > 0 {
		frame[bytes%1024] = deep(bytes - 1024)
	}
	return frame[0]
}

func mmap(count int) []byte {
	return mapFile(-1, count, syscall.MAP_ANON|syscall.MAP_PRIVATE)
}

// mmapFile maps a file that nobody else can see, and reads it.
func mmapFile(count int) []byte {
	if count == 0 {
		return nil
	}
	file, err := os.CreateTemp("", "billed")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(file.Name())
	if _, err := file.Write(make([]byte, count*mib)); err != nil {
		log.Fatal(err)
	}
	return mapFile(int(file.Fd()), count, syscall.MAP_SHARED)
}

func mapFile(fd, count, flags int) []byte {
	if count == 0 {
		return nil
	}
	block, err := syscall.Mmap(fd, 0, count*mib, syscall.PROT_READ|syscall.PROT_WRITE, flags)
	if err != nil {
		log.Fatal("mmap: ", err)
	}
	return touch(block)
}

func recordTo(folder string) {
	var now, afterGC runtime.MemStats
	runtime.ReadMemStats(&now)
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		log.Fatal(err)
	}
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&afterGC)
	write(folder, "smaps", smaps)
	exe, _ := os.Readlink("/proc/self/exe")
	facts := map[string]any{"exe": exe, "go": runtime.Version(), "memstats": now, "after_gc": afterGC}
	text, _ := json.Marshal(facts)
	write(folder, "facts.json", text)
}

func write(folder, name string, data []byte) {
	if err := os.WriteFile(filepath.Join(folder, name), data, 0o666); err != nil {
		log.Fatal(err)
	}
}
