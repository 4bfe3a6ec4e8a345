"""The courses of live heap, resident memory and goroutines in a window, and what is said of their growth.

Where no growth can be told the interval of the slope reaches down to 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import known, required
from pytest_gomem.base.units import BYTES, COUNT, Unit, format_value
from pytest_gomem.measure.cycles import traced_cycles
from pytest_gomem.measure.shape import FEWEST, Shape
from pytest_gomem.measure.window import Window, WorkCycle, once_per_window
from pytest_gomem.measure.window_sources import GCTRACE, STATM, duration, joined, operations, samples

if TYPE_CHECKING:
    from pytest_gomem.measure.course import Course
    from pytest_gomem.measure.slope import Point
    from pytest_gomem.observe.records import GcRecord

BY_CYCLES = "what is left after each cycle of work, after forced collections"
BY_GC = "/gc/heap/live:bytes by the agent, after each GC cycle"
BY_GCTRACE = f"{GCTRACE}, after each GC cycle, in whole MiB"
BY_RSS = f"{STATM}, as it was sampled"
_SMALLEST = 8  # bytes: no object of Go is smaller
# Bytes: descriptors of goroutines, buffers and threads of a server that keeps nothing came to 23 to 38 kB in 20 000
# requests, and went on rising (benchmarks/leaks.py); two readings at rest differ by up to 16 KiB (session/settling.py).
_OF_ITSELF = 32 * 1024.0
_REPEAT = "repeat the work by service.cycles(20), or by --gomem-cycles=20"

_Growing = Callable[[WorkCycle], "int | None"]


@dataclass(frozen=True)
class Growth:
    """A course and what is said of it.

    per: what its x counts, "second" or "op". unit: of its y. source: where it comes from, readings: what its points are
    made from, "20 cycles", both in words. step: by how many objects it grows in each cycle exactly, 0 if by none.
    """

    course: Course
    per: str
    unit: Unit
    source: str
    readings: str
    step: int = 0

    @property
    def is_told(self) -> bool:
        """Whether it grows for sure."""
        return self.course.shape is Shape.GROWS or self.step > 0

    @property
    def slope(self) -> float:
        """The growth, y per x."""
        return max(self.course.line.slope, self._least)

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of the slope; it reaches down to 0 unless growth is told."""
        low, high = self.course.interval
        return max(low, self._least), max(high, self._least)

    @property
    def _least(self) -> float:
        """What objects that are left in each cycle take at least; -inf if there are none."""
        if not self.step:
            return -math.inf
        points = self.course.points
        return self.step * _SMALLEST * (self.course.count - 1) / (points[-1][0] - points[0][0])

    def words(self, unit: Unit) -> str:
        """What is known of it. unit: of the slope."""
        low, high = (format_value(bound, unit) for bound in self.interval)
        left_out = self.course.warm * self.course.count // len(self.course.points)
        warm_up = f"the first {left_out} are left out as warm-up" if left_out else ""
        if self.step:
            more = f"{self.step} object{'s' * (self.step != 1)} more"
            each = f"{more} after each of the last {self.course.count // 2} cycles"
            return joined(f"{low} to {high}, from {self.readings}", each, warm_up)
        if self.is_told:
            return joined(f"{low} to {high}, from {self.readings}", warm_up)
        bound = f"no growth above {high} can be told from these {self.readings}"
        if self.course.shape is Shape.SATURATES:
            rise, share = format_value(self.course.rise, self.unit), f"{self.course.filled:.0%}"
            return f"it saturates: it rose by {rise} in the first {share} of the window and then stopped; {bound}"
        return joined(bound, f"its line rises, but it {self.course.why}" if self.course.why else "")


def work_cycles(window: Window) -> tuple[WorkCycle, ...]:
    """The cycles in which the test repeated its work; () if it did not. Raises ObserveError for too few."""
    found = required(window.work_cycles)
    if 0 < len(found) < FEWEST:
        raise ObserveError(f"the test repeated its work in {len(found)} cycles, and {FEWEST} are the least: {_REPEAT}")
    return found


def _of_cycles(window: Window, per: str, unit: Unit, value: _Growing, *, objects: bool = False) -> Growth:
    from pytest_gomem.measure.course import course_of, repeated_step

    cycles = work_cycles(window)
    if per == "op":
        operations(window)  # says what to do where nothing counts them
    # Each cycle does the same work, so seconds are shared out: how long one took would be scatter.
    pace = cycles[-1].seconds / len(cycles)
    points: list[Point] = []
    for number, cycle in enumerate(cycles, 1):
        x, y = cycle.ops if per == "op" else number * pace, value(cycle)
        if x is None or y is None:
            raise ObserveError("it was not counted in each cycle of work")
        points.append((float(x), float(y)))
    step = repeated_step([cycle.objects for cycle in cycles]) if objects else 0
    return Growth(course_of(points, _least_rise(unit)), per, unit, BY_CYCLES, f"{len(cycles)} cycles", step)


