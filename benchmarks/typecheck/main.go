// Command typecheck type-checks part of the standard library from source and writes its heap profile.
//
// It is a subject for benchmarks and tests of profile readers: a type checker recurses deeply, allocates small
// objects in thousands of places and keeps part of them, so its profile has many distinct stacks. The sampling rate
// is the caller's: GODEBUG=memprofilerate=512 gives tens of thousands of samples.
package main

import (
	"flag"
	"fmt"
	"go/importer"
	"go/token"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
)

func main() {
	profile := flag.String("profile", "heap.pb.gz", "where to write the profile")
	text := flag.String("text", "", "where to write the same profile as text")
	packages := flag.String("packages", "net/http", "the packages to check, comma-separated")
	keep := flag.Bool("keep", false, "keep all garbage, as a program with a large GOGC would")
	flag.Parse()
	if err := run(*profile, *text, strings.Split(*packages, ","), *keep); err != nil {
		fmt.Fprintln(os.Stderr, "typecheck:", err)
		os.Exit(1)
	}
}

func run(profile, text string, packages []string, keep bool) error {
	if keep {
		debug.SetGCPercent(-1)
	}
	checked := importer.ForCompiler(token.NewFileSet(), "source", nil)
	for _, path := range packages {
		if _, err := checked.Import(path); err != nil {
			return err
		}
	}
	if !keep {
		runtime.GC()
	}
	// A heap profile shows the heap as of the last collection: without another one, both files show the same.
	debug.SetGCPercent(-1)
	if err := write(profile, 0); err != nil {
		return err
	}
	if text != "" {
		if err := write(text, 1); err != nil {
			return err
		}
	}
	runtime.KeepAlive(checked)
	return nil
}

func write(path string, form int) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.Lookup("heap").WriteTo(out, form); err != nil {
		return err
	}
	return out.Close()
}
