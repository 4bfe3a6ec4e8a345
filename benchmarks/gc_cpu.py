"""Shows that `gc_cpu` by the agent is the share that a CPU profile of the same window finds.

A service holds some 60 MB of pointers and allocates beside them, in windows of its own, each a fresh process: first on
the machine as it is, then beside four processes that keep a CPU busy each. A CPU profile runs from the beginning of
each window to its end; in it the collector is what runs below its mark workers (idle marking left out on both sides),
its assists, and the ends of its cycles. The peer is gctrace against the CPU clock, what `gc_cpu` is without the agent:
beside the busy processes it has to be unavailable. Limits: the mean difference is at most 3 percentage points in either
condition; a single one at most 10, the scatter of two profiles of some hundred samples. --small judges nothing.

    python benchmarks/gc_cpu.py [--small]
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from agents import built, module
from common import Project, small_asked, table, verdict, workshop

from pytest_gomem.base.student import quantile
from pytest_gomem.pprof.model import location_ids
from pytest_gomem.pprof.read import parse_profile

MOST_ON_AVERAGE, MOST_ONCE = 0.03, 0.10
BUSY = {"quiet": 0, "busy": 4}  # processes that compute without end, by condition
IDLE_MARKING = "runtime.gcDrainMarkWorkerIdle"
COLLECTOR = ("runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.gcMarkDone", "runtime.gcStart")

SOURCE = """package main

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

type node struct {
	next *node
	room [6]*node
}

var held []*node

func churn(until time.Time) {
	var last *node
	for i := 0; ; i++ {
		fresh := &node{next: last}
		if last = fresh; i%64 == 0 {
			last = nil
			if time.Now().After(until) {
				return
			}
		}
		held[i%len(held)].room[i%6] = fresh
	}
}

func main() {
	held = make([]*node, 1<<20)
	for i := range held {
		held[i] = new(node)
	}
	http.HandleFunc("/churn", func(w http.ResponseWriter, r *http.Request) {
		ms, _ := strconv.Atoi(r.URL.Query().Get("ms"))
		until := time.Now().Add(time.Duration(ms) * time.Millisecond)
		var all sync.WaitGroup
		for i := 0; i < 2; i++ {
			all.Add(1)
			go func() { defer all.Done(); churn(until) }()
		}
		all.Wait()
		fmt.Fprintln(w, "done")
	})
	http.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {})
	panic(http.ListenAndServe(os.Args[1], nil))
}
"""

TESTS = """
    import json
    import subprocess
    import sys
    from pathlib import Path

    import pytest

    given = json.loads(Path("given.json").read_text())
    pytestmark = pytest.mark.parametrize("at", range(given["windows"]))


    @pytest.fixture(scope="module", params=given["busy"].items(), ids=given["busy"])
    def condition(request):
        name, number = request.param
        running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
        yield name
        for process in running:
            process.kill()
            process.wait()


    @pytest.mark.gomem(service="agent")
    def test_agent(condition, go_service, at):
        agent = go_service.process.agent()
        agent.start_cpu_profile(Path(f"{condition}-{at}.pb.gz").resolve())
        go_service.get(f"/churn?ms={given['ms']}", timeout=120)
        agent.stop_cpu_profile()


    @pytest.mark.gomem(service="plain")
    def test_plain(condition, go_service, at):
        go_service.get(f"/churn?ms={given['ms']}", timeout=120)
"""


def share_of_profile(path: Path) -> tuple[float, int]:
    """The collector's share of a CPU profile, idle marking left out, and how many samples that is a share of."""
    profile = parse_profile(path.read_bytes())
    counts = {"idle": 0, "collector": 0, "else": 0}
    for packed, count in zip(profile.stacks, profile.values[profile.sample_index("samples")], strict=True):
        places = map(profile.location, location_ids(packed))
        stack = " ".join(line.function.name for place in places for line in place.lines)
        kind = "idle" if IDLE_MARKING in stack else "collector" if any(f in stack for f in COLLECTOR) else "else"
        counts[kind] += count
    busy = counts["collector"] + counts["else"]
    return counts["collector"] / busy, busy


