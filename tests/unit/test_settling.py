"""Reading until a service is at rest: when two readings agree, and what is said where they never do."""

from __future__ import annotations

import pytest
from gomem_windows import memstats

from pytest_gomem.observe.records import MemStats, quantities_of
from pytest_gomem.session import settling
from pytest_gomem.session.settling import settle
from pytest_gomem.testing import FakeProcess


@pytest.fixture
def process() -> FakeProcess:
    """Whose clock passes with the pauses that are made, and with nothing else."""
    return FakeProcess()


def stats(goroutines: int | None, heap: int = 3_000_000, objects: int = 5000) -> MemStats:
    """What one reading found."""
    return memstats(50, 1, 6000, goroutines=goroutines, heap_alloc=heap, heap_objects=objects)


def settled(process: FakeProcess, *found: MemStats, closing=lambda stats: 0):
    """The result over these readings, the last one for ever."""
    readings = [*found]
    again = lambda: readings.pop(0) if len(readings) > 1 else readings[0]  # noqa: E731
    return settle(lambda: readings.pop(0), again, held=quantities_of, system=process.system, closing=closing)


def test_a_service_at_rest_is_read_once_more(process):
    """Two readings that agree are enough, a few bytes of a timer apart; so they are without a count of goroutines."""
    assert settled(process, stats(6), stats(6, 3_010_000, 5050)).last.heap_alloc == 3_010_000
    assert settled(process, stats(None), stats(None)).unrest == ""
    assert process.slept == [0.001, 0.001]


@pytest.mark.parametrize("moving", [stats(46), stats(6, heap=3_100_000), stats(6, objects=6000)])
def test_what_ends_is_waited_for(process, moving):
    """Goroutines that end, and what they held, are in no figure."""
    result = settled(process, moving, stats(6))
    assert (result.last.goroutines, result.last.heap_alloc, result.unrest) == (6, 3_000_000, "")
    assert len(process.slept) == 2


def test_a_connection_that_is_being_closed_is_waited_for(process):
    """Its goroutine stands still until the connection is gone: that it does is no rest."""
    left = [3, 3, 0]
    result = settled(process, stats(9), stats(9), stats(9), stats(6), closing=lambda stats: left.pop(0) if left else 0)
    assert (result.last.goroutines, result.unrest) == (6, "")


@pytest.mark.parametrize(
    ("more", "ends", "left", "waited"), [(40, 0.06, 6, 0.251), (40, 9, 46, 0.25), (1, 9, 7, 0.001)]
)
def test_more_goroutines_than_at_rest_stand_still_for_longer(process, more, ends, left, waited):
    """Workers that sleep for 60 ms are waited for, those that stay are told after 0.25 s; one more is nothing."""
    read = lambda: stats(6 + (more if sum(process.slept) < ends else 0))  # noqa: E731
    result = settle(read, read, held=quantities_of, system=process.system, closing=lambda stats: 0, at_rest=6)
    assert (result.last.goroutines, result.unrest) == (left, "")
    assert sum(process.slept) == pytest.approx(waited, abs=0.003)


def test_what_never_rests_is_given_up_and_told(process):
    """The last reading stands, at most 2 s after the first, with how it still moved."""
    counts = iter(range(100))
    read = lambda: stats(next(counts))  # noqa: E731
    result = settle(read, read, held=quantities_of, system=process.system, closing=lambda stats: 0)
    assert sum(process.slept) <= settling.LONGEST
    assert result.unrest.startswith("the service did not come to rest within ")
    assert result.unrest.endswith(f"goroutines moved from {result.last.goroutines - 1} to {result.last.goroutines}")
    for count, words in ((1, ": 1 of its connections was"), (3, ": 3 of its connections were")):
        stuck = settled(process, stats(9), stats(9), closing=lambda stats, count=count: count)
        assert stuck.unrest.endswith(f"{words} still being closed")
