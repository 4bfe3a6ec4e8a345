// Command heapreader reads the heap dump of a Go process and says as JSON who holds its memory.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"gomem/heapreader/answer"
	"gomem/heapreader/dump"
	"gomem/heapreader/program"
	"gomem/heapreader/typing"
)

// request is what the command line asks for.
type request struct {
	binary, symbols, base, dump string
	limits                      dump.Limits
	top                         int
	of                          list
}

// list is given one by one.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

// Set adds one.
func (l *list) Set(one string) error {
	*l = append(*l, one)
	return nil
}

func main() {
	asked := request{limits: dump.DefaultLimits()}
	flag.StringVar(&asked.binary, "binary", "", "the `file` of the program that was dumped")
	flag.StringVar(&asked.symbols, "symbols", "", "a `build` of the same program with symbols")
	flag.StringVar(&asked.base, "base", "", "an earlier `dump` of the same process: the answer is of the growth")
	flag.IntVar(&asked.limits.Objects, "max-objects", asked.limits.Objects, "refuse dumps with more objects")
	memory := flag.Int64("memory", 1<<30, "`bytes` that the reader aims to stay below")
	flag.IntVar(&asked.top, "top", 12, "how many holders to name")
	flag.Var(&asked.of, "of", "also name the holders of the types of a `glob`; may be given again")
	var calls list
	flag.Var(&calls, "call", "say where a `FUNCTION+0xOFFSET` calls that a stack trace names; may be given again; needs no DUMP")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: heapreader -binary PROGRAM [options] DUMP")
		flag.PrintDefaults()
	}
	flag.Parse()
	dumps := 1
	if len(calls) > 0 {
		dumps = 0
	}
	if flag.NArg() != dumps || asked.binary == "" || asked.top < 1 || asked.limits.Objects < 1 || *memory < 1 {
		flag.Usage()
		os.Exit(2)
	}
	asked.dump = flag.Arg(0)
	// Nearly all of the memory is slices without pointers, whose collection costs little.
	debug.SetGCPercent(20)
	debug.SetMemoryLimit(*memory)
	var found any
	var err error
	if len(calls) > 0 {
		found, err = asked.places(calls)
	} else {
		found, err = asked.answer()
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(found)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, strings.ReplaceAll(err.Error(), "\n", " "))
		os.Exit(2)
	}
}

// place is where a call stands.
type place struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

// places are those of calls, in their order; nil where the program has no such function.
func (r *request) places(calls []string) (found []*place, err error) {
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("the program could not be read: %v", broken)
		}
	}()
	p, err := program.Load(r.binary, r.symbols)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	for _, call := range calls {
		at := strings.LastIndex(call, "+")
		if at < 0 {
			return nil, fmt.Errorf("%q is no FUNCTION+0xOFFSET", call)
		}
		offset, err := strconv.ParseUint(call[at+1:], 0, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no FUNCTION+0xOFFSET", call)
		}
		file, line, known := p.Call(call[:at], offset)
		if known {
			found = append(found, &place{file, line})
		} else {
			found = append(found, nil)
		}
	}
	return found, nil
}

// answer reads the dumps one after the other.
func (r *request) answer() (found *answer.Answer, err error) {
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("the heap dump could not be read: %v", broken)
		}
	}()
	var before *answer.Before
	if r.base != "" {
		err := r.typed(r.base, func(d *dump.Dump, types *typing.Types, _ []string) error {
			before = answer.Remember(d, types)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("the earlier dump: %w", err)
		}
	}
	err = r.typed(r.dump, func(d *dump.Dump, types *typing.Types, notes []string) error {
		found, err = answer.Of(d, types, before, r.top, r.of...)
		if err == nil {
			found.Notes = append(notes, found.Notes...)
		}
		return err
	})
	return found, err
}

// typed opens a dump and gives its objects types.
func (r *request) typed(path string, use func(*dump.Dump, *typing.Types, []string) error) error {
	d, err := dump.Open(path, r.limits)
	if err != nil {
		return err
	}
	defer d.Close()
	p, err := program.Load(r.binary, r.symbols)
	if err != nil {
		return err
	}
	defer p.Close()
	types, err := typing.Run(d, p)
	if err != nil {
		return err
	}
	return use(d, types, append([]string{}, p.Notes...))
}
