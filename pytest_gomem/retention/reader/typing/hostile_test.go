package typing

import (
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gomem/heapreader/dump"
	"gomem/heapreader/program"
)

func TestMutatedBinariesGiveTypesOrAnError(t *testing.T) {
	rounds := 25
	if more, err := strconv.Atoi(os.Getenv("MUTANTS")); err == nil {
		rounds = more
	}
	binary := built(t, "-ldflags=-compressdwarf=false")
	file := filepath.Join(t.TempDir(), "dump")
	if out, err := exec.Command(binary, file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	whole, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	mutant := filepath.Join(t.TempDir(), "mutant")
	random := rand.New(rand.NewSource(int64(rounds)))
	typed := 0
	for round := 0; round < rounds; round++ {
		bytes := append([]byte(nil), whole...)
		for n := 1 + random.Intn(2000); n > 0; n-- {
			at := len(bytes)/10 + random.Intn(len(bytes)*9/10) // the headers of the file have a test of their own
			bytes[at] = byte(random.Intn(256))
		}
		if err := os.WriteFile(mutant, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := typeMutant(mutant, file); err == nil {
			typed++
		} else if strings.Contains(err.Error(), "runtime error") {
			t.Errorf("round %d: %v", round, err)
		}
		if took := time.Since(start); took > time.Minute {
			t.Fatalf("round %d took %v", round, took)
		}
	}
	if typed == 0 {
		t.Error("no mutant was typed")
	}
}

func typeMutant(binary, file string) error {
	d, err := dump.Open(file, dump.DefaultLimits())
	if err != nil {
		return err
	}
	defer d.Close()
	p, err := program.Load(binary, "")
	if err != nil {
		return err
	}
	defer p.Close()
	types, err := Run(d, p)
	if err != nil {
		return err
	}
	for i := 0; i < d.Len(); i++ {
		types.Name(i)
	}
	for _, s := range d.Segments {
		for _, offset := range s.Pointers {
			types.Global(s.Address + uint64(offset))
		}
	}
	return nil
}