def _of_readings(points: list[Point], per: str, unit: Unit, source: str, what: str) -> Growth:
    """Of readings in the window, by seconds or operations since it opened."""
    from pytest_gomem.measure.course import course_of

    if len(points) < FEWEST:
        raise ObserveError(f"{len(points)} {what} in the window, and {FEWEST} are the least: {_REPEAT}")
    return Growth(course_of(sorted(points), _least_rise(unit)), per, unit, source, f"{len(points)} {what}")


def _since_opening(window: Window, per: str) -> Callable[[float], float]:
    """From a moment, CLOCK_MONOTONIC, to seconds or operations since the opening; operations as if evenly spread."""
    pace = operations(window) / duration(window) if per == "op" else 1.0
    return lambda t: (t - window.opened) * pace


def _until(window: Window, records: Sequence[GcRecord], per: str) -> list[float]:
    """The seconds or operations until each of these GC cycles ended.

    A busy machine works unevenly, but each operation allocates about as much. So that share of the operations was done
    which had been allocated of all that the window allocates.
    """
    moment = _since_opening(window, per)
    pair, allocated = known(window.memstats), [record.allocated for record in records if record.allocated is not None]
    made = 0 if pair is None else pair.end.total_alloc - pair.start.total_alloc
    if per != "op" or pair is None or made <= 0 or len(allocated) < len(records):
        return [moment(record.t) for record in records]
    each, before = operations(window) / made, pair.start.total_alloc
    return [(until - before) * each for until in allocated]


def _least_rise(unit: Unit) -> float:
    return _OF_ITSELF if unit == BYTES else 0.0


def _heap(window: Window, per: str) -> Growth:
    if work_cycles(window):
        return _of_cycles(window, per, BYTES, lambda cycle: cycle.live, objects=True)
    own = window.own_cycles
    records = [record for record in window.gc_records if record.live is not None and record.number not in own]
    if window.gc_records:
        ended, seen = sum(record.number not in own for record in window.gc_records), len(records)
        if seen < FEWEST <= ended:
            raise ObserveError(
                f"the live heap is known after {seen} of {ended} GC cycles, which ended too fast, and {FEWEST} are the "
                f"least: {_REPEAT}"
            )
        exact = [(x, float(record.live or 0)) for x, record in zip(_until(window, records, per), records, strict=True)]
        return _of_readings(exact, per, BYTES, BY_GC, "GC cycles")
    moment = _since_opening(window, per)
    traced = [(moment(cycle.t), float(cycle.heap_live)) for cycle in traced_cycles(window)[0] if cycle.t is not None]
    return _of_readings(traced, per, BYTES, BY_GCTRACE, "GC cycles")


@once_per_window
def heap_by_time(window: Window) -> Growth:
    """The course of the live heap by seconds; raises ObserveError."""
    return _heap(window, "second")


@once_per_window
def heap_by_op(window: Window) -> Growth:
    """The course of the live heap by operations; raises ObserveError."""
    return _heap(window, "op")


@once_per_window
def rss_by_time(window: Window) -> Growth:
    """The course of the resident memory by seconds; raises ObserveError."""
    if work_cycles(window):
        return _of_cycles(window, "second", BYTES, lambda cycle: cycle.rss)
    moment = _since_opening(window, "second")
    points: list[Point] = [(moment(sample.t), sample.rss) for sample in samples(window)]
    return _of_readings(points, "second", BYTES, BY_RSS, "samples")


def _goroutines(window: Window, per: str) -> Growth:
    if not work_cycles(window):
        raise ObserveError(f"goroutines are counted at the window's edges alone: {_REPEAT}")
    return _of_cycles(window, per, COUNT, lambda cycle: cycle.goroutines)


@once_per_window
def goroutines_by_time(window: Window) -> Growth:
    """The course of the number of goroutines by seconds; raises ObserveError."""
    return _goroutines(window, "second")


@once_per_window
def goroutines_by_op(window: Window) -> Growth:
    """The course of the number of goroutines by operations; raises ObserveError."""
    return _goroutines(window, "op")
