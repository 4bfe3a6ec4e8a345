"""Shows that a spike of 200 MiB that lasts 5 ms is seen whole.

Each round is a fresh service (tests/programs/spike) that maps, touches and unmaps 200 MiB within one request. Limit:
peak_rss rises above its floor by the whole spike, less the drift of the kernel's counter, once for each of both.
The peer is the timeline of the same window, sampled at 50 Hz: what a poller would have called the peak.

    python benchmarks/spike.py [--small]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from common import MIB, Project, mb, program, service_yaml, small_asked, table, verdict, workshop

from pytest_gomem.measure.peak import rss_drift

SPIKE = 200 * MIB

TESTS = """
    import json
    from pathlib import Path

    import pytest


    @pytest.mark.parametrize("at", range(json.loads(Path("given.json").read_text())["rounds"]))
    def test_spike(go_service, at):
        go_service.get("/spike?mb=200&ms=5")
"""


def rises(folder: Path, rounds: int) -> tuple[list[float], list[float]]:
    """How far peak_rss, and the highest sample, rose above the floor in each round."""
    project = Project(folder / "project", TESTS, service_yaml(program("spike", folder)), {"rounds": rounds})
    windows = project.passed().windows("test_spike")
    return [_peak(w) - _floor(w) for w in windows], [_sampled(w) - _floor(w) for w in windows]


def _peak(window: dict[str, Any]) -> float:
    return float(window["metrics"]["peak_rss"]["value"] or 0.0)


def _floor(window: dict[str, Any]) -> float:
    return float(window["metrics"]["start_rss"]["value"])


def _sampled(window: dict[str, Any]) -> float:
    return max(window["series"]["rss"]["v"], default=_floor(window)) if "rss" in window["series"] else _floor(window)


def main() -> int:
    """Measure and print."""
    rounds = 2 if small_asked(__doc__) else 50
    with workshop() as folder:
        peaks, sampled = rises(folder, rounds)
    needed = SPIKE - 2 * rss_drift(os.cpu_count() or 1)
    rows = [
        (name, f"{sum(r >= needed for r in rise)} of {rounds}", mb(min(rise)), f"{min(rise) / SPIKE:.3f}")
        for name, rise in (("peak_rss", peaks), ("peer: highest of 50 Hz samples", sampled))
    ]
    table(f"rise above the floor in a spike of {mb(SPIKE)}", ("", "seen whole", "lowest rise", "of the spike"), rows)
    return verdict([f"a rise of {mb(rise)}, at least {mb(needed)} was there" for rise in peaks if rise < needed])


if __name__ == "__main__":
    sys.exit(main())
