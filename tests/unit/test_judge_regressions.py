"""Which metrics are compared with another side, and the verdicts that come of it."""

from __future__ import annotations

from typing import Any

import pytest
from report_samples import window

from pytest_gomem.base.errors import Place
from pytest_gomem.comparison.compare import is_decided
from pytest_gomem.comparison.strategy import Looks
from pytest_gomem.config.budgets import Budget, parse_budget
from pytest_gomem.judge.regressions import BY_DEFAULT, regression_verdicts
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.stats.decision import Status

METRICS = {metric.name: metric for metric in builtin_metrics()}
UNITS = Registry(builtin_metrics()).units()
BASE = [{"live_heap": 60e6 + at * 1e3, "peak_rss": 80e6 + at * 1e5, "goroutines": 12.0} for at in range(3)]


def rounds(**factors: float) -> list[dict[str, float]]:
    """The base rounds with some metrics multiplied."""
    return [{name: value * factors.get(name, 1.0) for name, value in one.items()} for one in BASE]


def budget(metric: str, limit: object) -> tuple[Budget, ...]:
    return parse_budget(metric, limit, units=UNITS, scope="tests glob", place=Place("gomem.yaml", 3, metric))


def judged(
    new: list[dict[str, float]], *budgets: Budget, base: list[dict[str, float]] = BASE, **how: Any
) -> dict[str, Verdict]:
    found = regression_verdicts(budgets, METRICS, base, new, against="main (1a2b3c)", **how)
    return {verdict.budget.metric: verdict for verdict in found}


def test_defaults_are_compared_without_any_budget() -> None:
    """Of the primary metrics those that some side measured; equal sides pass without a word."""
    found = judged(rounds())
    assert set(found) == {"live_heap", "peak_rss", "goroutines"}
    assert {(v.status, v.reason, v.kind) for v in found.values()} == {(Status.PASS, "", "regression")}
    assert {v.budget.scope for v in found.values()} == {BY_DEFAULT}
    assert (found["live_heap"].baseline, found["live_heap"].change) == (60_001_000.0, 0.0)


def test_what_is_not_comparable_is_shown_and_fails_nothing() -> None:
    """Whether a budget asked for it or not, under --gomem-strict too."""
    old = [{name: value for name, value in one.items() if name != "peak_rss"} for one in BASE]
    why = {"peak_rss": "recorded before peaks opened on returned memory"}
    for budgets in ((), budget("peak_rss", {"regression": "5%"})):
        found = judged(rounds(peak_rss=9.0), *budgets, base=old, not_comparable=why, strict=True)["peak_rss"]
        assert found.status is Status.NO_BASELINE
        assert found.reason == "peak_rss is not comparable: recorded before peaks opened on returned memory"
        assert (found.actual, found.baseline, found.rounds) == (80.1e6 * 9, None, None)
    unmeasured = [{"live_heap": 60e6}] * 3
    asked = budget("peak_rss", {"regression": "5%"})
    found = judged(unmeasured, *asked, base=old, not_comparable=why, missing={"peak_rss": "no kernel"})["peak_rss"]
    assert found.status is Status.UNAVAILABLE, "a budget on what was not measured fails"


def test_a_metric_of_which_only_bounds_are_known_is_shown_and_compared_with_nothing() -> None:
    """Of either side, or of both: no figure of it is among the rounds."""
    bounded = [{"live_heap": 60e6}] * 3
    why = {"peak_rss": "it lies between 20.0 MB and 52.0 MB"}
    for new, base in ((bounded, bounded), (bounded, BASE), (rounds(), bounded)):
        for budgets in ((), budget("peak_rss", {"regression": "5%"})):
            found = judged(list(new), *budgets, base=list(base), not_comparable=why)["peak_rss"]
            assert found.status is Status.NO_BASELINE
            assert found.reason == "peak_rss is not comparable: it lies between 20.0 MB and 52.0 MB"


