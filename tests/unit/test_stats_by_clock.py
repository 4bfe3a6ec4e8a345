"""What a service allocates by the clock in windows that took longer."""

from __future__ import annotations

import pytest

from pytest_gomem.stats.by_clock import IDLE_BYTES, IDLE_OBJECTS, by_clock, seconds_of, took_longer


def rounds(*seconds: float, ops: float = 1000, **more: float) -> list[dict[str, float]]:
    """Rounds that allocated 10 MB and 2000 objects each, in so many seconds."""
    return [{"total_alloc": 10e6, "alloc_rate": 10e6 / one, "allocs": 2000.0, "ops": ops, **more} for one in seconds]


BASE = rounds(1.0, 1.0, 1.3)
LONGER = [{**one, IDLE_BYTES: 2e6, IDLE_OBJECTS: 300.0} for one in rounds(2.0, 2.2, 2.4)]


def test_it_is_the_rate_without_work_times_the_seconds_that_came_on_top() -> None:
    """2 MB and 300 objects a second for 1.1 s more, per operation where the metric is."""
    assert by_clock("total_alloc", BASE, LONGER) == pytest.approx(2.2e6)
    assert by_clock("allocs", BASE, LONGER) == pytest.approx(330)
    assert by_clock("alloc_bytes_per_op", BASE, LONGER) == pytest.approx(2200)
    assert by_clock("allocs_per_op", BASE, LONGER) == pytest.approx(0.33)


def test_where_nothing_tells_the_clock_made_nothing() -> None:
    """Other metrics, rounds that were not watched, windows that took no longer, or whose length is not known."""
    assert by_clock("live_heap", BASE, LONGER) == 0
    assert by_clock("total_alloc", BASE, rounds(2.0, 2.2)) == 0
    assert by_clock("total_alloc", LONGER, [{**one, IDLE_BYTES: 2e6} for one in BASE]) == 0
    assert by_clock("total_alloc", [{"total_alloc": 1.0}], LONGER) == 0
    assert by_clock("alloc_bytes_per_op", [{**one, "ops": 0.0} for one in BASE], LONGER) == 0


def test_a_window_that_does_more_work_takes_longer_for_that() -> None:
    """Of twice the operations in twice the time none takes longer."""
    twice = rounds(2.0, 2.0, 2.6, ops=2000, **{IDLE_BYTES: 2e6, IDLE_OBJECTS: 300.0})
    assert by_clock("alloc_bytes_per_op", BASE, twice) == 0
    assert by_clock("allocs_per_op", BASE, twice) == 0


def test_one_round_that_stalled_excuses_none_of_the_others() -> None:
    """The mean of their lengths is twenty times the base's, and their median is the base's."""
    stalled = rounds(1.0, 1.0, 1.0, 1.0, 100.0, **{IDLE_BYTES: 2e6})
    assert by_clock("total_alloc", rounds(1.0, 1.0, 1.0), stalled) == 0
    assert by_clock("total_alloc", rounds(1.0, 1.0, 100.0), rounds(2.0, **{IDLE_BYTES: 2e6})) == 0


def test_no_more_is_the_clocks_than_the_base_allocated_in_that_time() -> None:
    """A queue that is worked off after the window, or a ticker that the base had not, makes any rate."""
    queued = rounds(1.2, **{IDLE_BYTES: 500e6, IDLE_OBJECTS: 90e3})
    assert by_clock("total_alloc", rounds(1.0), queued) == pytest.approx(10e6 * 0.2)
    assert by_clock("allocs", rounds(1.0), queued) == pytest.approx(2000 * 0.2)


def test_rounds_of_which_only_some_were_watched_share_what_these_tell() -> None:
    """A round that made no more than the base is not watched."""
    some = [*LONGER[:2], *rounds(2.4)]
    assert by_clock("total_alloc", BASE, some) == by_clock("total_alloc", BASE, LONGER) > 0


def test_windows_took_longer_by_their_medians() -> None:
    """A round that tells no length leaves all of its side without."""
    assert took_longer(BASE, rounds(1.1))
    assert not took_longer(BASE, rounds(0.9))
    assert not took_longer([], rounds(2.0))
    assert seconds_of([*BASE, {"total_alloc": 0.0, "alloc_rate": 0.0}]) == ()
    assert seconds_of(BASE) == pytest.approx((1.0, 1.0, 1.3))
