"""Percentiles, the sum of loads, and which loads count as done."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.drive.summary import judge_load, merged, percentile
from pytest_gomem.errors import LoadError
from pytest_gomem.measure.window import LoadRecord

latencies = st.lists(st.floats(min_value=0, max_value=1e3), min_size=1, max_size=300).map(sorted)


def record(requests=100, errors=0, *, statuses=None, asked=None, achieved=None):
    return LoadRecord(
        requests=requests,
        errors=errors,
        duration=1.0,
        latencies=(0.001,) * (requests - errors),
        rate_asked=asked,
        statuses=statuses if statuses is not None else (("200", requests - errors),),
        rate_achieved=achieved,
    )


@given(latencies, st.integers(0, 100))
def test_a_percentile_is_a_value_that_enough_values_do_not_exceed(values, q):
    """At least q percent lie at or below the q-th percentile, and fewer lie at or below any smaller value."""
    found = percentile(values, q)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= q * len(values)
    assert q == 0 or sum(value < found for value in values) * 100 < q * len(values)


@given(st.lists(st.floats(min_value=0, max_value=1e3), min_size=1, max_size=99).map(sorted))
def test_p99_of_fewer_than_100_values_is_their_maximum(values):
    """p99 of fewer than 100 values is nothing but the largest."""
    assert percentile(values, 99) == values[-1]


@given(latencies, st.integers(0, 100), st.integers(0, 100))
def test_percentiles_are_ordered(values, one, other):
    """A higher percentile is never a smaller value."""
    low, high = sorted((one, other))
    assert percentile(values, low) <= percentile(values, high)


def test_no_values_have_no_percentile():
    """A percentile of nothing is refused rather than 0."""
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_nothing_merges_to_nothing():
    """Without loads there is no record, not one of zeros."""
    assert merged([]) is None


def test_one_load_stays_itself():
    """A single record keeps its rate."""
    only = record(asked=50, achieved=50)
    assert merged([only]) is only


def test_loads_add_up():
    """Counts, durations, latencies and statuses of several loads are their sums; a common rate they do not have."""
    both = merged([record(10, asked=50, achieved=50), record(20, 3, statuses=(("200", 17), ("503", 3)))])
    assert both == LoadRecord(30, 3, 2.0, (0.001,) * 27, None, (("200", 27), ("503", 3)), None)


def test_a_clean_load_passes():
    """No errors and the rate asked for: nothing is raised."""
    judge_load(record(asked=50.0, achieved=50.0), allow_errors=False, allow_missed_rate=False)


def test_errors_fail_with_their_counts_largest_first():
    """The error names how many failed of how many, by kind, and not the requests that succeeded."""
    failing = record(1000, 12, statuses=(("200", 988), ("503", 10), ("timeout", 2)))
    with pytest.raises(LoadError) as caught:
        judge_load(failing, allow_errors=False, allow_missed_rate=False)
    assert str(caught.value).startswith("12 of 1000 requests failed: 10 x 503, 2 x timeout\n")
    assert "wonderfully lean" in str(caught.value)


def test_allowed_errors_pass():
    """allow_errors lets a failing load through."""
    judge_load(record(10, 10, statuses=(("500", 10),)), allow_errors=True, allow_missed_rate=False)


@pytest.mark.parametrize("asked", [1.0, 3.0, 50.0, 300.0, 1000.0])
def test_a_rate_is_missed_by_more_than_two_percent(asked):
    """98 of 100 planned requests keep the rate, 97 do not."""
    judge_load(record(98, asked=asked, achieved=asked * 98 / 100), allow_errors=False, allow_missed_rate=False)
    short = record(97, asked=asked, achieved=asked * 97 / 100)
    with pytest.raises(LoadError, match=f"asked for {asked:.6g} requests/s, achieved {asked * 0.97:.6g}"):
        judge_load(short, allow_errors=False, allow_missed_rate=False)
    judge_load(short, allow_errors=False, allow_missed_rate=True)


def test_both_faults_are_told_at_once():
    """Failed requests do not hide a missed rate."""
    bad = record(50, 50, statuses=(("timeout", 50),), asked=100.0, achieved=50.0)
    with pytest.raises(LoadError, match=r"(?s)50 of 50 requests failed.*asked for 100 requests/s, achieved 50"):
        judge_load(bad, allow_errors=False, allow_missed_rate=False)
