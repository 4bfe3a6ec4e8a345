"""Measures whether page cache, spikes and child processes are told apart in what is left of a memory limit.

A service under 256 MiB, a fresh process each time. idle does nothing. hold keeps 50 MB of small objects. With files: it
writes and reads 600 MB besides, so that its group comes up to the limit. burst: one request uses 60 MB for a moment,
which no sample need see, and child: one has a child process use them. Bounds: files take no more than 3 MiB of the
headroom that there is without them; a burst and a child take their 60 MB from it, within 6 MiB; and the service's own
VmHWM, the peer, sees nothing of the child. Without a memory cgroup nothing is measured.

    python benchmarks/headroom.py [--small]
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from statistics import median

from common import MIB, Project, mb, program, small_asked, table, verdict, workshop

from pytest_gomem.cgroup.ways import GroupError, Ways

HELD, BURST = 50_000_000, 60_000_000
FILES_TAKE, ERROR = 3 * MIB, 6 * MIB
TESTS = f"""
    import json
    from pathlib import Path

    import pytest

    given = json.loads(Path("given.json").read_text())
    rounds = pytest.mark.parametrize("at", range(given["rounds"]))
    FILES = f"/cache?n={{given['files']}}"


    def requests(service, *paths):
        for path in paths:
            service.get(path, timeout=120)


    @rounds
    def test_idle(go_service, at):
        requests(go_service, "/healthz")


    @rounds
    def test_idle_with_files(go_service, at):
        requests(go_service, FILES)


    @rounds
    def test_hold(go_service, at):
        requests(go_service, "/hold?n={HELD}")


    @rounds
    def test_hold_with_files(go_service, at):
        requests(go_service, "/hold?n={HELD}", FILES)


    @rounds
    def test_burst(go_service, at):
        requests(go_service, "/burst?n={BURST}")


    @rounds
    def test_burst_with_files(go_service, at):
        requests(go_service, "/burst?n={BURST}", FILES)


    @rounds
    def test_child(go_service, at):
        requests(go_service, "/child?n={BURST}")
"""
METRICS = ("memory_headroom", "cgroup_peak", "cgroup_anon_peak", "peak_rss")
KINDS = ("idle", "idle_with_files", "hold", "hold_with_files", "burst", "burst_with_files", "child")
SMALL = ("hold", "hold_with_files")
Figures = Mapping[str, Mapping[str, Sequence[float]]]  # by kind and metric, of each round


def can_limit() -> bool:
    """Whether a memory cgroup can be made here."""
    ways = Ways()
    try:
        ways.make(8 * MIB).clear()
    except GroupError as error:
        print(error)
        return False
    finally:
        ways.close()
    return True


def missed(found: Figures) -> list[str]:
    """The bounds that are broken, in words; medians are compared."""
    left = {kind: median(found[kind]["memory_headroom"]) for kind in found}
    broken = [
        f"files take {mb(left[kind] - left[f'{kind}_with_files'])} of the headroom of {kind}"
        for kind in ("idle", "hold", "burst")
        if f"{kind}_with_files" in left and abs(left[kind] - left[f"{kind}_with_files"]) > FILES_TAKE
    ]
    for kind in left.keys() & {"burst", "child"}:
        taken = left["idle"] - left[kind]
        if abs(taken - BURST) > ERROR:
            broken.append(f"{kind} takes {mb(taken)} instead of {mb(BURST)}")
    return broken


def main() -> int:
    """Measure and print."""
    small = small_asked(__doc__)
    rounds, limit, files, kinds = (1, 96, 200_000_000, SMALL) if small else (10, 256, 600_000_000, KINDS)
    if not can_limit():
        return verdict([])
    with workshop() as folder:
        yaml = f"""version: 1
services:
  api:
    binary: {program("limited", folder)}
    args: ["-listen", "127.0.0.1:{{port}}"]
    ready: {{http: /healthz, timeout: 30s}}
    memory_limit: {limit}MiB
"""
        given = {"rounds": rounds, "files": files}
        outcome = Project(folder / "project", TESTS, yaml, given).passed(
            *(f"test_it.py::test_{kind}" for kind in kinds)
        )
    found = {
        kind: {
            name: [float(window["metrics"][name]["value"]) for window in outcome.windows(f"test_{kind}")]
            for name in METRICS
        }
        for kind in kinds
    }
    rows = [
        (kind, *(mb(median(of[name])) for name in METRICS), mb(max(of[METRICS[0]]) - min(of[METRICS[0]])))
        for kind, of in found.items()
    ]
    title = f"{limit} MiB, {files // 10**6} MB of files: median of {rounds} fresh processes"
    table(title, ("", *METRICS, "range of headroom"), rows)
    return verdict(missed(found))


if __name__ == "__main__":
    sys.exit(main())
