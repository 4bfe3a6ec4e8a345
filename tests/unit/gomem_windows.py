"""Realistic windows for the tests of measure and judge: a service of some 40 MB that did 1000 requests in 10 s."""

from __future__ import annotations

import math
from typing import Any

from pytest_gomem.drive.record import LoadRecord
from pytest_gomem.measure.metric import Reading, Unavailable
from pytest_gomem.measure.registry import builtin_metrics, evaluate
from pytest_gomem.measure.window import GcTrace, MemStatsPair, RuntimeMetrics, Window
from pytest_gomem.observe.agent.records import Histogram
from pytest_gomem.observe.records import GcCycle, KernelReading, MemStats, Sample
from pytest_gomem.observe.scheduling import Scheduling
from pytest_gomem.observe.smaps import Resident, SmapsTotals

MIB = 2**20
OPENED, CLOSED = 1000.0, 1010.0


def kernel(t: float, rss: int, hwm: int | None, cpu: float, **other: Any) -> KernelReading:
    """A reading of one process with 9 threads and 12 descriptors, unless said otherwise."""
    return KernelReading(**{"t": t, "rss": rss, "hwm": hwm, "threads": 9, "fds": 12, "cpu": cpu, **other})


def cycle(number: int, **other: Any) -> GcCycle:
    """A cycle like `gc 7 @0.35s 2%: 0.020+0.15+0.017 ms clock, 0.041+0.10/0.25/0.30+0.034 ms cpu, 4->5->2 MB`."""
    facts: dict[str, Any] = {
        "number": number, "t": OPENED + number / 100, "since_start": number / 20, "util": 2,
        "stw_sweep_term": 20e-6, "concurrent_mark": 150e-6, "stw_mark_term": 17e-6,
        "cpu_sweep_term": 41e-6, "cpu_assist": 100e-6, "cpu_background": 250e-6, "cpu_idle": 300e-6,
        "cpu_mark_term": 34e-6, "heap_start": 4 * MIB, "heap_mark_end": 5 * MIB, "heap_live": 2 * MIB,
        "heap_goal": 4 * MIB, "stacks": 0, "globals": 0, "procs": 2, "forced": False,
    }  # fmt: skip
    return GcCycle(**{**facts, **other})


def memstats(num_gc: int, total_alloc: int, mallocs: int, **other: Any) -> MemStats:
    """MemStats whose ring holds 30 us + n ns for each cycle n of the last 256."""
    facts: dict[str, Any] = {
        "t": OPENED, "total_alloc": total_alloc, "sys": 40 * MIB, "mallocs": mallocs, "frees": mallocs - 5000,
        "heap_alloc": 3 * MIB, "heap_sys": 16 * MIB, "heap_idle": 12 * MIB, "heap_inuse": 4 * MIB,
        "heap_released": 6 * MIB, "heap_objects": 5000, "stack_inuse": 600_000, "stack_sys": 700_000,
        "mspan_inuse": 80_000, "mspan_sys": 100_000, "mcache_inuse": 2000, "mcache_sys": 16_000,
        "buck_hash_sys": 4000, "gc_sys": 3_000_000, "other_sys": 1_000_000, "next_gc": 4 * MIB, "num_gc": num_gc,
        "num_forced_gc": 0, "gc_cpu_fraction": 0.01,
        "pauses": tuple((n, 30e-6 + n * 1e-9, 0.0) for n in range(max(1, num_gc - 255), num_gc + 1)), "goroutines": 8,
    }  # fmt: skip
    return MemStats(**{**facts, **other})


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
        "name": "test", "opened": OPENED, "closed": CLOSED,
        "start": kernel(OPENED, 20 * MIB, 20 * MIB, cpu=1.0, scheduling=scheduling(1.0, 0.50)),
        "end": kernel(CLOSED, 30 * MIB, 40 * MIB, cpu=3.0, scheduling=scheduling(3.0, 0.52)),
        "peak_reset": True, "fresh": True, "timeline": timeline(20, 21, 22, 24, 28, 30, 40, 35, 31, 30),
        "sample_rate": 1.0, "gctrace": trace(*range(11, 53)), "memstats": pair(), "gomaxprocs": 2, "ops": 1000,
        "loads": (LoadRecord(1000, 10, 9.0, tuple(n * 1e-5 for n in range(1, 1001))),), "cpus": 2, "smaps": smaps(),
        "runtime": runtime(), "held": 0, "startup_peak": 60 * MIB,
    }  # fmt: skip
    return Window(**{**facts, **other})


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
