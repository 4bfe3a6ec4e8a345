"""Budgets on phases: how they are read, ranked and judged."""

from __future__ import annotations

import pytest

from pytest_gomem.base.errors import ConfigErrors, Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import BYTES, COUNT
from pytest_gomem.config.budgets import parse_budget
from pytest_gomem.config.gomem_yaml import BudgetTable
from pytest_gomem.judge.decide import judge_phase
from pytest_gomem.judge.precedence import resolve
from pytest_gomem.measure.metric import Reading
from pytest_gomem.stats.decision import Status

UNITS = {"peak_rss": BYTES, "live_heap": BYTES, "ops": COUNT}


def budgets(written: object, scope: str = "tests glob"):
    return parse_budget("phases", written, units=UNITS, scope=scope, place=Place("gomem.yaml", 7, "phases"))


def test_each_metric_of_each_phase():
    """With the phase, and the place of each limit."""
    read = budgets({"login": {"peak_rss": "50MB", "ops": {"min": 3}}, "logout": {"peak_rss": "60MB"}})
    assert [(one.phase, one.metric) for one in read] == [
        ("login", "peak_rss"),
        ("login", "ops"),
        ("logout", "peak_rss"),
    ]
    assert str(read[0].place).endswith("phases.login.peak_rss")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"login": {"peak_rrs": "1MB"}}, "unknown metric 'peak_rrs'"),
        ({"login": {"alloc_space": {"main.*": "1MB"}}}, "alloc_space cannot be budgeted in a phase"),
        ({"login": {"phases": {"x": {"ops": 1}}}}, "phases cannot be budgeted in a phase"),
        ({"login": {"peak_rss": {"regression": "2%"}}}, "a phase has no baseline"),
        ({"login#2": {"ops": 1}}, "is not the name of a phase"),
        ({"": {"ops": 1}}, "is not the name of a phase"),
        ("50MB", "expected a mapping"),
        ({"login": "50MB"}, "expected a mapping"),
    ],
)
def test_mistakes(written, message):
    """Each is told in its words."""
    with pytest.raises(ConfigErrors, match=message):
        budgets(written)


def test_rank_is_by_phase():
    """The closest budget on the metric of that phase; the window's own budget is another."""
    marker = budgets({"login": {"peak_rss": "1MB"}}, "marker on function")
    whole = parse_budget("peak_rss", "9MB", units=UNITS, scope="defaults", place=Place())
    table = BudgetTable(defaults=(*whole, *budgets({"login": {"peak_rss": "2MB", "ops": 5}}, "defaults")))
    chosen = {(one.phase, one.metric): one.scope for one in resolve("t.py::test_a", "api", (marker,), table)}
    assert chosen == {
        ("", "peak_rss"): "defaults",
        ("login", "ops"): "defaults",
        ("login", "peak_rss"): "marker on function",
    }


def test_every_phase_of_the_name_is_judged():
    """Each with its own name and value."""
    (budget,) = budgets({"login": {"peak_rss": "50MB"}})
    phases = {name: {"peak_rss": Reading(v, "kernel")} for name, v in (("login", 4e7), ("login#2", 6e7), ("log", 9e7))}
    kept, broken = judge_phase(budget, phases)
    assert (kept.status, kept.budget.phase) == (Status.PASS, "login")
    assert (broken.status, broken.budget.phase) == (Status.FAIL, "login#2")
    assert broken.reason.startswith("peak_rss of phase 'login#2' is 60.0 MB")


def test_a_phase_that_was_not_there():
    """Is unmeasured where it was meant for this test, and nothing where it was for windows of all sorts."""
    (budget,) = budgets({"login": {"peak_rss": "50MB"}})
    (verdict,) = judge_phase(budget, {"other": {"peak_rss": Unavailable("")}})
    assert verdict.status is Status.UNAVAILABLE
    assert "there was no such phase" in verdict.reason
    for scope in ("defaults", "services"):
        (budget,) = budgets({"login": {"peak_rss": "50MB"}}, scope)
        assert judge_phase(budget, {}) == ()
