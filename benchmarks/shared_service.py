"""Shows that on a shared service a small test is never charged with the peak of a big one before it.

One process (go_service_session of examples/go_service) sees, over and over: a big test whose 200 MB are released to
the kernel, a small one; a big test whose 200 MB are freed but stay resident, a small one. The small test's peak must
be its own, within 5 MB of the same test in fresh processes, or bounded because free pages may be in it.
Once more with the agent built in, which returns what a test has left: then each small test must have a number, within
3 MB of its peak in a fresh process.
The peer is the lifetime VmHWM that /proc shows without a reset, which holds the biggest test's peak for ever.

    python benchmarks/shared_service.py [--small]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from statistics import median
from typing import Any

from common import GO_SERVICE, MB, Project, go_service, mb, service_yaml, small_asked, table, verdict, workshop

BIG = 200 * MB
TOLERANCE, TOLERANCE_WITH_AGENT = 5 * MB, 3 * MB
REASON = "free pages from before the window"

TESTS = """
    import json
    from pathlib import Path

    import pytest

    rounds = range(json.loads(Path("given.json").read_text())["rounds"])


    @pytest.mark.parametrize("at", rounds)
    def test_small_fresh(go_service, at):
        go_service.load("/logs/batched", requests=100, connections=1)


    @pytest.mark.parametrize("at", rounds)
    class TestShared:
        @pytest.fixture
        def released(self, go_service_session):
            yield
            go_service_session.post("/release")

        def test_big_released(self, go_service_session, released, at):
            go_service_session.get("/leak?bytes=200000000")

        def test_small_after_release(self, go_service_session, at):
            go_service_session.load("/logs/batched", requests=100, connections=1)

        def test_big_kept(self, go_service_session, at):
            go_service_session.get("/spike?bytes=200000000&ms=5")

        def test_small_after_kept(self, go_service_session, released, at):
            go_service_session.load("/logs/batched", requests=100, connections=1)
"""

# pytest would run each method over all its rounds first: the order that matters is big, small, big, small.
ORDER = """
    def pytest_collection_modifyitems(items):
        items.sort(key=lambda item: ("Shared" in item.nodeid, item.callspec.params["at"]))
"""


def peaks(folder: Path, yaml: str, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """peak_rss of every window, by test."""
    project = Project(folder, TESTS, yaml, {"rounds": rounds}, ORDER)
    outcome = project.passed()
    names = ("small_fresh", "big_released", "small_after_release", "big_kept", "small_after_kept")
    return {name: [w["metrics"]["peak_rss"] for w in outcome.windows(f"test_{name}")] for name in names}


def known(readings: list[dict[str, Any]]) -> list[float]:
    """The values that are there."""
    return [one["value"] for one in readings if one["value"] is not None]


def wrong(reading: dict[str, Any], own: float) -> str:
    """What is wrong with a small test's peak, "" if nothing is; own: its peak in a fresh process."""
    if reading["value"] is None:
        return "" if REASON in reading["reason"] else f"unavailable for a wrong reason: {reading['reason']}"
    near = abs(reading["value"] - own) <= TOLERANCE
    return "" if near else f"a small test was charged with {mb(reading['value'])}; its own is {mb(own)}"


def main() -> int:
    """Measure and print."""
    rounds = 1 if small_asked(__doc__) else 15
    with workshop() as folder:
        plain = service_yaml(go_service(folder))
        readings = peaks(folder / "plain", plain, rounds)
        built = re.sub("binary: .*", f"build: {GO_SERVICE}", plain)
        with_agent = peaks(folder / "agent", built, max(rounds * 20 // 15, 1))
    own = median(known(readings["small_fresh"]))
    lifetime = max(known(readings["big_released"]))
    rows = [
        (
            f"test_{name}",
            mb(max(values)) if (values := known(all_of)) else "-",
            f"{len(all_of) - len(values)} of {len(all_of)}",
            f"{max(values) / own:.2f}" if values else "-",
        )
        for name, all_of in readings.items()
    ]
    rows.append(("peer: lifetime VmHWM at a small test", mb(lifetime), "never", f"{lifetime / own:.2f}"))
    table("peak_rss on a shared service", ("", "highest peak", "unavailable", "of its own"), rows)
    missed = [
        f"test_big_{name}: {mb(value)} is less than what it held"
        for name in ("released", "kept")
        for value in known(readings[f"big_{name}"])
        if value < BIG
    ]
    small = readings["small_after_release"] + readings["small_after_kept"]
    missed += [text for reading in small if (text := wrong(reading, own))]
    return verdict(missed + judge_with_agent(with_agent))


def judge_with_agent(readings: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Print how near the small tests are to their own peak where the agent is built in; the limits missed."""
    own = median(known(readings["small_fresh"]))
    rows, missed = [], []
    for name in ("small_after_release", "small_after_kept"):
        off = [abs(value - own) for value in known(readings[name])]
        near = sum(distance <= TOLERANCE_WITH_AGENT for distance in off)
        rows.append((f"test_{name}", f"{near} of {len(readings[name])}", mb(max(off, default=0.0))))
        if near < len(readings[name]):
            missed.append(f"with the agent, test_{name}: {near} of {len(readings[name])} within 3 MB of their own peak")
    table(f"with the agent: own peak {mb(own)}", ("", "within 3 MB", "farthest"), rows)
    return missed


if __name__ == "__main__":
    sys.exit(main())
