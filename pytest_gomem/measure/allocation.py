"""The metrics of allocation (in all, per second and per operation), and what was allocated by size class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from pytest_gomem.base.unavailable import Unavailable, known
from pytest_gomem.base.units import BYTES, BYTES_PER_OP, BYTES_PER_SECOND, COUNT, COUNT_PER_OP, format_value
from pytest_gomem.measure.metric import Better, Noise, Prior, Reading, metric
from pytest_gomem.measure.window import Window
from pytest_gomem.measure.window_sources import MEMSTATS, PROMETHEUS, SourcedValue, duration, increase, operations

_BYTES_SOURCE = f"{MEMSTATS}.TotalAlloc"
_COUNT_SOURCE = f"{MEMSTATS}.Mallocs"

# Of a whole life one reading counts, which is made before it allocates.
_OF_AGENT = "exact; some 60 kB and 350 objects are allocated by the agent when the program starts"
_LITTLE = "less than a reading costs: too little to tell from nothing"
_allocation_metric = partial(
    metric,
    group="allocation",
    better=Better.LOWER,
    precision="the cost of one reading (17-170 kB, 100-10 000 objects) is calibrated and subtracted; its scatter stays",
)


def _own(found: SourcedValue, cost: str, source: str) -> Reading:
    """What the service itself allocated: the increase in the window, without what reading it costs."""
    subtracted = f"{cost} for our own readings is subtracted; the scatter of that cost stays"
    precision = subtracted if found.cost else _OF_AGENT
    if found.value < found.cost:
        return Reading(0, f"{source} {found.by}", precision, _LITTLE)
    return Reading(found.value - found.cost, f"{source} {found.by}", precision)


def _bytes_allocated(window: Window) -> Reading:
    found = increase(window, "total_alloc")
    return _own(found, format_value(found.cost, BYTES), _BYTES_SOURCE)


def _objects_allocated(window: Window) -> Reading:
    found = increase(window, "mallocs")
    return _own(found, f"{format_value(found.cost, COUNT)} objects", _COUNT_SOURCE)


def _per(reading: Reading, divisor: float, what: str) -> Reading:
    precision = f"{reading.precision}, over {what}"
    return Reading(reading.value / divisor, reading.source, precision, reading.note)


@_allocation_metric(unit=BYTES, noise=Noise.NEAR_EXACT, sources=(_BYTES_SOURCE, PROMETHEUS))
def total_alloc(window: Window) -> Reading | Unavailable:
    """Bytes allocated on the heap in the window, freed or not."""
    return _bytes_allocated(window)


@_allocation_metric(unit=COUNT, noise=Noise.NEAR_EXACT, sources=(_COUNT_SOURCE, PROMETHEUS))
def allocs(window: Window) -> Reading | Unavailable:
    """Objects allocated on the heap in the window, freed or not."""
    return _objects_allocated(window)


@_allocation_metric(
    unit=BYTES_PER_SECOND, noise=Noise.NOISY, sources=(f"{_BYTES_SOURCE} / wall time",), of_wall_time=True
)
def alloc_rate(window: Window) -> Reading | Unavailable:
    """Bytes allocated on the heap per second of wall time."""
    seconds = duration(window)
    return _per(_bytes_allocated(window), seconds, f"{seconds:.3g} s")


@_allocation_metric(
    unit=BYTES_PER_OP,
    noise=Noise.NEAR_EXACT,
    prior=Prior(6e3, 6e-5, per_window=True),
    sources=(f"{_BYTES_SOURCE} / operations",),
)
def alloc_bytes_per_op(window: Window) -> Reading | Unavailable:
    """Bytes allocated on the heap per operation."""
    ops = operations(window)
    return _per(_bytes_allocated(window), ops, f"{ops} operations")


@_allocation_metric(
    unit=COUNT_PER_OP,
    noise=Noise.NEAR_EXACT,
    prior=Prior(30, 6e-5, per_window=True),
    sources=(f"{_COUNT_SOURCE} / operations",),
)
def allocs_per_op(window: Window) -> Reading | Unavailable:
    """Objects allocated on the heap per operation."""
    ops = operations(window)
    return _per(_objects_allocated(window), ops, f"{ops} operations")


METRICS = (total_alloc, allocs, alloc_rate, alloc_bytes_per_op, allocs_per_op)


@dataclass(frozen=True)
class SizeClassGrowth:
    """Objects up to `size` bytes that were allocated and freed in the window, and the bytes allocated for them.

    size: the class's size. None stands for everything larger than the largest class of MemStats.BySize. The runtime
    counts those objects together with tiny ones, so mallocs and frees are None.
    """

    size: int | None
    mallocs: int | None
    frees: int | None
    bytes: int


def size_classes(window: Window) -> tuple[SizeClassGrowth, ...]:
    """The classes in which something was allocated, smallest first; () without BySize (only agent and expvar have it).

    An object takes the size of its class, so the bytes of all classes sum to TotalAlloc exactly. Objects of less than
    16 bytes without pointers share blocks of 16; the blocks are counted.
    """
    pair = known(window.memstats)
    if pair is None or not pair.start.by_size or len(pair.start.by_size) != len(pair.end.by_size):
        return ()
    grown = [
        SizeClassGrowth(
            after.size,
            after.mallocs - before.mallocs,
            after.frees - before.frees,
            after.size * (after.mallocs - before.mallocs),
        )
        for before, after in zip(pair.start.by_size, pair.end.by_size, strict=True)
        if after.size
    ]
    larger = pair.end.total_alloc - pair.start.total_alloc - sum(growth.bytes for growth in grown)
    largest = [SizeClassGrowth(None, None, None, larger)] if larger > 0 else []
    return (*(growth for growth in grown if growth.mallocs), *largest)
