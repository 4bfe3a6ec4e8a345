"""Shows that the profile of the peak names the guilty line, also of a service that dies at its peak.

A Go program makes 200 MB resident in one function: for 5 ms, after which no GC cycle follows; or for 100 ms, after
which it ends itself with status 1, or is killed by SIGKILL, as the kernel's OOM killer does. Limit: the first line of
the program itself in the profile that the agent has kept is the guilty one, every time.
The peer is the heap profile taken when the spike is over (there is none of a process that has died).

    python benchmarks/peak_profile.py [--small]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from agents import built, line, module, running, tell
from common import small_asked, table, verdict, workshop

from pytest_gomem.attribution.culprits import find_culprits
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.observe.agent.client import read_peak
from pytest_gomem.pprof.read import parse_profile

SOURCE = """package main

import (
	"bytes"
	"os"
	"syscall"
	"time"
)

var kept [][]byte

func spike() {
	for i := 0; i < 200; i++ {
		kept = append(kept, bytes.Repeat([]byte{1}, 1<<20)) // guilty
	}
}

func main() {
	os.Stdin.Read(make([]byte, 1))
	spike()
	switch os.Args[1] {
	case "free":
		time.Sleep(5 * time.Millisecond)
		kept = nil
	case "exit":
		time.Sleep(100 * time.Millisecond)
		os.Exit(1)
	case "kill":
		time.Sleep(100 * time.Millisecond)
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	os.Stdout.Write([]byte("over\\n"))
	os.Stdin.Read(make([]byte, 1))
}
"""
GUILTY = next(number for number, text in enumerate(SOURCE.splitlines(), 1) if "// guilty" in text)
WAYS = {"free": "a spike of 5 ms", "exit": "ends itself at its peak", "kill": "killed at its peak"}


def first_line(profile: bytes) -> int | None:
    """The first line of the program's own in the profile; None where nothing is named."""
    try:
        found = find_culprits("peak_rss", (parse_profile(profile),), None, GoModule("bench")).culprits
    except ObserveError:
        return None
    return found[0].line if found else None


def run(binary: Path, way: str) -> tuple[int | None, int | None]:
    """The first line in the profile of the peak, and in that at the end."""
    with running(binary, way) as (process, client, folder):
        client.start_peak(folder / "peak")
        tell(process, b"\n")
        line(process)
        at_end = None
        if way == "free":
            time.sleep(0.05)
            at_end = first_line(client.profile("heap", gc=True))
        else:
            process.wait()
        try:
            return first_line(read_peak(folder / "peak").profile), at_end
        except ObserveError:
            return None, at_end


def main() -> int:
    """Measure and print."""
    runs = 1 if small_asked(__doc__) else 20
    with workshop() as folder:
        binary = built(".", module(folder / "bench", SOURCE), folder / "bin" / "bench")
        named = {way: [run(binary, way) for _ in range(runs)] for way in WAYS}
    rows = [
        (
            words,
            f"{sum(peak == GUILTY for peak, _ in named[way])} of {runs}",
            f"{sum(end == GUILTY for _, end in named[way])} of {runs}" if way == "free" else "-",
        )
        for way, words in WAYS.items()
    ]
    table("guilty line named first", ("200 MB", "peak profile", "peer: profile at the end"), rows)
    return verdict(
        [f"{WAYS[way]}: line {peak}, not {GUILTY}" for way in WAYS for peak, _ in named[way] if peak != GUILTY]
    )


if __name__ == "__main__":
    sys.exit(main())
