"""Which metrics are compared with another side, and the verdicts that come of it."""

from __future__ import annotations

import pytest

from pytest_gomem.config.budgets import Budget, parse_budget
from pytest_gomem.errors import Place
from pytest_gomem.judge.regressions import BY_DEFAULT, regression_verdicts
from pytest_gomem.judge.verdict import Status, Verdict
from pytest_gomem.measure.registry import Registry, builtin_metrics

METRICS = {metric.name: metric for metric in builtin_metrics()}
UNITS = Registry(builtin_metrics()).units()
BASE = [{"live_heap": 60e6 + at * 1e3, "peak_rss": 80e6 + at * 1e5, "goroutines": 12.0} for at in range(3)]


def rounds(**factors: float) -> list[dict[str, float]]:
    """The base rounds with some metrics multiplied."""
    return [{name: value * factors.get(name, 1.0) for name, value in one.items()} for one in BASE]


def budget(metric: str, limit: object) -> tuple[Budget, ...]:
    return parse_budget(metric, limit, units=UNITS, scope="tests glob", place=Place("gomem.yaml", 3, metric))


def judged(
    new: list[dict[str, float]], *budgets: Budget, base: list[dict[str, float]] = BASE, ops: int | None = None
) -> dict[str, Verdict]:
    found = regression_verdicts(budgets, METRICS, base, new, against="main (1a2b3c)", ops=ops)
    return {verdict.budget.metric: verdict for verdict in found}


def test_defaults_are_compared_without_any_budget() -> None:
    """Of the primary metrics those that some side measured; equal sides pass without a word."""
    found = judged(rounds())
    assert set(found) == {"live_heap", "peak_rss", "goroutines"}
    assert {(v.status, v.reason, v.kind) for v in found.values()} == {(Status.PASS, "", "regression")}
    assert {v.budget.scope for v in found.values()} == {BY_DEFAULT}
    assert (found["live_heap"].baseline, found["live_heap"].change) == (60_001_000.0, 0.0)


def test_a_worsening_says_by_how_much_against_what_and_in_how_many_rounds() -> None:
    """live_heap 2% up fails by default, and its verdict holds every figure."""
    verdict = judged(rounds(live_heap=1.02))["live_heap"]
    assert verdict.status is Status.FAIL
    assert verdict.over == pytest.approx(0.02)
    assert verdict.change == pytest.approx(1.2e6, rel=1e-3)
    assert verdict.interval is not None
    assert verdict.interval[0] < 1.2e6 < verdict.interval[1]
    assert verdict.reason == (
        "live_heap is worse than at main (1a2b3c) by 1.20 MB (+2.00%): 60.0 MB -> 61.2 MB, 3 rounds of each side, "
        "95% sure of +1.96% to +2.04%"
    )
    better = judged(rounds(live_heap=0.9))["live_heap"]
    assert better.status is Status.IMPROVED
    assert "is better than at" in better.reason


def test_a_budget_sets_the_tolerance_and_adds_metrics() -> None:
    """`regression: 5%` lets 2% pass, and judges a metric that is not compared by default."""
    base = [{**one, "end_rss": 70e6} for one in BASE]
    new = [{**one, "end_rss": 90e6} for one in rounds(live_heap=1.02)]
    budgets = (*budget("live_heap", {"regression": "5%"}), *budget("end_rss", {"regression": "1%", "max": "1GB"}))
    found = judged(new, *budgets, base=base)
    assert found["live_heap"].status is Status.PASS
    assert found["end_rss"].status is Status.FAIL
    assert found["end_rss"].budget.place.line == 3


def test_what_one_side_did_not_measure() -> None:
    """Lost on the new side: unavailable, which fails. Lost on the base: nothing to compare with, which does not."""
    without = [{name: value for name, value in one.items() if name != "live_heap"} for one in BASE]
    assert judged(without)["live_heap"].status is Status.UNAVAILABLE
    assert judged(rounds(), base=without)["live_heap"].status is Status.NO_BASELINE
    assert judged([BASE[0], *without[1:]])["live_heap"].status is Status.UNAVAILABLE
    assert "live_heap" not in judged(without, base=without)
    asked = judged(without, *budget("live_heap", {"regression": "1%"}), base=without)["live_heap"]
    assert (asked.status, asked.actual) == (Status.UNAVAILABLE, None)


def test_too_noisy_to_tell_says_what_it_would_take() -> None:
    """Rounds that overlap, though their medians lie apart, are no verdict."""
    base = [{"live_heap": value} for value in (60e6, 60.1e6, 60.2e6)]
    new = [{"live_heap": value} for value in (60.15e6, 61e6, 61.1e6)]
    verdict = judged(new, base=base)["live_heap"]
    assert verdict.status is Status.NOISY
    assert verdict.reason.startswith("live_heap is worse than at main (1a2b3c) by 900 kB")
    assert "which is too noisy to tell: " in verdict.reason
    assert f"; {verdict.rounds_needed} rounds of each side could tell" in verdict.reason
