"""The agent of a fake process: the parts of it that windows use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytest_gomem.measure.runtime_metrics import CPU_CLASSES, CYCLES
from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.observe.agent.records import AgentMemStats, GcRecords, Histogram, Injected, Peak
from pytest_gomem.observe.records import RUNTIME_QUANTITIES, TRUST, GcRecord
from pytest_gomem.observe.sources import AgentInside, Source

if TYPE_CHECKING:
    from pytest_gomem.testing.fake_process import FakeProcess

METRICS_COST = (500, 5)  # bytes and objects that a reading allocates


class _FakeAgent(AgentClient):
    """The parts of an agent that windows use; it has no socket, so everything else fails."""

    def __init__(self, process: FakeProcess) -> None:
        super().__init__(process.folder / "no socket")
        self._process = process

    def memstats(self) -> AgentMemStats:
        return AgentMemStats(self._process.read_memstats(), 0.0)

    def metrics(self, *names: str) -> dict[str, int | float | Histogram]:
        self._process.record("metrics")
        found = {**dict.fromkeys(CPU_CLASSES, self._process.gc_cpu), CYCLES: float(self._process.memstats.num_gc)}
        self._process.allocate(*METRICS_COST)
        return {name: value for name, value in found.items() if name in names}

    def gc_records(self, since: int = 0) -> GcRecords:
        self._process.record("gc records")
        cycles = [cycle for cycle in self._process.gc_cycles()[0] if cycle.number > since]
        records = tuple(GcRecord(cycle.number, cycle.pause, cycle.t or 0.0) for cycle in cycles)
        return GcRecords(since, self._process.memstats.num_gc, records)

    def profile(self, name: str, *, gc: bool = False) -> bytes:
        self._process.record(f"{name} profile")
        self._process.collect(2 if gc else 0, forced=True)
        return self._process.profiles.get(name, b"")

    def goroutines(self) -> bytes:
        self._process.record("stacks")
        return self._process.profiles["stacks"]

    def gc(self, cycles: int = 2) -> None:
        self._process.record("gc" if cycles == 1 else "gc twice")
        self._process.collect(cycles, forced=True)

    def free(self) -> None:
        self._process.record("free")
        self._process.collect(2, forced=True)
        stats, kernel = self._process.memstats, self._process.kernel
        self._process.change(rss=kernel.rss - (stats.heap_idle - stats.heap_released), heap_released=stats.heap_idle)

    def retain(self, size: int) -> None:
        self._process.record(f"hold {size} bytes")

    def churn(self, share: float) -> Injected:
        self._process.record(f"churn {share:g}")
        return Injected(0, 0, 0)

    def end_injected(self) -> Injected:
        self._process.record("end injected")
        return Injected(0, 0, 0)

    def start_peak(self, path: Path) -> None:
        self._process.record("peak start")

    def reset_peak(self) -> None:
        self._process.record("peak reset")

    def hold_peak(self) -> None:
        self._process.record("peak hold")

    def look_peak(self) -> None:
        self._process.record("peak look")

    def peak(self) -> Peak:
        self._process.record("peak get")
        stats = self._process.memstats
        return Peak(stats.heap_alloc, None, stats.num_gc, kept=0, forced=0)


class _FakePprof(AgentInside):
    reader = "pprof"


def fake_agent(process: FakeProcess) -> AgentClient:
    """It answers for the process."""
    return _FakeAgent(process)


def source_of(inside: Literal["agent", "pprof"], client: AgentClient) -> Source:
    """What reads MemStats of the process."""
    reader = AgentInside(client) if inside == "agent" else _FakePprof(client)
    return Source(inside, TRUST[inside], RUNTIME_QUANTITIES, lambda target: reader, complete=True)
