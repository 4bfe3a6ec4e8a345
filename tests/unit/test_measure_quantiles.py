"""Quantiles by nearest rank: always a value that was measured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.measure.quantiles import nearest_rank

values_of_a_window = st.lists(st.floats(min_value=0, max_value=1e3), min_size=1, max_size=300)


@given(values_of_a_window, st.integers(0, 100))
def test_enough_values_do_not_exceed_it(values, percent):
    """At least that many percent lie at or below the quantile, and fewer at or below any smaller value."""
    found = nearest_rank(values, percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert percent == 0 or sum(value < found for value in values) * 100 < percent * len(values)


@given(st.lists(st.floats(min_value=0, max_value=1e3), min_size=1, max_size=99))
def test_p99_of_fewer_than_100_values_is_their_maximum(values):
    """Nothing but the largest."""
    assert nearest_rank(values, 99) == max(values)


@given(values_of_a_window, st.integers(0, 100), st.integers(0, 100))
def test_quantiles_are_ordered(values, one, other):
    """A higher one is never a smaller value."""
    low, high = sorted((one, other))
    assert nearest_rank(values, low) <= nearest_rank(values, high)


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (2, 2), (99, 99), (100, 99), (101, 100), (200, 198), (700, 693)])
def test_nearest_rank_is_the_smallest_that_99_percent_do_not_exceed(count, rank):
    """The rank is ceil(0.99 n), without floating-point surprises."""
    assert nearest_rank([float(n) for n in range(count, 0, -1)], 99) == rank


def test_no_values_have_no_quantile():
    """A quantile of nothing is refused."""
    with pytest.raises(ValueError, match="no quantile"):
        nearest_rank([], 99)
