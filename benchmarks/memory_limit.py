"""Measures how often a kill at the memory limit is named as one, with its moment, its request and the line of Go.

A service runs under 256 MiB in a memory cgroup of its own and is killed there, each time in a pytest run's test of its
own, 20 times in each way:

get, load: a leak, 4 MB a request. 90%: the same with GOMEMLIMIT just below the limit, where the collector works hard.
burst: one request that asks for 2 GB at once. pprof: the leak in a binary without the agent. Named: the verdict has the
limit, a moment within the window, and the request (of a load, how many were answered), and the first culprit is the
line that allocates. All of all, and nobody else is ever named.

cache: the service writes and reads 600 MB of files. It is not killed, the group's peak comes to the limit, and at least
half of the limit is told as headroom.

spiral: Go's own limit just above what lives, one processor; and the same work with room, and with GOGC=10. The first
fails as a death spiral, or a note says that the machine was too busy to tell; the others never do.

Where no memory cgroup can be made, limits are simulated, and there is nothing to tell of page cache.

    python benchmarks/memory_limit.py [--times 20]
    python benchmarks/memory_limit.py --small     some of it once, under 40 MiB, no death spiral, for CI
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from common import MIB, PROGRAMS, Project, program, table, verdict, workshop

from pytest_gomem.cgroup.ways import GroupError, Ways

YAML = """version: 1
services:
  built:
    build: {source}
    args: ["--listen", "127.0.0.1:{{port}}"]
    ready: {{http: /healthz, timeout: 30s}}
  pprof:
    binary: {binary}
    args: ["--listen", "127.0.0.1:{{port}}"]
    ready: {{http: /healthz, timeout: 30s}}
"""
TESTS = """
    import json
    from pathlib import Path

    import pytest

    given = json.loads((Path(__file__).parent / "given.json").read_text())
    leak, limit, mode = given["leak"], given["limit"], given["mode"]


    def started(gomem, service="built", **gc):
        return gomem.launch(service, memory_limit={"max": limit, "mode": mode}, **gc)


    @pytest.fixture(params=range(given["times"]))
    def time(request):
        return request.param


    @pytest.mark.parametrize(
        "way, options",
        [("plain", {}), ("limited", {"gomemlimit": "90%"}), ("pprof", {"service": "pprof"})],
        ids=["plain", "limited", "pprof"],
    )
    def test_get(gomem, way, options, time):
        service = started(gomem, **options)
        with gomem.measure(service):
            for _ in range(200):
                service.get(f"/leak?n={leak}")


    @pytest.mark.parametrize(
        "way, options", [("plain", {}), ("limited", {"gomemlimit": "90%"})], ids=["plain", "limited"]
    )
    def test_load(gomem, way, options, time):
        service = started(gomem, **options)
        with gomem.measure(service):
            service.load(f"/leak?n={leak}", requests=200)


    def test_burst(gomem, time):
        service = started(gomem)
        with gomem.measure(service):
            service.get("/healthz")
            service.get(f"/burst?n={given['burst']}")


    @pytest.mark.skipif(mode == "simulated", reason="page cache counts in a cgroup alone")
    def test_cache(gomem, time):
        service = started(gomem)
        with gomem.measure(service):
            service.get(f"/cache?n={given['cache']}", timeout=120)


    @pytest.mark.skipif(not given["spirals"], reason="it takes some seconds each")
    @pytest.mark.parametrize(
        "hold, gc",
        [(60 << 20, {"gogc": "off", "gomemlimit": "64MiB"}), (60 << 20, {"gogc": "off", "gomemlimit": "160MiB"}),
         (30 << 20, {"gogc": 10, "gomemlimit": "200MiB"})],
        ids=["near", "room", "often"],
    )
    def test_spiral(gomem, hold, gc, time):
        service = gomem.launch("built", gomaxprocs=1, **gc)
        service.get(f"/hold?n={hold}")
        with gomem.measure(service):
            service.get("/churn?n=4000", timeout=120)