def test_what_was_too_noisy_for_the_base_is_spoken_of_where_a_budget_asked() -> None:
    """It cannot be judged, which fails under --gomem-strict; by default nothing is said of it."""
    base = [{name: value for name, value in one.items() if name != "peak_rss"} for one in BASE]
    why = {"peak_rss": "it scattered from 136.0 MB to 188.0 MB"}
    assert "peak_rss" not in judged(rounds(), base=base, left_out=why, strict=True)
    asked = budget("peak_rss", {"regression": "5%"})
    for strict, status in ((False, Status.NO_BASELINE), (True, Status.UNAVAILABLE)):
        found = judged(rounds(), *asked, base=base, left_out=why, strict=strict)["peak_rss"]
        assert found.status is status
        assert found.reason == "peak_rss cannot be judged: it scattered from 136.0 MB to 188.0 MB"


def test_a_worsening_says_by_how_much_against_what_and_in_how_many_rounds() -> None:
    """live_heap 2% up fails by default, and its verdict holds every figure."""
    verdict = judged(rounds(live_heap=1.02))["live_heap"]
    assert verdict.status is Status.FAIL
    assert verdict.over == pytest.approx(0.02)
    assert verdict.change == pytest.approx(1.2e6, rel=1e-3)
    assert verdict.interval is not None
    assert verdict.interval[0] < 1.2e6 < verdict.interval[1]
    assert verdict.reason == ("live_heap is 1.20 MB (+2.00%) worse than at main (1a2b3c): 61.2 MB, was 60.0 MB")
    better = judged(rounds(live_heap=0.9))["live_heap"]
    assert better.status is Status.IMPROVED
    assert " better than at " in better.reason


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
    """Lost on either side: nothing to compare, which fails nothing unless a budget or --gomem-strict asked for it."""
    without = [{name: value for name, value in one.items() if name != "live_heap"} for one in BASE]
    found = judged(without, missing={"live_heap": "no full GC ended in the window"})["live_heap"]
    assert (found.status, found.actual, found.rounds) == (Status.NO_BASELINE, None, (3, 0))
    assert found.reason == "live_heap was not compared: no full GC ended in the window"
    strict = judged(without, missing={"live_heap": "no full GC"}, strict=True)["live_heap"]
    assert (strict.status, strict.reason) == (Status.UNAVAILABLE, "live_heap is unavailable: no full GC")
    assert judged(without, *budget("live_heap", {"regression": "1%"}))["live_heap"].status is Status.UNAVAILABLE
    assert judged(rounds(), base=without)["live_heap"].status is Status.NO_BASELINE
    assert judged([BASE[0], *without[1:]])["live_heap"].reason.endswith("it was not measured in every round")
    assert "live_heap" not in judged(without, base=without)
    asked = judged(without, *budget("live_heap", {"regression": "1%"}), base=without)["live_heap"]
    assert (asked.status, asked.actual) == (Status.UNAVAILABLE, None)


def test_too_noisy_to_tell_says_what_it_would_take() -> None:
    """Rounds that overlap, though their medians lie apart, are no verdict."""
    base = [{"live_heap": value} for value in (60e6, 60.1e6, 60.2e6)]
    new = [{"live_heap": value} for value in (60.15e6, 61e6, 61.1e6)]
    verdict = judged(new, base=base)["live_heap"]
    assert verdict.status is Status.NOISY
    assert verdict.reason.startswith("live_heap is 900 kB (+1.50%) worse than at main (1a2b3c): ")
    assert "which is too noisy to tell: " in verdict.reason
    assert f"; {verdict.rounds_needed} rounds of each side could decide" in verdict.reason


@pytest.mark.parametrize("kept", [3, 5, 8, 20])
@pytest.mark.parametrize("grown", [1.5, 1.01])
def test_a_kept_baseline_of_any_size_leaves_the_first_look_open(kept: int, grown: float) -> None:
    """More of live heap after one round: two more tell it, however many rounds the baseline has, and 8 bear it out."""
    base = [{"live_heap": 60e6 + at * 1e3} for at in range(kept)]
    new = [{"live_heap": 60e6 * grown + at * 1e3} for at in range(8)]

    def look(rounds: int) -> tuple[Verdict, bool]:
        found = regression_verdicts((), METRICS, base, new[:rounds], against="main", base_grows=False)
        return found[0], is_decided([window(verdicts=found)], METRICS, Looks(8))

    first, decided = look(1)
    assert (first.status, decided, first.rounds_needed) == (Status.NOISY, False, 3)
    assert f"; 3 rounds {'of each side' if kept == 3 else f'against {kept}'} could decide" in first.reason
    second, decided = look(3)
    assert (second.status, decided) == (Status.FAIL, False), "a test fails only when all rounds have borne it out"
    assert [look(rounds)[1] for rounds in (5, 8)] == [False, True]
    if kept == 20:
        base[:] = base[:2]
        first, decided = look(1)
        assert (first.rounds_needed, decided) == (3, True), "a baseline of two rounds never fails, whatever runs"


