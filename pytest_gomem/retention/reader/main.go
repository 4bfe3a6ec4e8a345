// Command heapreader reads the heap dump of a Go process and says as JSON who holds its memory.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
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
	of                          globs
}

// globs are given one by one.
type globs []string

func (g *globs) String() string { return strings.Join(*g, " ") }

// Set adds one.
func (g *globs) Set(glob string) error {
	*g = append(*g, glob)
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
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: heapreader -binary PROGRAM [options] DUMP")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 || asked.binary == "" || asked.top < 1 || asked.limits.Objects < 1 || *memory < 1 {
		flag.Usage()
		os.Exit(2)
	}
	asked.dump = flag.Arg(0)
	// Nearly all of the memory is slices without pointers, whose collection costs little.
	debug.SetGCPercent(20)
	debug.SetMemoryLimit(*memory)
	found, err := asked.answer()
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(found)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, strings.ReplaceAll(err.Error(), "\n", " "))
		os.Exit(2)
	}
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
