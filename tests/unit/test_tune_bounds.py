"""Bounds of a search as a user writes them."""

from __future__ import annotations

import itertools

import pytest

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.measure.registry import builtin_metrics
from pytest_gomem.tune.bounds import parse_bound
from pytest_gomem.tune.records import Bound
from pytest_gomem.tune.sizes import MIB, at_least, at_most, between, downwards, shifted, steps_between

UNITS = {metric.name: metric.unit for metric in builtin_metrics()}


@pytest.mark.parametrize(
    ("written", "bound"),
    [
        ("cpu_per_op<=1.25x", Bound("cpu_per_op", 1.25, relative=True)),
        (" latency_p99 <= 50ms ", Bound("latency_p99", 0.05)),
        ("throughput>=0.9x", Bound("throughput", 0.9, relative=True, at_least=True)),
        ("peak_rss<=200MiB", Bound("peak_rss", 200.0 * MIB)),
        ("peak_rss<=0.7x", Bound("peak_rss", 0.7, relative=True)),
    ],
)
def test_read(written, bound):
    """A multiple is of the figure with memory to spare; a quantity has the metric's unit."""
    found = parse_bound(written, UNITS, Place("--keep"))
    assert (found.metric, found.limit, found.relative, found.at_least) == (
        bound.metric,
        pytest.approx(bound.limit),
        bound.relative,
        bound.at_least,
    )
    assert str(found) == written.strip()


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("cpu_per_op", "is not a bound"),
        ("cpu_per_op<1.25x", "is not a bound"),
        ("cpu_per_oops<=1.25x", "did you mean cpu_per_op"),
        ("latency_p99<=50MB", "'MB' does not fit seconds"),
        ("cpu_per_op<=0.9x", "is broken with memory to spare already"),
        ("throughput>=2x", "is broken with memory to spare already"),
        ("gc_pause_p99<=5ms", "a pause scatters by 55% to 700%"),
    ],
)
def test_refused(written, reason):
    """With what to write instead."""
    with pytest.raises(ConfigError, match=reason):
        parse_bound(written, UNITS, Place("--keep"))


def test_sizes():
    """Whole MiB, at most 4.2% apart from 24 MiB on, round numbers."""
    sizes = downwards(4 << 40, 24 * MIB)[::-1]
    assert all(size % MIB == 0 for size in sizes)
    assert all(1.02 < high / low <= 1 + 1 / 24 for low, high in itertools.pairwise(sizes))
    assert [size // MIB for size in downwards(208 * MIB, 180 * MIB)] == [208, 200, 192, 188, 184, 180]
    assert (at_least(181 * MIB), at_most(181 * MIB)) == (184 * MIB, 180 * MIB)
    assert (at_most(1), shifted(184 * MIB, 2), shifted(4 * MIB, -1)) == (4 * MIB, 192 * MIB, 4 * MIB)
    assert steps_between(180 * MIB, 208 * MIB) == 5
    assert (between(180 * MIB, 208 * MIB), between(180 * MIB, 184 * MIB)) == (192 * MIB, None)
