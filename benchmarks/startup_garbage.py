"""Shows that the garbage of a service's start is in no window's peak, and hides no transient of the window's own.

A service writes 0, 64 or 256 MiB while it starts, and drops them (tests/programs/startup); a test asks for a transient
of 10 MB. Its peak_rss is read in 20 launches: with the agent, which returns what is free before the window opens, and
without. There the peak is known by bounds alone, of which the upper one is VmHWM, the peer: what is read where nothing
is returned. opening: how long it takes to open a window, the forced collections included.
Then a baseline of 8 rounds is recorded, and the transient grows by 10 MB: each of 10 tests must fail for its peak_rss.
LAUNCHES and COMPARISONS in the environment set other numbers. --small: 1 launch after 64 MiB, one comparison, 3 rounds.

    python benchmarks/startup_garbage.py [--small]
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from common import LISTEN, MB, PROGRAMS, Project, mb, ms, program, small_asked, table, verdict, workshop

RANGE = 2 * MB  # of peak_rss over all launches with the agent
TRANSIENT = 10 * MB
TESTS = """
    import json
    from pathlib import Path

    import pytest

    given = json.loads(Path("given.json").read_text())


    @pytest.mark.parametrize("at", range(given["tests"]))
    def test_transient(go_service, at):
        go_service.get(f"/transient?bytes={given['bytes']}")
"""
CONFTEST = """
    import json
    import time
    from pathlib import Path

    from pytest_gomem.session.window import OpenWindow

    TOOK = []


    def timed(self, begin=OpenWindow._begin):
        began = time.monotonic()
        begin(self)
        TOOK.append(time.monotonic() - began)


    OpenWindow._begin = timed


    def pytest_sessionfinish():
        Path("figures.json").write_text(json.dumps(TOOK))
"""


def project(folder: Path, garbage: int, tests: int, *, agent: bool) -> Project:
    """So many tests of the service with so many MiB of garbage at its start."""
    args = json.dumps([*LISTEN, "--garbage", str(garbage)])
    made = f"build: {PROGRAMS}/startup" if agent else f"binary: {program('startup', folder.parent)}"
    yaml = f"version: 1\nservices:\n  api:\n    {made}\n    args: {args}\n    ready: {{http: /healthz, timeout: 30s}}\n"
    return Project(folder, TESTS, yaml, {"tests": tests, "bytes": TRANSIENT}, CONFTEST)


def peaks(windows: Sequence[dict[str, Any]]) -> tuple[list[float], int]:
    """The peak of each window, or its upper bound, and how many are bounds."""
    read = [window["metrics"]["peak_rss"] for window in windows]
    values = [one["bounds"][1] if one["value"] is None and one["bounds"] else one["value"] for one in read]
    return [value for value in values if value is not None], sum(one["value"] is None for one in read)


def launches(folder: Path, sizes: Sequence[int], count: int) -> list[str]:
    """Print the peaks of so many launches of each service; the limits missed."""
    rows, missed, exact = [], [], list[float]()
    for garbage in sizes:
        for agent in (True, False):
            name = f"{garbage} MiB, {'agent' if agent else 'no agent'}"
            made = project(folder / f"{garbage}-{agent}", garbage, count, agent=agent)
            found, bounded = peaks(made.passed().windows("test_transient"))
            opening = ms(median(made.figures()))
            rows.append((name, mb(min(found)), mb(max(found)), mb(max(found) - min(found)), bounded, opening))
            if agent:
                exact += found
                missed += [f"{name}: {bounded} of {count} peaks are bounded only"] if bounded else []
                missed += [f"{name}: {len(found)} of {count} have a peak"] if len(found) < count else []
    head = ("peak_rss, at most", "lowest", "highest", "range", "bounded", "opening")
    table(f"a transient of {mb(TRANSIENT)}, {count} launches each", head, rows)
    if max(exact) - min(exact) > RANGE:
        missed.append(f"with the agent peaks range from {mb(min(exact))} to {mb(max(exact))}")
    return missed


def comparisons(folder: Path, garbage: int, count: int, *args: str) -> list[str]:
    """Print how many comparisons find a transient that has grown; the limits missed. args: of each pytest."""
    made = project(folder / "compared", garbage, count, agent=True)
    made.passed("--gomem-update", "--gomem-baseline-profiles=off", *args)
    found, said = {}, json.loads((made.folder / "given.json").read_text())
    for grown in (0, 10 * MB):
        (made.folder / "given.json").write_text(json.dumps({**said, "bytes": TRANSIENT + grown}))
        windows = made.run(*args).windows("test_transient")
        worse = [v for window in windows for v in window["verdicts"] if v["metric"] == "peak_rss"]
        found[grown] = sum(v["status"] == "fail" for v in worse), len(worse)
    (false, equal), (seen, changed) = found.values()
    print(f"\na transient of +10 MB after {garbage} MiB at the start: found in {seen} of {changed} comparisons")
    print(f"the same transient: {false} of {equal} comparisons fail")
    missed = [] if seen == changed == count else [f"{seen} of {count} comparisons find +10 MB"]
    return missed + ([] if not false and equal == count else [f"{false} of {equal} comparisons of the same fail"])


def main() -> int:
    """Measure and print."""
    is_small = small_asked(__doc__)
    sizes = (64,) if is_small else (0, 64, 256)
    count = 1 if is_small else int(os.environ.get("LAUNCHES", "20"))
    compared = 1 if is_small else int(os.environ.get("COMPARISONS", "10"))
    rounds = ("--gomem-rounds=3", "--gomem-confirm=3", "--gomem-diagnose=off") if is_small else ()
    with workshop() as folder:
        return verdict([*launches(folder, sizes, count), *comparisons(folder, 64, compared, *rounds)])


if __name__ == "__main__":
    sys.exit(main())
