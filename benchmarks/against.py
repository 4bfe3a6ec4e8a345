"""Shows that a comparison with another commit raises no false alarm, and sees 1%: each one live, from git to verdict.

A small service keeps 200 objects of 512 bytes per request and makes as many that it drops; a test is 500 requests,
200 with --small, where 10% more is kept and 3 rounds of each side are enough to see it.
same: the commit against itself. heap: 2 objects more are kept per request. churn: 4 objects more are made. Each
comparison is one test of its own, in one pytest run for each of the three: three rounds of fresh processes a side, and
up to eight where these seem worse.
cost: what a test spends on comparing, from the same runs: the heap profiles of what may be the last rounds, the
decision. Without the search for the cause of a failure.
COMPARISONS in the environment sets their number, 40 unless said.

    python benchmarks/against.py [--small]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from common import API_YAML, Project, small_asked, table, verdict, workshop

MAIN = """package main

import (
	"flag"
	"net/http"
	"sync"
)

type object struct {
	next *object
	rest [504]byte
}

var (
	mutex         sync.Mutex
	kept, dropped *object
)

func handle(w http.ResponseWriter, r *http.Request) {
	mutex.Lock()
	defer mutex.Unlock()
	for range keptObjects {
		kept = &object{next: kept}
	}
	for range madeObjects {
		dropped = &object{}
	}
}

func main() {
	listen := flag.String("listen", "", "")
	flag.Parse()
	http.HandleFunc("/work", handle)
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	http.ListenAndServe(*listen, nil)
}
"""
TESTS = """
    import json
    from pathlib import Path

    import pytest

    given = json.loads(Path("given.json").read_text())


    @pytest.mark.parametrize("at", range(given["comparisons"]))
    def test_work(go_service, at):
        go_service.load("/work", requests=given["requests"], connections=2)
"""
CONFTEST = """
    import json
    import time
    from pathlib import Path

    from pytest_gomem.instruments.kept_heap import KeptHeap
    from pytest_gomem.plugin.measured import MeasuredItem

    COSTS, TAKEN = [0.0], []


    def timed(owner, name):
        method = getattr(owner, name)

        def wrapper(*args):
            began = time.monotonic()
            try:
                return method(*args)
            finally:
                COSTS[-1] += time.monotonic() - began

        setattr(owner, name, wrapper)


    timed(KeptHeap, "close")  # of the last round of either side
    timed(MeasuredItem, "judge")  # merging, deciding, naming culprits, and the text of a failure


    def pytest_runtest_logreport(report):
        if report.when == "call":
            TAKEN.append(report.duration)
            COSTS.append(0.0)


    def pytest_sessionfinish():
        Path("figures.json").write_text(json.dumps({"cost": COSTS[:-1], "taken": TAKEN}))
"""
SEEN_IN = {"same": None, "heap": "live_heap", "churn": "alloc_bytes_per_op"}
COST = 0.5  # seconds


def sizes(kept: int, made: int) -> str:
    """The file of the service that the commits differ in."""
    return f"package main\n\nconst (\n\tkeptObjects = {kept}\n\tmadeObjects = {made}\n)\n"


SMALL = sizes(220, 180)
CHANGED = {"same": sizes(200, 200), "heap": sizes(202, 198), "churn": sizes(200, 204)}


def project(folder: Path, given: Mapping[str, int]) -> Project:
    """A git repository with one commit: the service, its gomem.yaml and the tests."""
    made = Project(folder, TESTS, API_YAML, given, CONFTEST)
    files = {"go.mod": "module example.com/api\n\ngo 1.22\n", "main.go": MAIN, "sizes.go": CHANGED["same"]}
    for name, text in {**files, ".gitignore": "*.json\n__pycache__/\n"}.items():
        (folder / name).write_text(text)
    for words in ("init --quiet", "add --all", "commit --quiet --message=base"):
        me = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run(["git", *me, *words.split()], cwd=folder, check=True, stdin=subprocess.DEVNULL)
    return made


def compared(windows: Sequence[Mapping[str, Any]], metric: str | None) -> tuple[int, int, list[float]]:
    """How many windows have that metric among their regressions, and any other; the changes of the metric."""
    worse = [
        {v["metric"] for v in window["verdicts"] if v["kind"] == "regression" and v["status"] == "fail"}
        for window in windows
    ]
    found = [
        v["change"] / v["baseline"]
        for window in windows
        for v in window["verdicts"]
        if v["kind"] == "regression" and v["metric"] == metric
    ]
    return sum(metric in metrics for metrics in worse), sum(bool(metrics) for metrics in worse), found


def main() -> int:
    """Measure and print."""
    is_small = small_asked(__doc__)
    comparisons, variants = (1, ("heap",)) if is_small else (int(os.environ.get("COMPARISONS", "40")), tuple(SEEN_IN))
    given = {"comparisons": comparisons, "requests": 200 if is_small else 500}
    least = ("--gomem-rounds=3", "--gomem-confirm=3") if is_small else ()
    rows, missed, costs, taken = [], [], [], []
    with workshop() as folder:
        os.environ["XDG_CACHE_HOME"], goes_on = str(folder / "cache"), os.environ.get("XDG_CACHE_HOME")
        os.environ.setdefault("GOCACHE", str(Path(goes_on or "~/.cache").expanduser() / "go-build"))
        for name in variants:
            work = project(folder / name, given)
            (work.folder / "sizes.go").write_text(SMALL if is_small else CHANGED[name])
            began = time.monotonic()
            outcome = work.run("--gomem-against=HEAD", "--gomem-diagnose=off", *least)
            wall = time.monotonic() - began
            windows = outcome.windows("test_work")
            if len(windows) != comparisons or any(window["no_base"] for window in windows):
                raise SystemExit(f"the benchmark's own tests failed:\n{outcome.text}")
            seen, worse, changes = compared(windows, SEEN_IN[name])
            costs += work.figures()["cost"]
            taken += work.figures()["taken"]
            change = f"{median(changes):+.2%}" if changes else "none"
            rows.append((name, change, comparisons, f"{seen if changes else worse}", f"{wall:.0f} s"))
            if changes and seen < comparisons:
                missed.append(f"{name}: {seen} of {comparisons} seen")
            if not changes and worse:
                missed.append(f"{name}: {worse} false alarms")
    table("comparisons with a commit", ("variant", "change", "compared", "judged worse", "wall time"), rows)
    print(
        f"cost of a comparison: {median(costs):.3f} s, {max(costs):.3f} s at most, of {median(taken):.1f} s for a test"
    )
    if median(costs) > COST:
        missed.append(f"a comparison costs {median(costs):.2f} s, more than {COST} s")
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
