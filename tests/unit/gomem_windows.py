"""Windows for the tests of measure and judge: those of `pytest_gomem.testing`, with all that a service can have."""

from __future__ import annotations

import math
from typing import Any

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.load.spec import LoadRecord
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.registry import builtin_metrics, evaluate
from pytest_gomem.measure.window import GcTrace, MemStatsPair, RuntimeMetrics, Window
from pytest_gomem.observe.agent.records import Histogram
from pytest_gomem.observe.records import KernelReading, MemStats, Sample
from pytest_gomem.observe.scheduling import Scheduling
from pytest_gomem.observe.smaps import Resident, SmapsTotals
from pytest_gomem.testing import fake_gc_cycle as cycle
from pytest_gomem.testing import fake_kernel_reading, fake_memstats, fake_window
from pytest_gomem.testing.fake_window import CLOSED, MIB, OPENED


def kernel(t: float, rss: int, hwm: int | None, cpu: float, **other: Any) -> KernelReading:
    """A reading of one process."""
    return fake_kernel_reading(t=t, rss=rss, hwm=hwm, cpu=cpu, **other)


def memstats(num_gc: int, total_alloc: int, mallocs: int, **other: Any) -> MemStats:
    """MemStats after so many cycles."""
    return fake_memstats(num_gc=num_gc, total_alloc=total_alloc, mallocs=mallocs, **other)


def pair(first: int = 10, last: int = 50, **other: Any) -> MemStatsPair:
    """Cycles first+1 .. last fell into the window, in which 30 MB and 200 000 objects were allocated."""
    facts: dict[str, Any] = {
        "start": memstats(first, 5_000_000, 50_000),
        "end": memstats(last, 35_050_000, 250_400),
        "after_gc": memstats(last + 2, 35_200_000, 251_000, heap_alloc=2 * MIB, goroutines=6),
        "read_bytes": 50_000,
        "read_objects": 400,
    }
    return MemStatsPair(**{**facts, **other})


def trace(*numbers: int, lost: int | None = 0, rejected: int = 0) -> GcTrace:
    """A gctrace in which these cycles were accepted."""
    return GcTrace(tuple(cycle(number) for number in numbers), lost, rejected)


def timeline(*rss_mib: int) -> tuple[Sample, ...]:
    """Samples 1 s apart from the opening on, VmHWM following the RSS."""
    return tuple(
        Sample(OPENED + at, rss * MIB, max(rss_mib[: at + 1]) * MIB, threads=9) for at, rss in enumerate(rss_mib)
    )


def smaps() -> SmapsTotals:
    """Mappings of 30 MiB resident: a heap that the MemStats of pair() account for, and 8 MiB of C's."""
    sizes = {
        "go_heap": 11 * MIB, "go_runtime": 0, "stacks": 16 * 1024, "malloc": 8 * MIB, "anonymous": 2 * MIB,
        "shared_memory": 0, "binary": 7 * MIB, "files": 2 * MIB - 20 * 1024, "kernel": 4 * 1024,
    }  # fmt: skip
    return SmapsTotals(t=CLOSED, **{kind: Resident(size) for kind, size in sizes.items()})


def scheduling(ran: float, waited: float, **other: Any) -> Scheduling:
    """What one thread got of a machine of two CPUs, which nobody took anything of."""
    return Scheduling(**{"threads": {7: (ran, waited)}, "machine": (2 * ran, 0.0), "throttled": {}, **other})


def runtime() -> RuntimeMetrics:
    """Values of runtime/metrics: 80 stops of 16 to 20 us, 20 of 64 to 80 us and 1000 waits below 1 us are gained."""
    scans = {f"/gc/scan/{part}:bytes": 1000 * n for n, part in enumerate(("heap", "stack", "globals", "total"), 1)}
    stops = (-math.inf, 16e-6, 20e-6, 64e-6, 80e-6, math.inf)
    waits = (0.0, 1e-6, 2e-6)

    def told(first: int, second: int, wait: int) -> dict[str, Any]:
        pauses = Histogram((0, first, 0, second, 0), stops)
        return {
            **scans,
            "/sched/pauses/total/gc:seconds": pauses,
            "/sched/latencies:seconds": Histogram((wait, 0), waits),
        }

    return RuntimeMetrics(told(5, 1, 3), told(85, 21, 1003))


def window(**other: Any) -> Window:
    """The whole window: nothing missing, 40 GC cycles, a peak of 40 MiB between 5 s and 6 s on a floor of 20 MiB."""
    facts: dict[str, Any] = {
        "start": kernel(OPENED, 20 * MIB, 20 * MIB, cpu=1.0, scheduling=scheduling(1.0, 0.50)),
        "end": kernel(CLOSED, 30 * MIB, 40 * MIB, cpu=3.0, scheduling=scheduling(3.0, 0.52)),
        "gctrace": trace(*range(11, 53)),
        "loads": (LoadRecord(1000, 10, 9.0, tuple(n * 1e-5 for n in range(1, 1001))),),
        "smaps": smaps(),
        "runtime": runtime(),
    }
    return fake_window(**{**facts, **other})


def read(name: str, one: Window) -> Reading:
    """The metric's reading, which must be there."""
    result = evaluate(one, builtin_metrics())[name]
    assert isinstance(result, Reading), result
    return result


def reason(name: str, one: Window) -> str:
    """Why the metric is unavailable, which it must be."""
    result = evaluate(one, builtin_metrics())[name]
    assert isinstance(result, Unavailable), result
    return result.reason
