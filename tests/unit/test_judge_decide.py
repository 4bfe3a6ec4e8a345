"""Judging a value: both sides of each limit, what equal means, and what an unmeasured value does."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.errors import Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import BYTES, BYTES_PER_OP, RATIO, SECONDS, Unit, parse_quantity
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.decide import failed, judge
from pytest_gomem.measure.metric import Reading
from pytest_gomem.stats.decision import Status


def budget(metric: str = "peak_rss", unit: Unit = BYTES, function: str = "", **limits: object) -> Budget:
    quantities = {
        kind: parse_quantity(written, RATIO if kind == "regression" else unit) for kind, written in limits.items()
    }
    every = {"max": None, "min": None, "warn": None, "regression": None, **quantities}
    return Budget(metric, **every, function=function, scope="defaults", place=Place("gomem.yaml", 3))


def status(one: Budget, value: float) -> Status:
    (verdict,) = judge(one, Reading(value, "test"))
    return verdict.status


@pytest.mark.parametrize(("value", "expected"), [(1999, "pass"), (2000, "pass"), (2001, "fail")])
def test_ceiling_is_inclusive(value, expected):
    """Equal to the limit passes, one byte more fails."""
    assert status(budget(max="2kB"), value).value == expected


@pytest.mark.parametrize(("value", "expected"), [(86401, "pass"), (86400, "pass"), (86399, "fail")])
def test_floor_is_inclusive(value, expected):
    """Equal to the floor passes, one second less fails."""
    assert status(budget("time_to_limit", SECONDS, min="24h"), value).value == expected


@pytest.mark.parametrize(("value", "expected"), [(2000, "pass"), (2001, "warn")])
def test_warning_level_warns_and_does_not_fail(value, expected):
    """Above its level warn warns; it never fails a test."""
    verdicts = judge(budget(warn="2kB"), Reading(value, "test"))
    assert [one.status.value for one in verdicts] == [expected]
    assert failed(verdicts) == ()


@pytest.mark.parametrize(("value", "expected"), [(60, "pass"), (59, "warn")])
def test_warning_beside_a_floor_alone_watches_from_below(value, expected):
    """With min and no max the warning level is a floor too."""
    verdicts = judge(budget("time_to_limit", SECONDS, min="30s", warn="60s"), Reading(value, "test"))
    assert [(one.kind, one.status.value) for one in verdicts] == [("min", "pass"), ("warn", expected)]


def test_each_limit_has_its_own_verdict():
    """max, min, warn and regression are judged apart, in this order."""
    verdicts = judge(budget(max=100, min=10, warn=80, regression="2%"), Reading(90, "test"))
    assert [(one.kind, one.status.value) for one in verdicts] == [
        ("max", "pass"), ("min", "pass"), ("warn", "warn"), ("regression", "no_baseline"),
    ]  # fmt: skip
    assert [one.limit.value for one in verdicts] == [100, 10, 80, 0.02]


def test_over_and_headroom_are_shares_of_the_limit():
    """A broken limit tells by how much it is broken, a kept one how much is left."""
    (broken,) = judge(budget(max=100), Reading(125, "test"))
    assert (broken.over, broken.headroom) == (0.25, None)
    (short,) = judge(budget(min=100), Reading(75, "test"))
    assert (short.over, short.headroom) == (0.25, None)
    (kept,) = judge(budget(max=100), Reading(80, "test"))
    assert (kept.over, kept.headroom, kept.reason) == (None, 0.2, "")


def test_limit_of_zero_is_judged_without_shares():
    """Nothing is a share of 0: a ceiling of 0 passes 0, fails 1, and divides by nothing."""
    (kept,) = judge(budget(max=0), Reading(0, "test"))
    (broken,) = judge(budget(max=0), Reading(1, "test"))
    assert (kept.status, kept.headroom) == (Status.PASS, None)
    assert (broken.status, broken.over) == (Status.FAIL, None)


def test_words_of_a_broken_ceiling():
    """Metric, value, distance and the limit as it was written."""
    (verdict,) = judge(budget(max="1.8GB"), Reading(2.1e9, "test"))
    assert verdict.reason == "peak_rss is 2.10 GB, 300 MB (16.7%) over its limit of 1.8GB"


def test_words_of_a_limit_missed_by_a_hair():
    """One byte over is told as one byte, not as 0.0%."""
    (verdict,) = judge(budget(max="1.8GB"), Reading(1.8e9 + 1, "test"))
    assert verdict.reason == "peak_rss is 1.80 GB, 1.00 B over its limit of 1.8GB"


def test_words_of_a_broken_floor():
    """A floor is undercut, not exceeded."""
    (verdict,) = judge(budget("time_to_limit", SECONDS, min="24h"), Reading(43200, "test"))
    assert verdict.reason == "time_to_limit is 12.0 h, 12.0 h (50.0%) below its floor of 24h"


def test_unavailable_fails_every_limit_with_the_reason():
    """Unmeasured is not passed: no limit, not even a warning or a regression, is met without a value."""
    verdicts = judge(budget(max=100, warn=80, regression="2%"), Unavailable("pprof is not served"))
    assert [one.status for one in verdicts] == [Status.UNAVAILABLE] * 3
    assert all(one.actual is None and one.over is None and one.headroom is None for one in verdicts)
    assert verdicts[0].reason == "peak_rss is unavailable: pprof is not served"
    assert failed(verdicts) == verdicts


def test_missing_baseline_does_not_fail():
    """The first run of a regression limit says so and passes."""
    (verdict,) = judge(budget(regression="2%"), Reading(5, "test"))
    assert (verdict.status, verdict.actual) == (Status.NO_BASELINE, 5)
    assert failed([verdict]) == ()


def test_failed_of_several():
    """Those that broke their limit, in order."""
    verdicts = [*judge(budget(max=100, warn=80), Reading(90, "test")), *judge(budget(max=50), Reading(90, "test"))]
    assert [one.limit.value for one in failed(verdicts)] == [50]


@given(st.integers(1, 10**15), st.sampled_from(["max", "min", "warn"]))
def test_both_sides_of_each_whole_limit(limit, kind):
    """The limit itself passes; one unit beyond it does not, one unit within does."""
    beyond = -1 if kind == "min" else 1
    one = budget(**{kind: limit})
    assert status(one, limit) is Status.PASS
    assert status(one, limit - beyond) is Status.PASS
    if limit < 10**11:
        assert status(one, limit + beyond) is (Status.WARN if kind == "warn" else Status.FAIL)


@given(st.integers(1, 10**6), st.sampled_from(["kB", "MB", "GB", "KiB", "MiB"]))
def test_equal_passes_however_the_limit_was_written(hundredths, suffix):
    """4.35GB means 4 350 000 000 bytes, also where 4.35 * 1e9 misses that in floating point."""
    factor = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20}[suffix]
    exact = hundredths * factor / 100
    written = f"{hundredths // 100}.{hundredths % 100:02d}{suffix}"
    assert status(budget(max=written), exact) is Status.PASS
    assert status(budget(min=written), exact) is Status.PASS


@given(st.floats(0, 1e15), st.floats(0, 1e15), st.sampled_from(["max", "min", "warn"]))
def test_verdict_is_consistent(limit, value, kind):
    """A kept limit has no words and no excess; a broken one has both, and no headroom."""
    (verdict,) = judge(budget(**{kind: limit}), Reading(value, "test"))
    assert verdict.actual == value
    if verdict.status is Status.PASS:
        assert (verdict.over, verdict.reason) == (None, "")
        assert verdict.headroom is None or verdict.headroom >= 0
    else:
        assert verdict.headroom is None
        assert verdict.reason
        assert verdict.over is None or (verdict.over > 0 and not math.isnan(verdict.over))


@pytest.mark.parametrize(
    ("limits", "bounds", "status"),
    [
        ({"max": "150MB"}, (20e6, 45.6e6), Status.PASS),
        ({"max": "45.6MB"}, (20e6, 45.6e6), Status.PASS),
        ({"max": "40MB"}, (20e6, 45.6e6), Status.UNAVAILABLE),
        ({"max": "15MB"}, (20e6, 45.6e6), Status.FAIL),
        ({"min": "15MB"}, (20e6, 45.6e6), Status.PASS),
        ({"min": "30MB"}, (20e6, 45.6e6), Status.UNAVAILABLE),
        ({"min": "50MB"}, (20e6, 45.6e6), Status.FAIL),
        ({"warn": "30MB"}, (20e6, 45.6e6), Status.WARN),
        ({"warn": "50MB"}, (20e6, 45.6e6), Status.PASS),
        ({"regression": "5%"}, (20e6, 45.6e6), Status.NO_BASELINE),
    ],
)
def test_of_what_is_only_bounded_both_bounds_are_judged(limits, bounds, status):
    """A limit that both keep is kept, one that both break is broken, and between them nobody knows."""
    (found,) = judge(budget(**limits), Unavailable("it lies between them; no agent", bounds))
    assert found.status is status
    assert "it lies between them; no agent" in found.reason
    actual = {"max": 45.6e6 if status is Status.PASS else 20e6, "min": 20e6 if status is Status.PASS else 45.6e6}
    if status in (Status.PASS, Status.FAIL):
        assert found.actual == actual.get(found.kind, 45.6e6)
    else:
        assert found.actual is None


@pytest.mark.parametrize(
    ("interval", "expected"), [((64.0, 68.0), "fail"), ((16.0, 90.0), "pass"), ((-2.0, 90.0), "pass")]
)
def test_an_estimate_breaks_a_ceiling_with_its_whole_interval(interval, expected):
    """What is only likely above the limit passes, without any room left."""
    (verdict,) = judge(budget("heap_growth_per_op", BYTES_PER_OP, max="16B"), Reading(66.0, "test", interval=interval))
    assert (verdict.status.value, verdict.actual) == (expected, 66.0)
    if expected == "fail":
        assert verdict.over == pytest.approx(50 / 16)
        assert verdict.reason == (
            "heap_growth_per_op is 66.0 B/op, 50.0 B/op (312%) over its limit of 16B; the interval is 64.0 B/op to "
            "68.0 B/op"
        )
    else:
        assert verdict.headroom == 0.0


@pytest.mark.parametrize(("interval", "expected"), [((3600.0, 7200.0), "fail"), ((3600.0, math.inf), "pass")])
def test_an_estimate_breaks_a_floor_with_its_whole_interval(interval, expected):
    """A test that is too short to show a day does not fail for that."""
    limits = {"min": "24h", "warn": "48h"}
    verdicts = judge(budget("time_to_limit", SECONDS, **limits), Reading(3600.0, "test", interval=interval))
    assert [one.status.value for one in verdicts] == [expected, "warn" if expected == "fail" else "pass"]


def test_an_estimate_well_below_its_limit_has_headroom():
    """As any other figure has."""
    (verdict,) = judge(budget("heap_growth_per_op", BYTES_PER_OP, max="16B"), Reading(4, "test", interval=(1, 8)))
    assert (verdict.status, verdict.headroom) == (Status.PASS, 0.75)
