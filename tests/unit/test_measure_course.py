"""The rule of growth: what it finds, what it must not take for growth, and how often its interval holds the truth."""

from __future__ import annotations

import random

import courses
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.measure.course import course_of, repeated_step
from pytest_gomem.measure.shape import FEWEST, Shape
from pytest_gomem.measure.slope import BLOCKS, blocks, line_through, theil_sen


def points(values, step=1.0):
    return [(at * step, float(value)) for at, value in enumerate(values)]


def shapes(make, count, runs, seed=1):
    rng = random.Random(seed)
    return [course_of(points(make(count, rng))).shape for _ in range(runs)]


@pytest.mark.parametrize("count", [20, 60])
@pytest.mark.parametrize("make", courses.LOOK_ALIKES, ids=lambda make: make.__name__)
def test_what_looks_like_a_leak_is_none(make, count):
    """In 100 courses of each kind; benchmarks/growth.py takes more."""
    assert Shape.GROWS not in shapes(make, count, 100)


@pytest.mark.parametrize("count", [20, 60])
@pytest.mark.parametrize("make", courses.LEAKS, ids=lambda make: make.__name__)
def test_leaks_are_found(make, count):
    """Most of them; the others are told when there is more work."""
    assert shapes(make, count, 40).count(Shape.GROWS) >= 32


@pytest.mark.parametrize("alike", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("count", [10, 20, 100])
def test_the_interval_holds_the_truth(count, alike):
    """19 times in 20, also where each reading remembers the last one."""
    rng, held = random.Random(2), 0
    for _ in range(100):
        noise = courses.remembering(count, alike, rng)
        line = line_through(blocks(points(3.0 * at + value for at, value in enumerate(noise))))
        held += line.low <= 3.0 <= line.high
    assert held >= 95 - 3  # of 100 draws with 95 expected at the least


@given(st.floats(-1e6, 1e6), st.floats(-1e9, 1e9), st.integers(FEWEST, 200))
def test_a_straight_line_is_found_exactly(slope, level, count):
    """Whatever its slope, level and length."""
    line = line_through(blocks(points(level + slope * at for at in range(count))))
    assert line.slope == pytest.approx(slope, abs=1e-5 + abs(level) * 1e-12)
    assert line.at(0.0) == pytest.approx(level, abs=1e-3 + abs(slope) * 1e-6)


def test_blocks_keep_no_spike():
    """At most so many, of equally many readings; one reading that is far off does not move its block."""
    values = [float(at) for at in range(400)]
    values[17] = 1e9
    found = blocks(points(values))
    assert len(found) == BLOCKS
    assert max(y for _, y in found) < 400


def test_no_time_is_no_slope():
    """Instead of a division by 0."""
    with pytest.raises(ObserveError, match="no time passed"):
        theil_sen([(1.0, 2.0), (1.0, 3.0)])


def test_growth_is_told_with_its_interval():
    """The interval holds the slope, and lies above 0."""
    rng = random.Random(3)
    course = course_of(points(courses.steady_leak(20, rng)))
    assert course.shape is Shape.GROWS
    low, high = course.interval
    assert 0 < low < 2.0 < high


def test_a_cache_that_fills_is_named():
    """How much it took, and when it was full."""
    rng = random.Random(4)
    course = course_of(points(50 * min(at / 6, 1) + rng.gauss(0, 0.5) for at in range(20)))
    assert course.shape is Shape.SATURATES
    assert course.rise == pytest.approx(50, abs=2)
    assert course.filled == pytest.approx(6 / 19, abs=0.06)
    low, high = course.interval
    assert low <= 0 <= high < 50 / 6


def test_growth_that_is_not_steady_is_no_growth():
    """The interval then begins at 0 at the latest, so that no limit is broken; and the reason is known."""
    teeth = course_of(points([*range(10), *range(2, 12), *range(4, 14)]))
    steps = course_of(points([0.0] * 7 + [10.0] * 6 + [20.0] * 7))
    for course in (teeth, steps):
        assert course.shape is Shape.LEVEL
        assert course.interval[0] <= 0
    stopped = course_of(points([min(at, 108) + at % 3 for at in range(120)]))
    assert (stopped.shape, stopped.why) == (Shape.LEVEL, "no longer rises at the end")


def test_a_spike_is_no_step():
    """What was alive in one GC cycle and gone in the next: a service that leaked 92 bytes a request."""
    live = (
        658328, 798608, 923704, 1064368, 1192656, 1279136, 1412832, 1827344, 1632928, 1706048, 1854432, 1930136,
        1989816, 2063272, 2214744, 2282496, 2350760,
    )  # fmt: skip
    assert course_of(points(live)).shape is Shape.GROWS


def test_what_repeats_itself_exactly_is_told_at_one_object():
    """After the first half, in which the service may warm up."""
    assert repeated_step([500, 90, 7, 3, 9, 12, 13, 14, 15, 16, 17, 18]) == 1
    assert repeated_step([3 * at for at in range(20)]) == 3
    assert repeated_step([at + at % 2 for at in range(20)]) == 0
    assert repeated_step([5] * 20) == 0
    assert repeated_step([20 - at for at in range(20)]) == 0
    assert repeated_step(range(9)) == 0
