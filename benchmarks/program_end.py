"""Shows what the agent costs a program that ends, and how exact the figures are that it reads at the end.

tests/programs/ending allocates a known number of MiB and returns. It runs in turns without the agent and with it, by
gomem.run. Of each size the medians are shown, and by how much total_alloc differs from what the program is known to
allocate: its own start and the agent's. Limits: the peak rises by less than 2 MB + 5%, and total_alloc by less than
0.5 MB with a range of 50 kB.

    python benchmarks/program_end.py [--small]
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from typing import Any

from common import MB, MIB, PROGRAMS, Project, mb, ms, small_asked, table, verdict, workshop

SIZES = (0, 30, 300)  # MiB
MOST_PEAK, MOST_SHARE, MOST_ALLOC, MOST_RANGE = 2 * MB, 0.05, MB / 2, 50_000
TESTS = """
    import json
    from pathlib import Path

    import pytest

    given = json.loads(Path("given.json").read_text())


    @pytest.mark.parametrize("size", given["sizes"])
    @pytest.mark.parametrize("at", range(given["rounds"]))
    def test_job(gomem, size, at):
        for service in ("plain", "agent"):
            gomem.run(service, args=[f"--mb={size}"])
"""
YAML = f"""version: 1
services:
  plain:
    build: {PROGRAMS}/ending
    agent: false
  agent:
    build: {PROGRAMS}/ending
"""


def measured(folder: Path, sizes: tuple[int, ...], rounds: int) -> dict[int, dict[str, list[dict[str, Any]]]]:
    """The windows by size and service."""
    project = Project(folder / "project", TESTS, YAML, {"sizes": sizes, "rounds": rounds})
    found: dict[int, dict[str, list[dict[str, Any]]]] = {size: {"plain": [], "agent": []} for size in sizes}
    for test in project.passed().report["tests"]:
        size = int(test["nodeid"].rpartition("-")[2].rstrip("]"))
        for window in test["windows"]:
            found[size][window["service"]].append(window)
    return found


def middle(windows: list[dict[str, Any]], metric: str) -> float:
    """The median of a metric."""
    return median(window["metrics"][metric]["value"] for window in windows)


def main() -> int:
    """Measure and print."""
    small = small_asked(__doc__)
    sizes = SIZES[:2] if small else SIZES
    with workshop() as folder:
        found = measured(folder, sizes, 2 if small else 20)
    costs, figures, missed = [], [], []
    for size, by in found.items():
        took = {service: median(window["duration"] for window in windows) for service, windows in by.items()}
        peaks, cpu = ({service: middle(by[service], name) for service in by} for name in ("peak_rss", "cpu_time"))
        more = peaks["agent"] - peaks["plain"]
        costs.append(
            (
                f"{size} MiB",
                *(f"{mb(peaks[s])}" for s in by),
                *(ms(cpu[s]) for s in by),
                *(ms(took[s]) for s in by),
            )
        )
        allocated = [window["metrics"]["total_alloc"]["value"] - size * MIB for window in by["agent"]]
        apart = max(allocated) - min(allocated)
        figures.append((f"{size} MiB", f"{median(allocated) / 1e3:.1f} kB", f"{apart / 1e3:.1f} kB"))
        if more > MOST_PEAK + MOST_SHARE * peaks["plain"]:
            missed.append(f"{size} MiB: the agent adds {mb(more)} to the peak of {mb(peaks['plain'])}")
        if max(allocated) > MOST_ALLOC or apart > MOST_RANGE:
            missed.append(
                f"{size} MiB: total_alloc is off by {max(allocated) / 1e3:.0f} kB, in a range of {apart:.0f} B"
            )
    names = ("peak", "peak, agent", "CPU", "CPU, agent", "wall", "wall, agent")
    table("a program that ends, without the agent and with it (medians)", ("allocated", *names), costs)
    table("total_alloc beyond what the program is known to allocate", ("allocated", "median", "range"), figures)
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