def windows(folder: Path, number: int, ms: int) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The metrics of all windows by condition and service; with the agent each has its profile's share and samples."""
    binary = built(".", module(folder / "bench", SOURCE), folder / "plain" / "bench", agent=False)
    services = "".join(
        f"  {service}:\n    {how}\n    args: ['127.0.0.1:{{port}}']\n    ready: {{http: /healthz, timeout: 30s}}\n"
        for service, how in (("agent", f"build: {folder / 'bench'}"), ("plain", f"binary: {binary}"))
    )
    given = {"windows": number, "ms": ms, "busy": BUSY}
    project = Project(folder / "project", TESTS, f"version: 1\nservices:\n{services}", given)
    found: dict[str, dict[str, list[dict[str, Any]]]] = {name: {"agent": [], "plain": []} for name in BUSY}
    for test in project.passed().report["tests"]:
        service, _, condition_and_at = test["nodeid"].rpartition("::test_")[2].rstrip("]").partition("[")
        at, condition = sorted(condition_and_at.split("-"))
        metrics = test["windows"][0]["metrics"]
        if service == "agent":
            metrics["profile"] = share_of_profile(project.folder / f"{condition}-{at}.pb.gz")
        found[condition][service].append(metrics)
    return found


def shares(windows: list[dict[str, Any]]) -> list[float]:
    """The `gc_cpu` of those windows in which it is available."""
    return [one["gc_cpu"]["value"] for one in windows if one["gc_cpu"]["value"] is not None]


def compared(name: str, measured: list[dict[str, Any]], plain: list[dict[str, Any]]) -> tuple[list[object], list[str]]:
    """A row of the table, and the limits missed."""
    by_gctrace = shares(plain)
    available = [one for one in measured if one["gc_cpu"]["value"] is not None]
    off = [one["gc_cpu"]["value"] - one["profile"][0] for one in available]
    half = quantile(0.025, len(off) - 1) * stdev(off) / len(off) ** 0.5 if len(off) > 1 else float("nan")
    row = [
        name,
        f"{mean(shares(available)):.1%}" if available else "-",
        f"{mean(one['profile'][0] for one in measured):.1%}",
        f"{mean(off):+.1%} +- {half:.1%}" if available else "-",
        f"{max(map(abs, off)):.1%}" if available else "-",
        f"{mean(one['profile'][1] for one in measured):.0f}",
        f"{mean(one['cpu_starvation']['value'] for one in measured):.0%}",
        f"{len(measured) - len(available)} of {len(measured)}",
        f"{mean(by_gctrace):.1%}" if by_gctrace else "-",
        f"{len(plain) - len(by_gctrace)} of {len(plain)}",
    ]
    if len(available) < len(measured):
        return row, [f"{name}: gc_cpu by the agent is unavailable in {len(measured) - len(available)} windows"]
    missed = []
    if abs(mean(off)) > MOST_ON_AVERAGE:
        missed.append(f"{name}: {mean(off):+.1%} off on average, at most {MOST_ON_AVERAGE:.0%} is allowed")
    if max(map(abs, off)) > MOST_ONCE:
        missed.append(f"{name}: a window is {max(map(abs, off)):.1%} off, at most {MOST_ONCE:.0%} is allowed")
    return row, missed


def main() -> int:
    """Measure and print."""
    small = small_asked(__doc__)
    number, ms = (1, 200) if small else (10, 4000)
    with workshop() as folder:
        found = windows(folder, number, ms)
    rows, missed = [], []
    for name, by_service in found.items():
        row, over = compared(name, by_service["agent"], by_service["plain"])
        rows.append(row)
        missed += over
    figures = ("gc_cpu", "profile", "difference", "largest", "samples", "starvation")
    head = ("", *figures, "unavailable", "by gctrace", "unavailable")
    table(f"gc_cpu against a CPU profile of the same window, {number} windows each", head, rows)
    return verdict(missed, enforced=not small)


if __name__ == "__main__":
    sys.exit(main())
