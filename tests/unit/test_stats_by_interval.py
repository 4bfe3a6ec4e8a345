"""Comparisons of estimates: by the intervals of their rounds."""

from __future__ import annotations

import math

import pytest

from pytest_gomem.base.errors import Place
from pytest_gomem.base.units import RATIO, parse_quantity
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.regressions import regression_verdicts
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.stats.by_interval import figures_of

METRICS = {metric.name: metric for metric in Registry(builtin_metrics())}


def rounds(name, *estimates):
    """Each (value, low, high)."""
    return [
        {name: value, **{key: bound for key, bound in figures_of(name, (low, high)).items() if math.isfinite(bound)}}
        for value, low, high in estimates
    ]


def verdict(name, base, head, tolerance="10%"):
    limit = parse_quantity(tolerance, RATIO)
    budget = Budget(name, None, None, None, limit, "", "marker", Place("test_it.py", 3))
    found = regression_verdicts(
        [budget], {name: METRICS[name]}, rounds(name, *base), rounds(name, *head), against="main"
    )
    (one,) = (each for each in found if each.budget is budget)
    return one


PER_OP = "heap_growth_per_op"


@pytest.mark.parametrize(
    ("base", "head", "expected"),
    [
        ((0.2, -2, 3), (64, 62, 66), "fail"),  # a new leak
        ((64, 62, 66), (64.5, 62, 67), "pass"),  # the slope was there before
        ((64, 62, 66), (68, 67, 70), "pass"),  # steeper, within the tolerance
        ((64, 62, 66), (80, 78, 82), "fail"),
        ((64, 50, 80), (84, 66, 99), "noisy"),  # steeper, but the intervals overlap
        ((0.2, -9, 9), (5, -4, 12), "pass"),  # no growth on either side: the slopes say nothing
        ((-3, -9, 2), (0.1, -4, 5), "pass"),
        ((64, 62, 66), (0.2, -2, 3), "improved"),
    ],
)
def test_a_slope_is_compared_by_its_interval(base, head, expected):
    """Worse is what lies apart from it, by more than the tolerance."""
    found = verdict(PER_OP, [base] * 8, [head] * 8)
    assert found.status.value == expected
    assert (found.baseline, found.actual) == (base[0], head[0])
    assert found.interval == (head[1] - base[2], head[2] - base[1])


def test_each_round_must_lie_apart():
    """One that does not is enough to leave it open."""
    found = verdict(PER_OP, [(10, 9, 11)] * 8, [(64, 62, 66)] * 7 + [(20, 5, 35)])
    assert (found.status.value, found.reason.rpartition(": ")[2]) == ("noisy", "the intervals of the two sides overlap")


def test_few_rounds_are_suspect_and_fail_nothing():
    """More of them run then."""
    found = verdict(PER_OP, [(1, -1, 3)] * 8, [(64, 62, 66)])
    assert (found.status.value, found.is_suspect) == ("noisy", True)


def test_time_to_a_limit_gets_worse_as_it_gets_shorter():
    """Without growth it has no end, and is never worse."""
    name = "time_to_limit"
    day = 86400.0
    assert verdict(name, [(9 * day, 9 * day, math.inf)] * 8, [(day, 0.9 * day, 1.1 * day)] * 8).status.value == "fail"
    assert verdict(name, [(day, 0.9 * day, 1.1 * day)] * 8, [(9 * day, 9 * day, math.inf)] * 8).status.value in (
        "improved",
        "pass",
    )
    endless = [(9 * day, 9 * day, math.inf)] * 8
    assert verdict(name, endless, [(5 * day, 5 * day, math.inf)] * 8).status.value == "pass"
