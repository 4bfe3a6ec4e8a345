"""Makes the figures of docs/explanation: what is often said about tuning Go's memory, and what comes out here.

Each experiment runs tests of examples/go_service in fresh processes, `--rounds` times in turns, and prints the median
of each figure and, behind it, the least and the most. `trend` runs a leak in a memory limit until the kernel ends it,
and says how far off the predictions made on the way were. It judges nothing: the figures are the machine's.

    python benchmarks/article.py [EXPERIMENT ...] [--rounds N] [--small]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from common import GO_SERVICE, MIB, TIMEOUT, Project, table, workshop

from pytest_gomem.base.units import UNITS, format_value
from pytest_gomem.measure.slope import blocks, line_through

ROUNDS = 5
LIMIT = 256 * MIB
HALF_GARBAGE = "GOGC=100, a sixth leaks"  # at the limit half is garbage, which the kernel does not know
LOOKED_AT = (0.3, 0.5, 0.7, 0.9)  # of the time until the end
LINES = 1440  # of 1.2 kB, ten times a second
Values = dict[str, dict[str, list[float]]]  # figures by row and metric
Point = tuple[float, float]

# A sampler beside the work, as an operator's dashboard has it: HeapAlloc and RSS ten times a second, every live heap.
TESTS = """
import json, threading, time
from contextlib import contextmanager
from pathlib import Path

import pytest
from pytest_gomem import LaunchError, ServiceDied

GIVEN = json.loads(Path("given.json").read_text())


@contextmanager
def watched(svc, name):
    seen, ended = {"start": time.monotonic(), "heap": [], "rss": [], "live": []}, threading.Event()

    def watch():
        agent, since = svc.process.agent(), 0
        while not ended.wait(0.1):
            try:
                (heap,) = agent.metrics("/memory/classes/heap/objects:bytes").values()
                cycles = agent.gc_records(since)
                pages = int(Path(f"/proc/{svc.pid}/statm").read_text().split()[1])
            except Exception:
                return
            since = cycles.num_gc
            seen["heap"].append((time.monotonic(), heap))
            seen["rss"].append((time.monotonic(), pages * 4096))
            seen["live"] += [(cycle.t, cycle.live) for cycle in cycles.cycles if cycle.live]

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    except ServiceDied:
        seen["end"] = time.monotonic()
    finally:
        ended.set()
        watcher.join()
        Path(f"{name}.json").write_text(json.dumps(seen))


def work(svc, paths, seconds):
    start = time.monotonic()
    for number in range(int(seconds * 10)):
        for path in paths:
            svc.get(path)
        time.sleep(max(0, start + number / 10 - time.monotonic()))


@pytest.mark.parametrize("row", GIVEN["rows"])
def test_until_the_end(gomem, row):
    paths, settings = GIVEN["rows"][row]
    with gomem.launch("api", memory_limit=GIVEN["limit"], gc=settings) as svc, watched(svc, row):
        work(svc, paths, 90)


def test_a_cache_that_fills(go_service):
    with watched(go_service, "cache"):
        work(go_service, [GIVEN["leak"]], GIVEN["fills"])
        work(go_service, [GIVEN["flat"]], 2 * GIVEN["fills"])
"""

LIVE = """
import pytest


@pytest.mark.gomem_gc(gogc=[50, 100, "off"], gomemlimit=["off", "80MiB", "160MiB"])
def test_live(go_service):
    go_service.get("/logs/leaky?lines=40000")
    go_service.load("/logs/batched", requests=400, connections=4)
"""
TRACED = """
import json
from pathlib import Path

import pytest

GIVEN = json.loads(Path("given.json").read_text())


@pytest.mark.parametrize("row", GIVEN["rows"])
def test_traced(gomem, row):
    with gomem.launch("api", gc=GIVEN["rows"][row]) as svc:
        svc.get("/logs/leaky?lines=40000")
        with svc.trace() as trace:
            svc.load("/logs/batched", requests=GIVEN["requests"], connections=4)
    found = trace.report
    whole = {cycle.index: cycle.duration for cycle in found.cycles if cycle.duration and not cycle.began_before}
    longest = [one for one in found.assists if one.cycle in whole]
    figures = {
        "cycles": found.cycle_count,
        "cycle": sum(whole.values()) / len(whole),
        "assists": found.assist_count,
        "total": found.assist_seconds,
        "longest": longest[0].duration if longest else 0.0,
        "after": [one.after for one in longest],
        "share": [one.after / whole[one.cycle] for one in longest],
    }
    Path(f"{row}.json").write_text(json.dumps(figures))
