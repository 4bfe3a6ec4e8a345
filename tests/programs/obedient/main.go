// Command obedient obeys lines on stdin: `burn N` forces N cycles, `alloc N` makes N bytes, `spike` holds 200 MB for
// 5 ms, `exit` ends at such a peak, `log` writes to stderr in every way, `panic` panics.
package main

import (
	"bufio"
	"fmt"
	"log"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var early = log.New(os.Stderr, "", 0)

var sink []byte

func spike() {
	sink = make([]byte, 200<<20)
	for i := 0; i < len(sink); i += 4096 {
		sink[i] = 1
	}
	time.Sleep(5 * time.Millisecond)
	sink = nil
}

func main() {
	fmt.Println("up")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); fmt.Println("done") {
		switch word, number, _ := strings.Cut(lines.Text(), " "); word {
		case "burn":
			n, _ := strconv.Atoi(number)
			for i := 0; i < n; i++ {
				runtime.GC()
			}
		case "alloc":
			n, _ := strconv.Atoi(number)
			sink = make([]byte, n)
		case "spike":
			spike()
		case "exit":
			sink = make([]byte, 200<<20)
			time.Sleep(100 * time.Millisecond)
			os.Exit(1)
		case "log":
			early.Print("early logger")
			log.Print("default logger")
			slog.Info("default slog")
			fmt.Fprintln(os.Stderr, "os.Stderr")
			println("println")
			syscall.Write(2, []byte("raw write\n"))
		case "panic":
			panic("boom")
		}
	}
}
