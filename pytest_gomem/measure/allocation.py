"""The metrics of allocation: how much was allocated in the window, in all, per second and per operation."""

from __future__ import annotations

from functools import partial

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import BYTES, BYTES_PER_OP, BYTES_PER_SECOND, COUNT, COUNT_PER_OP, format_value
from pytest_gomem.measure.metric import Better, Noise, Prior, Reading, metric
from pytest_gomem.measure.sources import MEMSTATS, PROMETHEUS, Told, duration, operations, told_between
from pytest_gomem.measure.window import Window

_BYTES_SOURCE = f"{MEMSTATS}.TotalAlloc"
_COUNT_SOURCE = f"{MEMSTATS}.Mallocs"

_LITTLE = "less than a reading costs: too little to tell from nothing"
_allocation_metric = partial(
    metric,
    group="allocation",
    better=Better.LOWER,
    precision="the cost of one reading (17-170 kB, 100-10 000 objects) is calibrated and subtracted; its scatter stays",
)


def _own(told: Told, cost: str, source: str) -> Reading:
    """What the service itself allocated: the window's difference without what reading it costs."""
    precision = f"{cost} for our own readings is subtracted; the scatter of that cost stays"
    if told.value < told.cost:
        return Reading(0, f"{source} {told.by}", precision, _LITTLE)
    return Reading(told.value - told.cost, f"{source} {told.by}", precision)


def _bytes_allocated(window: Window) -> Reading:
    told = told_between(window, "total_alloc")
    return _own(told, format_value(told.cost, BYTES), _BYTES_SOURCE)


def _objects_allocated(window: Window) -> Reading:
    told = told_between(window, "mallocs")
    return _own(told, f"{format_value(told.cost, COUNT)} objects", _COUNT_SOURCE)


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
