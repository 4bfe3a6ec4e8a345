"""A window with plausible figures, and the records it is made of; each takes the values that a test needs."""

from __future__ import annotations

from typing import Any

from pytest_gomem.measure.left_goroutines import LeftGoroutines
from pytest_gomem.measure.window import GcTrace, MemStatsPair, Window
from pytest_gomem.observe.records import GcCycle, KernelReading, MemStats, Sample
from pytest_gomem.observe.stacks import Stacks

MIB = 1 << 20
OPENED, CLOSED = 1000.0, 1010.0  # CLOCK_MONOTONIC


def fake_kernel_reading(**values: Any) -> KernelReading:
    """A reading of one process with 20 MiB resident, with the values that you give."""
    usual = {"t": OPENED, "rss": 20 * MIB, "hwm": 20 * MIB, "threads": 9, "fds": 12, "cpu": 1.0}
    return KernelReading(**{**usual, **values})


def fake_gc_cycle(number: int, **values: Any) -> GcCycle:
    """A line of gctrace: `gc 7 @0.35s 2%: 0.020+0.15+0.017 ms clock, 0.041+0.10/0.25/0.30+0.034 ms cpu, 4->5->2 MB`."""
    usual = {
        "number": number, "t": OPENED + number / 100, "since_start": number / 20, "util": 2,
        "stw_sweep_term": 20e-6, "concurrent_mark": 150e-6, "stw_mark_term": 17e-6,
        "cpu_sweep_term": 41e-6, "cpu_assist": 100e-6, "cpu_background": 250e-6, "cpu_idle": 300e-6,
        "cpu_mark_term": 34e-6, "heap_start": 4 * MIB, "heap_mark_end": 5 * MIB, "heap_live": 2 * MIB,
        "heap_goal": 4 * MIB, "stacks": 0, "globals": 0, "procs": 2, "forced": False,
    }  # fmt: skip
    return GcCycle(**{**usual, **values})


def fake_memstats(**values: Any) -> MemStats:
    """MemStats of a service with a heap of 3 MiB after 10 GC cycles.

    Each of the last 256 cycles `n` paused it for 30 us + n ns.
    """
    num_gc = values.get("num_gc", 10)
    usual = {
        "t": OPENED, "total_alloc": 5_000_000, "sys": 40 * MIB, "mallocs": 50_000, "heap_alloc": 3 * MIB,
        "heap_sys": 16 * MIB, "heap_idle": 12 * MIB, "heap_inuse": 4 * MIB, "heap_released": 6 * MIB,
        "heap_objects": 5000, "stack_inuse": 600_000, "stack_sys": 700_000, "mspan_inuse": 80_000,
        "mspan_sys": 100_000, "mcache_inuse": 2000, "mcache_sys": 16_000, "buck_hash_sys": 4000, "gc_sys": 3_000_000,
        "other_sys": 1_000_000, "next_gc": 4 * MIB, "num_gc": num_gc, "num_forced_gc": 0, "gc_cpu_fraction": 0.01,
        "pauses": tuple((n, 30e-6 + n * 1e-9, 0.0) for n in range(max(1, num_gc - 255), num_gc + 1)), "goroutines": 8,
    }  # fmt: skip
    found = {**usual, **values}
    return MemStats(**{"frees": found["mallocs"] - found["heap_objects"], **found})


def fake_window(**values: Any) -> Window:
    """A window of 10 s with 1000 operations, with the values that you give: `fake_window(ops=None)`.

    RSS rose from 20 MiB to a peak of 40 MiB and ended at 30 MiB. 30 MB were allocated in 200 000 objects, and the 40 GC
    cycles are in gctrace and MemStats. It lacks what only some services have: runtime/metrics, mappings, loads.
    """
    rss = (20, 21, 22, 24, 28, 30, 40, 35, 31, 30)
    usual = {
        "name": "test", "opened": OPENED, "closed": CLOSED,
        "start": fake_kernel_reading(),
        "end": fake_kernel_reading(t=CLOSED, rss=30 * MIB, hwm=40 * MIB, cpu=3.0),
        "peak_reset": True, "fresh": True, "sample_rate": 1.0, "gomaxprocs": 2, "ops": 1000, "cpus": 2, "held": 0,
        "timeline": tuple(
            Sample(OPENED + at, now * MIB, max(rss[: at + 1]) * MIB, threads=9) for at, now in enumerate(rss)
        ),
        "gctrace": GcTrace(tuple(fake_gc_cycle(number) for number in range(11, 51)), lost=0, rejected=0),
        "memstats": MemStatsPair(
            start=fake_memstats(),
            end=fake_memstats(t=CLOSED, total_alloc=35_050_000, mallocs=250_400, num_gc=50),
            after_gc=fake_memstats(
                t=CLOSED, total_alloc=35_200_000, mallocs=251_000, num_gc=52, heap_alloc=2 * MIB, goroutines=6
            ),
            read_bytes=50_000,
            read_objects=400,
        ),
        "startup_peak": 60 * MIB, "left": LeftGoroutines(Stacks({}), Stacks({}), {}),
    }  # fmt: skip
    return Window(**{**usual, **values})
