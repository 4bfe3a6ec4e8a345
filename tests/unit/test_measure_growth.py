"""The metrics of growth: from cycles of work, from GC cycles, from samples; and how long the memory lasts."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import courses
import pytest
from gomem_windows import CLOSED, MIB, OPENED, cycle

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import BYTES_PER_OP, format_value
from pytest_gomem.cgroup.reading import GroupReading
from pytest_gomem.measure.growth import LONGEST, METRICS, fitted_courses
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.registry import evaluate
from pytest_gomem.measure.shape import Shape
from pytest_gomem.measure.window import GcTrace, GroupEdges, MemoryLimit, WorkCycle
from pytest_gomem.observe.records import GcRecord, Sample
from pytest_gomem.testing import fake_window

OPS, SECONDS = 1000, 0.5  # of a cycle of work


def worked(live, *, objects=None, goroutines=None, ops=OPS, **values):
    """A window of cycles of work that left so many bytes each."""
    cycles = tuple(
        WorkCycle(
            seconds=(at + 1) * SECONDS,
            ops=None if ops is None else (at + 1) * ops,
            live=int(size),
            objects=objects[at] if objects else 5000 + at * 7 % 5,
            goroutines=goroutines[at] if goroutines else 8,
            rss=20 * MIB + int(size),
        )
        for at, size in enumerate(live)
    )
    total = None if ops is None else ops * len(cycles)
    return fake_window(work_cycles=cycles, ops=total, **values)


def leaking(per_op, count=20, noise=4000.0, **values):
    rng = random.Random(5)
    return worked([3e6 + per_op * OPS * (at + 1) + rng.gauss(0, noise) for at in range(count)], **values)


def metrics_of(window):
    return evaluate(window, METRICS)


def reading(window, name) -> Reading:
    found = metrics_of(window)[name]
    assert isinstance(found, Reading), found
    return found


def reason(window, name) -> str:
    found = metrics_of(window)[name]
    assert isinstance(found, Unavailable), found
    return found.reason


def test_64_bytes_an_operation_are_found():
    """In 20 cycles of 1000 operations, per operation and per second, with an interval above 0."""
    per_op, per_second = (reading(leaking(64), name) for name in ("heap_growth_per_op", "heap_growth"))
    assert per_op.value == pytest.approx(64, rel=0.02)
    assert per_op.interval is not None
    assert 60 < per_op.interval[0] < 64 < per_op.interval[1] < 68
    assert per_second.value == pytest.approx(64 * OPS / SECONDS, rel=0.02)
    assert per_op.note.endswith("B/op, from 20 cycles")


def test_no_growth_has_a_bound():
    """The interval begins at 0 or below, and the note says what could have been seen."""
    found = reading(leaking(0), "heap_growth_per_op")
    assert found.interval is not None
    assert found.interval[0] <= 0
    bound = format_value(found.interval[1], BYTES_PER_OP)
    assert found.note == f"no growth above {bound} can be told from these 20 cycles"


def test_a_rise_by_what_a_service_takes_itself_is_no_growth():
    """However straight the line is; objects that come back exactly would still tell it."""
    found = reading(leaking(0.5, noise=1.0), "heap_growth_per_op")
    assert found.interval is not None
    assert found.interval[0] <= 0.0
    assert found.note.endswith("; its line rises, but it rises by no more than a service does by itself")


def test_the_interval_allows_for_what_the_service_takes_itself():
    """32 KiB of goroutines and buffers may be in the rise: 1.7 bytes an operation, of 64 in 19 000."""
    found = reading(leaking(64, noise=1.0), "heap_growth_per_op")
    assert found.interval is not None
    low, high = found.interval
    assert found.value - low == pytest.approx(high - found.value + 32 * 1024 / (19 * OPS), rel=1e-6)
    assert low < 64 < high + 0.1


def test_saturation_is_named():
    """With its size, and when it stopped."""
    found = reading(worked([3e6 + 1e5 * min(at, 6) for at in range(20)]), "heap_growth_per_op")
    assert found.note.startswith("it saturates: it rose by 600 kB in the first 32% of the window and then stopped; no ")
    assert found.interval is not None
    assert found.interval[0] <= 0


def test_one_object_in_each_cycle_is_told_from_noise():
    """Where bytes scatter too much, objects that come back exactly each time tell it: of 8 bytes at the least."""
    window = leaking(0.008, noise=4000, objects=[5000 + 3 * at for at in range(20)])
    found = reading(window, "heap_growth_per_op")
    assert found.interval is not None
    assert found.interval[0] == pytest.approx(3 * 8 / OPS)
    assert "3 objects more after each of the last 10 cycles" in found.note


@pytest.mark.parametrize("count", [1, 9])
def test_few_cycles_tell_nothing(count):
    """The reason says how many it takes."""
    assert reason(leaking(64, count), "heap_growth") == (
        f"the test repeated its work in {count} cycles, and 10 are the least: repeat the work by service.cycles(20), "
        "or by --gomem-cycles=20"
    )


def test_growth_per_op_needs_operations():
    """The growth per second does not."""
    window = leaking(64, ops=None)
    assert reason(window, "heap_growth_per_op").startswith("no operations were counted")
    assert reading(window, "heap_growth").value == pytest.approx(64 * OPS / SECONDS, rel=0.02)


def gc_records(live, first=11):
    step = (CLOSED - OPENED) / len(live)
    return tuple(
        GcRecord(first + at, 30e-6, OPENED + (at + 0.5) * step, None if size is None else int(size))
        for at, size in enumerate(live)
    )


def test_gc_cycles_tell_it_without_cycles_of_work():
    """By the agent; cycles that our own readings force do not count, nor those without a live heap."""
    rng = random.Random(6)
    live = [3e6 + 1e4 * at + rng.gauss(0, 5000) for at in range(40)]
    live[7] = None
    window = fake_window(gc_records=gc_records(live), own_cycles=frozenset({50}))
    found = reading(window, "heap_growth_per_op")
    assert found.value == pytest.approx(1e4 * 40 / 1000, rel=0.05)
    assert "from 38 GC cycles" in found.note
    assert "by the agent" in found.source


def test_operations_are_counted_by_what_they_allocate():
    """A busy machine does most of them late: by the clock the heap would rise less in one half than in the other."""
    done = [(at + 1) / 40 for at in range(40)]
    records = tuple(
        GcRecord(11 + at, 30e-6, OPENED + (CLOSED - OPENED) * share**0.25, int(3e6 + 4e3 * 1000 * share), allocated)
        for at, share in enumerate(done)
        for allocated in [5_000_000 + int(30_050_000 * share)]
    )
    found = reading(fake_window(gc_records=records), "heap_growth_per_op")
    assert found.value == pytest.approx(4000, rel=1e-3)
    assert found.interval is not None
    assert found.interval[0] > 3900
    by_clock = tuple(replace(record, allocated=None) for record in records)
    assert "no growth above" in reading(fake_window(gc_records=by_clock), "heap_growth_per_op").note


def test_gctrace_tells_it_in_mib():
    """Without an agent."""
    cycles = tuple(cycle(11 + at, t=OPENED + at / 4, heap_live=(3 + at // 2) * MIB) for at in range(40))
    found = reading(fake_window(gctrace=GcTrace(cycles, 0, 0)), "heap_growth")
    assert found.value == pytest.approx(2 * MIB, rel=0.05)
    assert "in whole MiB" in found.source


def test_a_window_with_few_gc_cycles_tells_nothing():
    """A small test has no growth metric, and says what would give it one."""
    window = fake_window(gc_records=gc_records([3e6] * 9))
    assert reason(window, "heap_growth").startswith("9 GC cycles in the window, and 10 are the least: repeat the work")


def test_gc_cycles_that_end_too_fast_are_not_few():
    """The agent knows the live heap after the last of several alone, and the reason says so."""
    window = fake_window(gc_records=gc_records([None, None, 3e6] * 9))
    assert reason(window, "heap_growth").startswith("the live heap is known after 9 of 27 GC cycles, which ended too")


def test_goroutines_are_exact():
    """One for each 1000 operations; without cycles nothing counts them between the edges."""
    found = reading(leaking(0, goroutines=[8 + at for at in range(20)]), "goroutine_growth_per_op")
    assert (found.value, found.interval) == (pytest.approx(1e-3), (pytest.approx(1e-3), pytest.approx(1e-3)))
    still = reading(leaking(0), "goroutine_growth")
    assert (still.value, still.interval) == (0.0, (0.0, 0.0))
    assert reason(fake_window(), "goroutine_growth").startswith("goroutines are counted at the window's edges alone")


def test_resident_memory_by_its_samples():
    """As long as no cycles of work tell it better."""
    rng = random.Random(7)
    samples = tuple(
        Sample(OPENED + at / 50, int(20e6 + 2e4 * at + rng.gauss(0, 1e5)), None, threads=9) for at in range(500)
    )
    assert reading(fake_window(timeline=samples), "rss_growth").value == pytest.approx(1e6, rel=0.05)
    assert reading(leaking(64), "rss_growth").value == pytest.approx(64 * OPS / SECONDS, rel=0.02)


LIMIT = MemoryLimit(512 * MIB, "GOMEMLIMIT")


def test_time_to_the_limit():
    """What is left of the limit over the growth; the interval is that of the growth, turned round."""
    window = leaking(64, limit=LIMIT)
    found, growth = reading(window, "time_to_limit"), reading(window, "heap_growth")
    room = 512 * MIB - 30 * MIB
    assert growth.interval is not None
    assert found.value == pytest.approx(room / growth.value)
    assert found.interval == (pytest.approx(room / growth.interval[1]), pytest.approx(room / growth.interval[0]))
    assert "505 MB are left of GOMEMLIMIT, 537 MB" in found.note


def test_time_to_the_limit_of_a_memory_cgroup():
    """What counts there is less than RSS: pages of the binary do not."""
    at_close = GroupReading(
        t=1010.0, limit=64 * MIB, current=60 * MIB, peak=64 * MIB, anon=20 * MIB, file=36 * MIB, kernel=2 * MIB,
        anon_peak=20 * MIB, oom_kills=0, peak_since=0.0, shmem=2 * MIB,
    )  # fmt: skip
    limit = MemoryLimit(64 * MIB, "memory_limit", of_group=True)
    window = leaking(64, limit=limit, group=GroupEdges(at_close, at_close, "cgroup v2"))
    found = reading(window, "time_to_limit")
    assert "41.9 MB are left of memory_limit, 67.1 MB" in found.note
    assert found.source.endswith("what counts at the close (cgroup v2)")


def test_time_to_the_limit_without_growth_is_a_bound():
    """At least so long, as far as could be seen; its interval has no end, so that nothing breaks it."""
    found = reading(leaking(0, limit=LIMIT), "time_to_limit")
    assert found.interval is not None
    assert found.interval == (found.value, math.inf)
    assert found.note.startswith("at least ")
    assert " shown; no growth above " in found.note
    exact = reading(worked([3e6] * 20, limit=LIMIT), "time_to_limit")
    assert (exact.value, exact.interval) == (LONGEST, (LONGEST, math.inf))
    assert exact.note.startswith("the limit is out of sight; ")


def test_time_to_a_limit_that_is_passed_or_unknown():
    """0, or the reason."""
    for window in (leaking(64), worked([3e6] * 20)):
        full = reading(replace(window, limit=MemoryLimit(10 * MIB, "the budget")), "time_to_limit")
        assert (full.value, full.interval) == (0.0, (0.0, 0.0))
        assert full.note == "31.5 MB are in use: the budget, 10.5 MB, is reached"
    assert reason(leaking(64), "time_to_limit") == "no limit of its memory is known"


def test_courses_are_kept_to_be_drawn():
    """One for each metric that can be told."""
    found = fitted_courses(leaking(64))
    assert set(found) == {metric.name for metric in METRICS} - {"time_to_limit"}
    course = found["heap_growth_per_op"]
    assert (course.per, course.shape, len(course.x)) == ("op", Shape.GROWS, 20)
    assert course.slope == pytest.approx(64, rel=0.02)


@pytest.mark.parametrize("make", courses.LOOK_ALIKES, ids=lambda make: make.__name__)
def test_no_look_alike_breaks_a_limit_of_nothing(make):
    """Through the metric, as a budget of 0 sees it."""
    rng = random.Random(8)
    for _ in range(20):
        found = reading(worked([3e6 + 1e4 * size for size in make(20, rng)]), "heap_growth_per_op")
        assert found.interval is not None
        assert found.interval[0] <= 0