FUNCTION = "alloc_space[main.encode*]"


def made(*values: float, interval: float = 0.0, name: str = FUNCTION) -> list[dict[str, float]]:
    """Rounds of what functions made, each with the interval of its estimate."""
    return [{name: value, f"{name} interval": interval} for value in values]


def on_functions(limit: object) -> tuple[Budget, ...]:
    return budget("alloc_space", {"main.encode*": limit})


FIVE = on_functions({"regression": "5%"})
TEN_MB = made(10e6, 10.001e6, 10.002e6)


def test_what_functions_make_is_compared_where_a_budget_says_regression() -> None:
    """20% more fails and names the functions, 20% less is better, and without `regression` nothing is compared."""
    worse = made(12e6, 12.001e6, 12.002e6)
    (verdict,) = judged(worse, *FIVE, base=TEN_MB).values()
    assert (verdict.status, verdict.budget.function, verdict.budget.scope) == (
        Status.FAIL,
        "main.encode*",
        "tests glob",
    )
    assert verdict.reason.startswith(
        f"{FUNCTION} is 2.00 MB (+20.0%) worse than at main (1a2b3c): 12.0 MB, was 10.0 MB"
    )
    assert verdict.over == pytest.approx(0.2, rel=1e-3)
    assert judged(TEN_MB, *FIVE, base=worse)["alloc_space"].status is Status.IMPROVED
    assert judged(TEN_MB, *FIVE, base=TEN_MB)["alloc_space"].status is Status.PASS
    assert judged(worse, *on_functions({"regression": "30%"}), base=TEN_MB)["alloc_space"].status is Status.PASS
    assert judged(worse, *on_functions("10MB"), base=TEN_MB) == {}


@pytest.mark.parametrize("sides", [(600e3, 600e3), (600e3, 0.0), (0.0, 600e3)])
def test_sampling_is_the_prior_of_an_estimates_scatter(sides: tuple[float, float]) -> None:
    """Six sigmas of the less sure side, whatever the rounds happen to show; sampled as finely as it takes, it fails."""
    base, new = (made(value, value, value, interval=width) for value, width in zip((10e6, 11.7e6), sides, strict=True))
    verdict = judged(new, *FIVE, base=base)["alloc_space"]
    assert verdict.status is Status.NOISY
    assert "sampling alone leaves +- 600 kB, which a finer profile_rate narrows" in verdict.reason
    finer = [made(value, value, value, interval=200e3) for value in (10e6, 11.7e6)]
    assert judged(finer[1], *FIVE, base=finer[0])["alloc_space"].status is Status.FAIL


def test_functions_that_one_side_did_not_measure() -> None:
    """Flat and cumulative figures are not each other's; a budget asked for them, so that unmeasured is not passed."""
    cum = on_functions({"regression": "5%", "cum": True})
    found = judged(made(1e6, 1e6, 1e6, name=f"{FUNCTION} cum"), *cum, base=TEN_MB)["alloc_space"]
    assert (found.status, found.rounds) == (Status.NO_BASELINE, (0, 3))
    assert judged(TEN_MB, *cum, base=TEN_MB)["alloc_space"].status is Status.UNAVAILABLE
    assert judged([*TEN_MB[:2], {}], *FIVE, base=TEN_MB)["alloc_space"].status is Status.UNAVAILABLE


def test_functions_share_the_error_rate_with_the_metrics() -> None:
    """One more figure is judged: the same change must stand out a little further."""
    both = [{"live_heap": 60e6 + at * 1e6, **other} for at, other in enumerate(TEN_MB)]
    alone, shared = judged(both, base=both)["live_heap"], judged(both, *FIVE, base=both)["live_heap"]
    assert alone.smallest_visible is not None
    assert shared.smallest_visible is not None
    assert shared.smallest_visible > alone.smallest_visible