"""

FILLED = """
import pytest


@pytest.mark.gomem_gc(gogc="off", gomemlimit=["32MiB", "64MiB", "128MiB", "256MiB", "512MiB"])
def test_filled(go_service):
    go_service.load("/logs/batched", requests=800, connections=4)
"""


Metrics = dict[str, dict[str, Any]]  # of the first window of each test, by the test's id


def examples(tests: Sequence[str], folder: Path) -> Metrics:
    """The metrics of tests of the example."""
    report = folder / "report.json"
    options = [f"--gomem-json={report}", "--gomem-diagnose=off", "-p", "no:cacheprovider", "-q"]
    command = [sys.executable, "-m", "pytest", *options, *(f"tests/{test}" for test in tests)]
    done = subprocess.run(command, cwd=GO_SERVICE, capture_output=True, text=True, timeout=TIMEOUT)
    if done.returncode not in (0, 1):  # 1: some are there to break their budgets
        raise SystemExit(f"the example's own tests failed:\n{done.stdout}")
    return _metrics(json.loads(report.read_text()))


def _metrics(report: dict[str, Any]) -> Metrics:
    return {
        one["nodeid"].rpartition("tests/")[2]: one["windows"][0]["metrics"] for one in report["tests"] if one["windows"]
    }


def measured(tests: dict[str, str], rounds: int, folder: Path) -> Values:
    """Of the example. tests: id -> the row's name, "" for a matrix, whose settings are the name."""
    return collected((examples(list(tests), folder) for _ in range(rounds)), tests)


def collected(rounds: Iterable[Metrics], tests: dict[str, str]) -> Values:
    """The figures of all rounds, by row and metric."""
    found: Values = defaultdict(lambda: defaultdict(list))
    for ran in rounds:
        for nodeid, metrics in ran.items():
            base, _, settings = nodeid.partition("[")
            row = tests.get(base) or settings.rstrip("]").replace("-", " ")
            for name, metric in metrics.items():
                if metric["value"] is not None:
                    found[row][name].append(metric["value"])
                    found[row][name + " unit"] = [metric["unit"]]
    return found


def show(title: str, found: Values, metrics: Sequence[str]) -> None:
    """A row a line; the median of each metric, and its least and most."""

    def cell(row: dict[str, list[Any]], name: str) -> str:
        values = row.get(name, [])
        if not values:
            return "-"
        texts = [
            format_value(value, UNITS[row[f"{name} unit"][0]]) for value in (median(values), min(values), max(values))
        ]
        return texts[0] if texts[1] == texts[2] else f"{texts[0]} ({texts[1]}..{texts[2]})"

    table(title, ("", *metrics), [(name, *(cell(row, metric) for metric in metrics)) for name, row in found.items()])


def slices(rounds: int, folder: Path) -> None:
    """A slice that keeps every entry, against batches that are let go of."""
    tests = {"test_bad.py::test_logs": "leaky", "test_good.py::test_logs": "batched"}
    found = measured(tests, rounds, folder)
    show(
        f"slice retention, 200 requests, {rounds} rounds",
        found,
        ("live_heap", "peak_rss", "gc_cycles", "gc_pause_max", "gc_cpu", "total_alloc"),
    )


def encoders(rounds: int, folder: Path, *, small: bool = False) -> None:
    """A buffer grown anew for each request, one from a pool, and none."""
    tests = {
        "test_bad.py::test_encode_fresh": "fresh",
        "test_good.py::test_encode_pool": "pool",
        "test_good.py::test_encode_unsafe": "unsafe",
    }
    if small:  # the grown one takes most of the time
        del tests["test_bad.py::test_encode_fresh"]
    found = measured(tests, rounds, folder)
    show(
        f"encoders, 500 requests, {rounds} rounds",
        found,
        ("alloc_bytes_per_op", "gc_cycles", "cpu_per_op", "latency_p99", "peak_rss"),
    )


def matrix(rounds: int, folder: Path) -> None:
    """GOGC against GOMEMLIMIT: of the mended logs, where little is live, and with 50 MB live."""
    shown = ("peak_rss", "gc_cycles", "cpu_per_op", "gc_cpu", "latency_p99")
    found = measured({"test_matrix.py::test_batched_logs": ""}, rounds, folder)
    show(f"GOGC x GOMEMLIMIT, 0.5 MB live, 200 requests, {rounds} rounds", found, shown)
    projects = (_project(folder / f"live{number}", LIVE, {}) for number in range(rounds))
    found = collected((_metrics(project.passed("--gomem-diagnose=off").report) for project in projects), {})
    show(f"GOGC x GOMEMLIMIT, 48 MB live, 400 requests, {rounds} rounds", found, shown)


