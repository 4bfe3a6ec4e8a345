"""Shows what execution traces cost a service: CPU per operation while one is on, and that it is nothing while none is.

Two loads: requests of net/http that allocate 20 kB each, and goroutines that hand a value to each other and do nothing
else, the worst case of a trace. Within one process the load runs with nothing on, with the flight recorder, with a
trace to a file, and with nothing once more (`control`), the order turned each time: these are ratios of neighbours. The
processes are fresh in each turn. `support` compares two processes instead, since it is built in or not: the agent with
its traces against an agent whose traces are left out, none of them on; `other process` is what two processes of one
binary differ by. Limits: the 95% interval (Student) of `support` begins at +0.5% at most, and the binary grows by at
most 100 kB. --small judges nothing but the size: a few loads on a busy machine tell nothing.

    python benchmarks/trace_cost.py [--small]
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median

from agent_cpu import cpu, interval
from agents import line, module, running
from common import small_asked, table, verdict, workshop

from pytest_gomem.launch.overlay import Overlay, overlay_for
from pytest_gomem.launch.toolchain import find_toolchain
from pytest_gomem.observe.agent.client import AgentClient

LATEST, LARGEST = 0.005, 100_000
FLIGHT = 8 << 20  # bytes
OFF, RECORDER, TRACE, CONTROL = "off", "flight recorder of 8 MiB", "trace to a file", "control"
SUPPORT, OTHER = "support", "other process"
LOADS = REQUESTS, HANDS = "net/http requests", "goroutines that switch"
SOURCE = """package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
)

func main() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		words := make([]string, 300)
		for i := range words {
			words[i] = fmt.Sprint("word ", i)
		}
		fmt.Fprint(w, words)
	})
	server := httptest.NewServer(handler)
	for {
		var kind string
		var count int
		if _, err := fmt.Fscan(os.Stdin, &kind, &count); err != nil {
			return
		}
		if kind == "requests" {
			requests(server.URL, count)
		} else {
			hands(count)
		}
		fmt.Println("done")
	}
}

func requests(url string, count int) {
	for i := 0; i < count; i++ {
		answer, err := http.Get(url)
		if err != nil {
			panic(err)
		}
		answer.Body.Close()
	}
}

func hands(count int) {
	to, back := make(chan int), make(chan int)
	go func() {
		for value := range to {
			back <- value
		}
		close(back)
	}()
	for i := 0; i < count; i++ {
		to <- i
		<-back
	}
	close(to)
	<-back
}
"""
LEFT_OUT = {
    "trace.go.txt": """package main

import gomemErrors "errors"

type pytestGomemTrace struct{}

func (a *pytestGomemAgent) traceCommand(words []string, reply *pytestGomemReply) error {
	return gomemErrors.New("left out")
}
""",
    "flight.go.txt": """package main

import gomemErrors "errors"

func pytestGomemFlightCommand(words []string, reply *pytestGomemReply) error {
	return gomemErrors.New("left out")
}
""",
    "no_flight.go.txt": "package main\n",
}


def built(source: Path, binary: Path, *, traces: bool) -> Path:
    """The program with the agent, whose traces may be left out."""
    binary.parent.mkdir()
    go = find_toolchain().go
    overlay = overlay_for(".", source, binary.parent, go, os.environ)
    assert isinstance(overlay, Overlay), overlay
    for name, text in {} if traces else LEFT_OUT.items():
        (binary.parent / name).write_text(text)
    subprocess.run([go, "build", "-o", str(binary), *overlay.flags, "."], cwd=source, check=True)
    return binary


class Worker:
    """A running program. count: operations of each of its loads."""

    def __init__(self, process: subprocess.Popen[bytes], client: AgentClient, folder: Path, count: int) -> None:
        self._process, self._client, self._folder, self._count = process, client, folder, count

    def cost(self, load: str) -> float:
        """CPU seconds of a load."""
        words = ("requests", self._count) if load == REQUESTS else ("hands", 60 * self._count)
        assert self._process.stdin is not None
        before = cpu(self._process.pid)
        self._process.stdin.write("{} {}\n".format(*words).encode())
        self._process.stdin.flush()
        assert line(self._process) == b"done\n"
        return cpu(self._process.pid) - before

    def recorded(self, load: str) -> float:
        """The same with the flight recorder on."""
        self._client.start_flight(FLIGHT)
        try:
            return self.cost(load)
        finally:
            self._client.stop_flight()

    def traced(self, load: str) -> float:
        """The same with a trace on."""
        path = self._folder / "trace"
        self._client.start_trace(path, 0, 0)
        try:
            return self.cost(load)
        finally:
            self._client.traced()
            path.unlink()


def one_turn(with_traces: Path, without: Path, load: str, repeats: int, count: int) -> dict[str, float]:
    """The extra CPU by kind, as a share of a neighbour's."""
    with running(without) as bare, running(with_traces) as full, running(with_traces) as other:
        ours, plain, second = (Worker(*one, count) for one in (full, bare, other))
        kinds: dict[str, Callable[[str], float]] = {
            OFF: ours.cost,
            RECORDER: ours.recorded,
            TRACE: ours.traced,
            CONTROL: ours.cost,
            SUPPORT: plain.cost,
            OTHER: second.cost,
        }
        used: dict[str, list[float]] = {kind: [] for kind in kinds}
        for worker in (ours, plain, second):
            worker.cost(load)
        for at in range(repeats):
            order = list(kinds)[at % len(kinds) :] + list(kinds)[: at % len(kinds)]
            for kind in order:
                used[kind].append(kinds[kind](load))
        found = {kind: median(used[kind]) / median(used[OFF]) - 1 for kind in (RECORDER, TRACE, CONTROL, OTHER)}
        return {**found, SUPPORT: median(used[OFF]) / median(used[SUPPORT]) - 1}


def main() -> int:
    """Measure and print."""
    small = small_asked(__doc__)
    turns, repeats, count = (2, 1, 200) if small else (10, 6, 2000)
    with workshop() as folder:
        source = module(folder / "bench", SOURCE)
        with_traces = built(source, folder / "with" / "bench", traces=True)
        without = built(source, folder / "without" / "bench", traces=False)
        growth = with_traces.stat().st_size - without.stat().st_size
        found = {load: [one_turn(with_traces, without, load, repeats, count) for _ in range(turns)] for load in LOADS}
    missed = [f"the binary grows by {growth} bytes, at most {LARGEST} are allowed"] if growth > LARGEST else []
    slower = []
    for load, every in found.items():
        rows = []
        for kind in (RECORDER, TRACE, CONTROL, SUPPORT, OTHER):
            values = [one[kind] for one in every]
            low, high = interval(values)
            rows.append((kind, f"x {1 + mean(values):.3f}", f"x {1 + low:.3f}", f"x {1 + high:.3f}", len(values)))
            if kind == SUPPORT and low > LATEST:
                slower.append(f"{load}: with nothing on at least {low:+.2%} of CPU, {LATEST:+.1%} is allowed")
        table(f"CPU of {load}", ("against nothing on", "mean", "from", "to", "turns"), rows)
    print(f"the binary grows by {growth} bytes")
    return verdict([*missed, *([] if small else slower)])


if __name__ == "__main__":
    sys.exit(main())
