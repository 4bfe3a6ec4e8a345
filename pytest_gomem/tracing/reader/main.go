// Command tracereader reads an execution trace of a Go process and says as JSON what its collector and scheduler did.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"

	"gomem/tracereader/events"
	"gomem/tracereader/summary"
)

// lookEvery is how often the memory in use is looked at: at most some 50 MB can be allocated meanwhile.
const lookEvery = 20 * time.Millisecond

// list is given one by one.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

// Set adds one.
func (l *list) Set(one string) error {
	*l = append(*l, one)
	return nil
}

func main() {
	module := flag.String("module", "", "the `path` of the user's module, whose lines are named first")
	top := flag.Int("top", 20, "how many assists, lines and goroutines to name")
	memory := flag.Int64("memory", 1<<30, "give up above these `bytes`")
	var agent list
	flag.Var(&agent, "agent", "leave out what functions do whose names have this `prefix`; may be given again")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: tracereader [options] TRACE")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 || *top < 1 || *memory < 1 {
		flag.Usage()
		os.Exit(2)
	}
	debug.SetGCPercent(50)
	debug.SetMemoryLimit(*memory)
	go watch(*memory)
	found, err := answer(flag.Arg(0), summary.New(*module, *top, agent...))
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(found)
	}
	if err != nil {
		fail(err.Error())
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, strings.Join(strings.Fields(why), " "))
	os.Exit(2)
}

// watch ends the process when it takes too much.
func watch(most int64) {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for ; ; time.Sleep(lookEvery) {
		metrics.Read(sample)
		if sample[0].Value.Uint64()-sample[1].Value.Uint64() > uint64(most) {
			fail(fmt.Sprintf("the trace takes more than %d MB of memory to read", most>>20))
		}
	}
}

func answer(path string, sums *summary.Summary) (*summary.Answer, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	from := bufio.NewReaderSize(file, 1<<18)
	format, err := format(from)
	if err != nil {
		return nil, err
	}
	problems, err := events.Read(from, sums)
	if err != nil {
		return nil, err
	}
	return sums.Answer(format, problems), nil
}

// format is what the trace says of itself: "go 1.26" of "go 1.26 trace\x00\x00\x00".
func format(from *bufio.Reader) (string, error) {
	header, err := from.Peek(16)
	said, _, found := strings.Cut(string(header), " trace\x00")
	if err != nil || !found || !strings.HasPrefix(said, "go 1.") {
		return "", fmt.Errorf("the file is no execution trace")
	}
	return said, nil
}