def shares(rounds: int, folder: Path) -> None:
    """How much memory a service takes beyond its GOMEMLIMIT: a number of bytes, or a share?"""
    beyond: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        outcome = _project(folder / f"shares{number}", FILLED, {}).passed("--gomem-diagnose=off")
        for test in outcome.report["tests"]:
            limit = test["matrix"]["gomemlimit"]
            peak = test["windows"][0]["metrics"]["peak_rss"]["value"]
            beyond[limit].append(peak - int(limit.removesuffix("MiB")) * MIB)
    rows = []
    for limit, sizes in beyond.items():
        low, middle, high = min(sizes), median(sizes), max(sizes)
        size = int(limit.removesuffix("MiB")) * MIB
        most = f"{size / (size + high):.0%}"
        rows.append((limit, f"{middle / 1e6:+.1f} MB ({low / 1e6:+.1f}..{high / 1e6:+.1f})", most))
    table(f"peak RSS beyond GOMEMLIMIT, 1 GB of garbage, {rounds} rounds", ("", "beyond", "limit / peak"), rows)


def policies(rounds: int, folder: Path) -> None:
    """A memory limit, collections by hand, and both."""
    found = measured({"test_policies.py::test_live_heap_and_garbage": ""}, rounds, folder)
    show(
        f"a limit against collections by hand, 1000 requests, {rounds} rounds",
        found,
        ("peak_rss", "gc_cycles", "cpu_per_op", "gc_cpu", "gc_assist_cpu", "latency_p99"),
    )


def trend(rounds: int, folder: Path, *, small: bool = False) -> None:
    """When a leak meets its limit, as it was predicted on the way, and as it came."""
    leak, flat = f"/logs/leaky?lines={(3 if small else 1) * LINES}", f"/logs/batched?lines={5 * LINES}"
    rows: dict[str, tuple[list[str], dict[str, object]]] = {
        "GOGC=100, all leaks": ([leak], {"gogc": 100}),
        HALF_GARBAGE: ([leak, flat], {"gogc": 100}),
        "GOMEMLIMIT=90%, a sixth leaks": ([leak, flat], {"gomemlimit": "90%"}),
    }
    rows = dict([*rows.items()][:1]) if small else rows
    given = {"rows": rows, "limit": LIMIT, "leak": leak, "flat": flat, "fills": 0.5 if small else 5}
    errors: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    caches = []
    for number in range(rounds):
        project = _project(folder / f"trend{number}", TESTS, given)
        outcome = project.run("--gomem-diagnose=off")
        for row in rows:
            path = project.folder / f"{row}.json"
            if not path.exists():
                raise SystemExit(f"{row} did not run to its end:\n{outcome.text}")
            for fraction, misses in _misses(json.loads(path.read_text()), row).items():
                for method, miss in misses.items():
                    errors[f"{row}: {method}"][f"{fraction:.0%}"].append(miss)
        caches.append(_cache(json.loads((project.folder / "cache.json").read_text()), outcome))

    def cell(misses: Sequence[float]) -> str:
        return f"{median(misses):+.0%} ({min(misses):+.0%}..{max(misses):+.0%})" if misses else "-"

    cells = [(method, *(cell(found[f"{one:.0%}"]) for one in LOOKED_AT)) for method, found in errors.items()]
    title = f"the predicted moment against that of the OOM kill at 256 MiB, of the whole time, {rounds} rounds"
    table(title, ("predicted after", *(f"{one:.0%}" for one in LOOKED_AT)), cells)
    print("\na cache that fills in the first third and then stops, 256 MiB:")
    for line, told in caches:
        print(f"  OLS: {line}; time_to_limit: {told}")


