"""Shows how far the same work scatters: A against A, 20 fresh processes each, on a small and on a large service.

small: 500 requests that do nothing. large: 3000 requests of which each keeps 34 KB. churn: 100 MB kept while 500 MB
pass through, 10^6 objects; there the peak follows the pacing of concurrent collections, the other figures do not.
tight: the same under a memory limit of 192 MiB, and GOMEMLIMIT at 90% of it. The limit of the others is far away.
Where no memory cgroup can be made there is no limit, and its metrics are unavailable.
For each metric the range (max - min), relative to the median and to what was stated as its noise: an absolute part,
which dominates on small work, and a relative one. There is no limit to miss: what scatters here is the service itself.
The peer is the range of the highest 50 Hz sample instead of the kernel's peak.

    python benchmarks/a_a.py [--small]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from common import Project, go_service, service_yaml, small_asked, table, workshop

from pytest_gomem.base.errors import GroupError
from pytest_gomem.cgroup.ways import Ways

TESTS = """
    import json
    from pathlib import Path

    import pytest

    given = json.loads(Path("given.json").read_text())
    rounds = pytest.mark.parametrize("at", range(given["rounds"]))


    @pytest.fixture
    def gomem_service_options(request):
        if not given["limited"]:
            return {}
        if request.node.originalname == "test_tight":
            return {"memory_limit": "192MiB", "gc": {"gomemlimit": "90%"}}
        return {"memory_limit": "1GiB"}


    @rounds
    def test_small(go_service, at):
        go_service.load("/idle", requests=500, connections=4)


    @rounds
    def test_large(go_service, at):
        go_service.load("/logs/leaky?lines=34", requests=given["requests"], connections=4)


    @rounds
    def test_churn(go_service, at):
        go_service.load("/logs/leaky", requests=100, connections=4)
        go_service.load("/logs/batched", requests=500, connections=4)


    @rounds
    def test_tight(go_service, at):
        go_service.load("/logs/leaky", requests=100, connections=4)
        go_service.load("/logs/batched", requests=500, connections=4)
"""


SIZES = ("small", "large", "churn", "tight")


@dataclass(frozen=True)
class Noise:
    """What a range is compared with: absolute + relative * median; `per_window` is spread over the operations."""

    absolute: float
    relative: float
    per_window: bool = False

    def of(self, middle: float, ops: int) -> float:
        """In the metric's own unit."""
        return self.absolute / (ops if self.per_window else 1) + self.relative * middle


# As measured before the plugin was written: bytes, or objects.
NOISE = {
    "peak_rss": Noise(0.5e6, 0.01),
    "live_heap": Noise(20e3, 0.0001),
    "alloc_bytes_per_op": Noise(20e3, 0.0002, per_window=True),
    "allocs_per_op": Noise(100, 0.0002, per_window=True),
    "cgroup_peak": Noise(0.5e6, 0.01),
    "cgroup_anon_peak": Noise(0.5e6, 0.01),
    "memory_headroom": Noise(0.5e6, 0.01),
}


def row(name: str, values: Sequence[float], noise: float | None) -> tuple[str, ...]:
    """One line of the table."""
    middle, spread = median(values), max(values) - min(values)
    share = "(peer)" if noise is None else f"{spread / noise:.2f}"
    return name, f"{middle:,.1f}", f"{spread:,.1f}", f"{spread / middle:.3%}", share


def rows(windows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """The lines of one table: the metrics, and the sampled peak."""
    for name, noise in NOISE.items():
        found = [window["metrics"][name]["value"] for window in windows]
        values = [float(value) for value in found if value is not None]  # a peak may be known by bounds alone
        if values:
            yield row(name, values, noise.of(median(values), windows[0]["ops"]))
        else:
            yield name, "unavailable", "-", "-", "-"
    yield row("highest sample", [max(window["series"]["rss"]["v"]) for window in windows], None)


def can_limit() -> bool:
    """Whether a memory cgroup can be made here."""
    ways = Ways()
    try:
        ways.make(8 << 20).clear()
    except GroupError:
        return False
    finally:
        ways.close()
    return True


def main() -> int:
    """Measure and print."""
    rounds, sizes, requests = (2, SIZES[:2], 1000) if small_asked(__doc__) else (20, SIZES, 3000)
    with workshop() as folder:
        yaml = service_yaml(go_service(folder))
        given = {"rounds": rounds, "requests": requests, "limited": can_limit()}
        outcome = Project(folder / "project", TESTS, yaml, given).passed("-k", " or ".join(sizes))
    for size in sizes:
        head = ("metric", "median", "range", "of median", "of stated noise")
        table(f"{size}: {rounds} rounds of the same work", head, list(rows(outcome.windows(f"test_{size}"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
