"""The smallest visible change, and how limits lie to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.comparison.visible import Fit, fit, smallest_visible
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.stats.decision import PRIMARY, Status, compare

METRICS = {metric.name: metric for metric in Registry(builtin_metrics())}
LIVE = METRICS["live_heap"]


@given(st.lists(st.floats(50e6, 60e6), min_size=8, max_size=12))
def test_what_is_called_visible_is_seen(values):
    """Rounds that are shifted by the smallest visible change and no more fail the comparison, among others too."""
    by = smallest_visible(LIVE, values)
    shifted = [value + by * 1.001 for value in values]
    assert compare(LIVE, values, shifted, 0.0, decisions=len(PRIMARY)).status is Status.FAIL


def test_scatter_hides_and_the_prior_stands_in():
    """Rounds that scatter see less; one round sees what three alike would; ranks alone tell nothing beforehand."""
    calm, wild = smallest_visible(LIVE, [60e6] * 3), smallest_visible(LIVE, [58e6, 60e6, 62e6])
    assert calm < 0.01 * 60e6 < wild
    assert smallest_visible(LIVE, [60e6]) == calm
    assert smallest_visible(METRICS["gc_pause_max"], [1e-3] * 9) is None
    assert smallest_visible(LIVE, []) is None


@pytest.mark.parametrize(
    ("room", "found"), [(0.0, Fit.TIGHT), (0.49, Fit.TIGHT), (0.5, Fit.GOOD), (10.0, Fit.GOOD), (10.1, Fit.LOOSE)]
)
def test_fit(room, found):
    """A limit within what scatter comes to rings by chance; one ten times as far as what is seen lets that pass."""
    assert fit(room, threshold=0.5, visible=1.0) is found