def assists(rounds: int, folder: Path) -> None:
    """Which mark assists a trace shows, and when in a cycle the longest begin."""
    rows = {
        "GOGC=100": {"gogc": 100},
        "a limit of 160 MiB": {"gogc": "off", "gomemlimit": "160MiB"},
        "by hand, 100 MB": {"gogc": "off", "manual_gc": "100MB"},
    }
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number in range(rounds):
        project = _project(folder / f"assists{number}", TRACED, {"rows": rows, "requests": 600})
        project.passed()
        for row in rows:
            found[row].append(json.loads((project.folder / f"{row}.json").read_text()))

    def over(values: Sequence[float], scale: float = 1.0, digits: int = 0) -> str:
        if not values:
            return "-"
        low, middle, high = (f"{scale * one:.{digits}f}" for one in (min(values), median(values), max(values)))
        return middle if low == high else f"{middle} ({low}..{high})"

    def cells(row: list[dict[str, Any]]) -> Iterator[str]:
        yield over([one["cycles"] for one in row])
        yield over([one["cycle"] for one in row], 1e3, 1)
        yield over([one["assists"] / one["cycles"] for one in row], 1, 1)
        yield over([one["total"] for one in row], 1e3, 1)
        yield over([one["longest"] for one in row], 1e3, 1)
        yield over([after for one in row for after in one["after"]], 1e3, 1)
        yield over([share for one in row for share in one["share"]], 100)

    head = ("cycles", "mark, ms", "assists a cycle", "in all, ms", "longest, ms", "ms after the start", "% of the mark")
    title = f"mark assists, 600 requests, {rounds} rounds; the last two columns of the 20 longest of each"
    table(title, ("", *head), [(row, *cells(figures)) for row, figures in found.items()])


def _project(folder: Path, tests: str, given: dict[str, Any]) -> Project:
    """The example service with these tests."""
    project = Project(folder, tests, (GO_SERVICE / "gomem.yaml").read_text().partition("\n# A glob")[0], given)
    for source in (*GO_SERVICE.glob("*.go"), GO_SERVICE / "go.mod"):
        if not source.name.endswith("_test.go"):
            (folder / source.name).write_text(source.read_text())
    return project


def _misses(seen: dict[str, Any], row: str) -> dict[float, dict[str, float]]:
    """How far off each prediction was, as a share of the whole time; later is above 0."""
    if "end" not in seen:
        raise SystemExit(f"{row} was not killed")
    start, end = seen["start"], seen["end"]
    found = {}
    for fraction in LOOKED_AT:
        now = start + fraction * (end - start)
        heap, live, rss = ([(t, v) for t, v in seen[name] if t <= now] for name in ("heap", "live", "rss"))
        misses = {"OLS on HeapAlloc": _crossing(ols(heap))}
        if len(live) >= 5:
            line = line_through(blocks(live))
            misses["time_to_limit"] = now + (LIMIT - rss[-1][1]) / line.slope
            if row == HALF_GARBAGE:
                misses["live, and as much garbage"] = (LIMIT / 2 - line.level) / line.slope
        found[fraction] = {name: (at - end) / (end - start) for name, at in misses.items()}
    return found


def ols(points: Sequence[Point]) -> tuple[float, float]:
    """Level and slope of the line of least squares."""
    x, y = fmean(p[0] for p in points), fmean(p[1] for p in points)
    slope = sum((p[0] - x) * (p[1] - y) for p in points) / sum((p[0] - x) ** 2 for p in points)
    return y - slope * x, slope


def _crossing(line: tuple[float, float]) -> float:
    level, slope = line
    return (LIMIT - level) / slope


def _cache(seen: dict[str, Any], outcome: Any) -> tuple[str, str]:
    """What each says of a cache that has filled."""
    level, slope = ols(seen["heap"])
    left = _crossing((level, slope)) - seen["heap"][-1][0]
    (window,) = outcome.windows("test_a_cache_that_fills")
    metric = window["metrics"]["heap_growth"]
    return (f"full in {left:.0f} s" if slope > 0 else "never full"), metric["note"] or metric["reason"] or ""


EXPERIMENTS: dict[str, Callable[[int, Path], None]] = {
    "slices": slices,
    "encoders": encoders,
    "matrix": matrix,
    "shares": shares,
    "policies": policies,
    "assists": assists,
    "trend": trend,
}


def main() -> int:
    """Run those named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help=", ".join(EXPERIMENTS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--small", action="store_true", help="one small instance, for CI")
    given = parser.parse_args()
    if unknown := set(given.experiments) - set(EXPERIMENTS):
        parser.error(f"no experiment {', '.join(sorted(unknown))}")
    with workshop() as folder:
        if given.small:
            encoders(1, folder, small=True)
            if os.geteuid() == 0:
                trend(1, folder, small=True)
            return 0
        for name in given.experiments or EXPERIMENTS:
            EXPERIMENTS[name](given.rounds, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
