// Command automemlimit prints the GOMEMLIMIT in bytes that the library of that name sets from the memory cgroup.
package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

func main() {
	if _, err := memlimit.Set(memlimit.WithRatio(1), memlimit.WithProvider(memlimit.FromCgroup)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(debug.SetMemoryLimit(-1))
}