"""
LINES = {"leak": ("main.remember", 16), "burst": ("main.spread", 24)}
WAYS = {  # each with the words that choose its tests
    "get": "get and plain",
    "load": "load and plain",
    "burst": "burst",
    "get, GOMEMLIMIT 90%": "get and limited",
    "load, GOMEMLIMIT 90%": "load and limited",
    "get, pprof alone": "pprof",
}
FEW = ("load", "burst", "get, GOMEMLIMIT 90%")  # in a small instance
SPIRALS = ("near", "room", "often")
Ran = Callable[[str], list[Mapping[str, Any]]]  # the tests that some words choose, after they have run
LEAST_HEADROOM = 0.5  # of the limit, beside page cache


class Size(NamedTuple):
    """What the service does: bytes, and how often. ways: in which it is killed. spirals: whether those are tried."""

    limit: int
    leak: int
    burst: int
    cache: int
    times: int
    ways: tuple[str, ...]
    spirals: bool


def mode() -> str:
    """How limits are set here."""
    ways = Ways()
    try:
        ways.make(8 * MIB).clear()
    except GroupError as error:
        print(f"limits are simulated: {error}")
        return "simulated"
    finally:
        ways.close()
    return "cgroup"


def wrong(window: Mapping[str, Any], size: Size, way: str) -> str:
    """What is not told of a kill as it must be; "" if all is."""
    kill, verdicts = window["oom"], window["verdicts"]
    if not kill or kill["limit"] != size.limit or not verdicts or verdicts[0]["kind"] != "oom":
        return "not told as a kill at its limit"
    if not 0 < kill["after"] <= window["duration"] + 1:
        return f"the moment is {kill['after']}"
    path = f"GET /burst?n={size.burst}" if way == "burst" else f"GET /leak?n={size.leak}"
    if kill["request"] != path:
        return f"the request is {kill['request']}"
    if not (kill["answered"] if way.startswith("load") else kill["number"]):
        return "it is not said which request"
    named = [(one["function"], one["line"]) for one in window["culprits"]][:1]
    if named != [LINES["burst" if way == "burst" else "leak"]]:
        return f"named is {named}: {window['culprit_summaries']}"
    return ""


def tests_of(project: Project, words: str) -> list[Mapping[str, Any]]:
    """The tests that these words choose, after a pytest run of them."""
    outcome = project.run("--gomem-diagnose=1000", "-k", words)
    found = [one for one in outcome.report.get("tests", ()) if one["outcome"] not in ("not run", "skipped")]
    if outcome.status > 1 or any(not one["windows"] for one in found):
        raise SystemExit(f"the benchmark's own tests failed:\n{outcome.text}")
    return found


def runs(project: Project, size: Size) -> Ran:
    """Runs the tests of some words, each in a pytest run of its own, which is short; all at once if they are few."""
    if size.spirals:
        return partial(tests_of, project)
    every = tests_of(project, " or ".join(f"({WAYS[way]})" for way in size.ways) + " or cache")
    return lambda words: [one for one in every if all(word in one["nodeid"] for word in words.split(" and "))]


def kills(ran: Ran, size: Size) -> list[str]:
    """Print how often each way is named; what is not."""
    rows, missed = [], []
    for way in size.ways:
        windows = [one["windows"][0] for one in ran(WAYS[way])]
        faults = [wrong(window, size, way) for window in windows]
        seen = [window["oom"]["after"] for window in windows if window["oom"]]
        when = f"{min(seen):.2f} to {max(seen):.2f} s" if seen else "-"
        rows.append((way, f"{faults.count('')} of {size.times}", when))
        print(*rows[-1], sep=", ", flush=True)
        missed += [f"{way}: {fault}" for fault in faults if fault]
        missed += [f"{way}: {len(windows)} of {size.times} ran"] if len(windows) < size.times else []
    table(f"killed at {size.limit // MIB} MiB, and named as it", ("", "named", "after"), rows)
    return missed


def cache(ran: Ran, size: Size) -> list[str]:
    """Print what page cache does to the figures; what is not as it must be."""
    tests = ran("cache")
    figures = [{name: one["value"] for name, one in test["windows"][0]["metrics"].items()} for test in tests]
    killed = sum(test["outcome"] != "passed" for test in tests)
    peaks, rooms = ([(one[name] or 0) / MIB for one in figures] for name in ("cgroup_peak", "memory_headroom"))
    row = (f"{killed} of {len(tests)}", f"{min(peaks):.0f} MiB", f"{min(rooms):.0f} MiB") if tests else ("-", "-", "-")
    title = f"{size.cache // 10**6} MB of page cache below {size.limit // MIB} MiB"
    table(title, ("", "killed", "cgroup_peak", "memory_headroom"), [("cache", *row)])
    missed = [f"cache: {killed} were killed"] if killed else []
    low = [room for room in rooms if room < LEAST_HEADROOM * size.limit / MIB]
    return missed + [f"cache: {room:.0f} MiB of headroom are told" for room in low]


def spirals(ran: Ran, times: int) -> list[str]:
    """Print how often a death spiral is told; what is not as it must be."""
    rows, missed = [], []
    for way in SPIRALS:
        found = [one["windows"][0]["death_spiral"] for one in ran(way)]
        told, doubted = (sum(bool(one) and bool(one["doubt"]) == doubt for one in found) for doubt in (False, True))
        room = [one["effective_gogc"] for one in found if one]
        rows.append((way, f"{told} of {times}", str(doubted), f"{max(room):.1%}" if room else "-"))
        right = told + doubted == times if way == "near" else not told + doubted
        missed += [] if right else [f"spiral, {way}: {told} told, {doubted} doubted of {times}"]
    head = ("", "told", "in doubt, on a busy machine", "effective GOGC at most")
    table("no room below GOMEMLIMIT, room, and GOGC=10", head, rows)
    return missed


def run(folder: Path, size: Size) -> list[str]:
    """All of it; what is not as it must be."""
    yaml = YAML.format(source=PROGRAMS / "limited", binary=program("limited", folder))
    project = Project(folder / "project", TESTS, yaml, {**size._asdict(), "mode": mode()})
    ran = runs(project, size)
    missed = kills(ran, size) + cache(ran, size)
    return missed + (spirals(ran, size.times) if size.spirals else [])


def main() -> int:
    """Run the benchmark; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--small", action="store_true", help="one small instance, for CI")
    args = parser.parse_args()
    full = Size(256 * MIB, 4_000_000, 2_000_000_000, 600_000_000, args.times, tuple(WAYS), spirals=True)
    small = Size(40 * MIB, 1_000_000, 300_000_000, 80_000_000, 1, FEW, spirals=False)
    with workshop() as folder:
        return verdict(run(folder, small if args.small else full))


if __name__ == "__main__":
    sys.exit(main())
