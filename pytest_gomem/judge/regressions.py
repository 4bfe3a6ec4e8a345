"""Compares a window's metrics with the other side, and gives a verdict for each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from types import MappingProxyType

from pytest_gomem.base.errors import Place
from pytest_gomem.base.units import RATIO, Quantity, format_value
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.figures import figure_metric, figure_of
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Better, Metric
from pytest_gomem.stats.by_clock import by_clock
from pytest_gomem.stats.by_interval import Bounds
from pytest_gomem.stats.decision import ENOUGH, PRIMARY, Comparison, Status, compare, decisions_of

REGRESSION = "regression"
BY_DEFAULT = "compared by default"  # the scope of a comparison that no budget asked for

_NOT_ALWAYS = "it was not measured in every round"

Figures = Mapping[str, float]  # the figures of one round, by metric, those of functions too


def regression_verdicts(
    budgets: Iterable[Budget],
    metrics: Mapping[str, Metric],
    base: Sequence[Figures],
    head: Sequence[Figures],
    *,
    against: str,
    ops: int | None = None,
    base_grows: bool = True,
    missing: Mapping[str, str] = MappingProxyType({}),
    not_comparable: Mapping[str, str] = MappingProxyType({}),
    left_out: Mapping[str, str] = MappingProxyType({}),
    strict: bool = False,
    lone: str = "",
    enough: int = ENOUGH,
    beside: Iterable[str] = (),
) -> tuple[Verdict, ...]:
    """The verdict of each compared figure: those with a `regression` limit, and by default PRIMARY.

    base, head: the rounds of each side. against: the base's name in messages: "origin/main (1a2b3c)".
    base_grows, enough: see `compare`. missing: why the head has no figure of a metric; a side has measured a metric if
    every round has it. lone: why more rounds of the head would not help, "" if they would.
    not_comparable: metrics that do not compare, with the reason. They are shown and fail nothing.
    left_out: metrics that were too noisy for the base, with the reason. They are shown only if a budget asks for them,
    and then fail under `strict`.
    A metric that no budget asks for gets no verdict if neither side measured it, and NO_BASELINE if one did not. If a
    budget asks for it, or under `strict`, it is UNAVAILABLE without a figure of the head, which fails.
    beside: figures that are judged by other rounds, and share the test's rate of false alarms.
    """
    asked = {figure_of(budget): budget for budget in budgets if budget.regression is not None}
    metrics = {**metrics, **_of_globs(asked, [*base, *head])}
    compared = partial(compare, ops=ops, base_grows=base_grows, enough=enough)
    sides = _Sides(base, head, against, compared, missing, not_comparable, left_out, strict, lone)
    judged = sides.judged(asked, metrics)
    family = [metrics[name] for name in judged if name not in {*not_comparable, *left_out}]
    family += [metric for name in beside if (metric := metrics.get(name) or figure_metric(name, ())) is not None]
    return tuple(
        sides.verdict(name, metrics[name], budget, decisions_of(metrics[name], family), is_asked=name in asked)
        for name, budget in judged.items()
    )


@dataclass(frozen=True)
class _Sides:
    """The rounds of two sides, and what is known about them: see `regression_verdicts`.

    compared: `compare` with the arguments that are the same for all metrics.
    """

    base: Sequence[Figures]
    head: Sequence[Figures]
    against: str
    compared: Callable[..., Comparison]
    missing: Mapping[str, str]
    not_comparable: Mapping[str, str]
    left_out: Mapping[str, str]
    strict: bool
    lone: str

    def judged(self, asked: Mapping[str, Budget], metrics: Collection[str]) -> dict[str, Budget]:
        """The metrics that get a verdict, each with its budget: all that were asked for, and some of PRIMARY."""
        chosen = {name: asked.get(name) or _by_default(name) for name in (*PRIMARY, *asked) if name in metrics}
        return {name: budget for name, budget in chosen.items() if name in asked or self._is_shown(name)}

    def _is_shown(self, name: str) -> bool:
        is_measured = any(in_every_round(name, side) for side in (self.base, self.head))
        return name in self.not_comparable or (is_measured and name not in self.left_out)

    def verdict(self, name: str, metric: Metric, budget: Budget, decisions: int, *, is_asked: bool) -> Verdict:
        """decisions: see `compare`. is_asked: a budget asks for it."""
        before, now = in_every_round(name, self.base), in_every_round(name, self.head)
        if name in self.not_comparable and name not in self.missing:
            return _incomparable(budget, now, f"is not comparable: {self.not_comparable[name]}")
        if now and name in self.left_out:
            return _incomparable(budget, now, f"cannot be judged: {self.left_out[name]}", fails=self.strict)
        tolerance, clock = _limit(budget).value, by_clock(name, self.base, self.head)
        bounds = (Bounds.of(name, self.base), Bounds.of(name, self.head)) if metric.has_interval else None
        found = self.compared(
            metric, before, now, tolerance, decisions=decisions, is_asked=is_asked, by_clock=clock, bounds=bounds
        )
        if found.head is None:
            return _unmeasured(found, budget, self.missing.get(name, _NOT_ALWAYS), fails=self.strict or is_asked)
        return verdict_of(_doubted(found, metric, budget, self.lone), metric, budget, self.against)


def _of_globs(names: Iterable[str], rounds: Sequence[Figures]) -> dict[str, Metric]:
    found = ((name, figure_metric(name, rounds)) for name in names)
    return {name: metric for name, metric in found if metric is not None}


def _doubted(found: Comparison, metric: Metric, budget: Budget, lone: str) -> Comparison:
    """The comparison; if it is too noisy for want of samples or of rounds that cannot be run, it says so."""
    if lone and found.status is Status.NOISY:
        found = replace(found, reason=lone, rounds_needed=None, base_needed=None, is_suspect=False)
    if budget.glob and found.reason and metric.precision:
        found = replace(found, reason=f"{found.reason}; {metric.precision}")
    return found


def in_every_round(name: str, rounds: Sequence[Figures]) -> tuple[float, ...]:
    """A figure of each round; () if one of them has none."""
    found = tuple(one[name] for one in rounds if name in one)
    return found if len(found) == len(rounds) else ()


def _by_default(metric: str) -> Budget:
    tolerance = PRIMARY[metric]
    limit = Quantity(tolerance, RATIO, f"{tolerance:.3g}" if not tolerance else f"{tolerance * 100:g}%")
    return Budget(metric, None, None, None, limit, "", BY_DEFAULT, Place(key=metric))


def _limit(budget: Budget) -> Quantity:
    assert budget.regression is not None
    return budget.regression


def verdict_of(found: Comparison, metric: Metric, budget: Budget, against: str) -> Verdict:
    """A comparison as the verdict on a `regression` limit.

    over: the worsening as a ratio of the base; None if it is none, or the base is 0.
    """
    status = found.status
    over = abs(found.ratio) if status is Status.FAIL and found.ratio is not None else None
    return Verdict(
        budget,
        _limit(budget),
        REGRESSION,
        found.head,
        status,
        over=over,
        reason=_words(found, metric, against, status),
        baseline=found.base,
        change=found.change,
        interval=found.interval,
        rounds_needed=found.rounds_needed,
        rounds=found.rounds,
        smallest_visible=found.smallest_visible,
        is_suspect=found.is_suspect,
    )


def _unmeasured(found: Comparison, budget: Budget, why: str, *, fails: bool) -> Verdict:
    """The verdict without a figure of the head. A metric compared by default breaks no limit then."""
    return Verdict(
        budget,
        _limit(budget),
        REGRESSION,
        None,
        Status.UNAVAILABLE if fails else Status.NO_BASELINE,
        reason=f"{found.metric} is unavailable: {why}" if fails else f"{found.metric} was not compared: {why}",
        baseline=found.base,
        rounds=found.rounds,
    )


def _incomparable(budget: Budget, head: Sequence[float], why: str, *, fails: bool = False) -> Verdict:
    return Verdict(
        budget,
        _limit(budget),
        REGRESSION,
        median(head) if head else None,
        Status.UNAVAILABLE if fails else Status.NO_BASELINE,
        reason=f"{budget.metric} {why}",
    )


def _words(found: Comparison, metric: Metric, against: str, status: Status) -> str:
    if status is Status.PASS:
        return ""
    if found.base is None:
        return f"{found.metric} was not measured in every round of {against}: there is nothing to compare with"
    if status is Status.NOISY:
        return f"{_change(found, metric, against)}, which is too noisy to tell: {found.reason}{_needed(found)}"
    of_it = f"; {found.reason}" if found.reason else ""
    return f"{_change(found, metric, against)}{of_it}"


def _needed(found: Comparison) -> str:
    if found.rounds_needed is None:
        return ""
    if found.base_needed == found.rounds_needed:
        return f"; {found.rounds_needed} rounds of each side could decide"
    return f"; {found.rounds_needed} rounds against {found.base_needed} could decide"


def _change(found: Comparison, metric: Metric, against: str) -> str:
    assert found.base is not None
    assert found.head is not None
    assert found.change is not None
    base, head = format_value(found.base, metric.unit), format_value(found.head, metric.unit)
    share = f" ({signed(found.ratio)})" if found.ratio is not None else ""
    worse = (found.change > 0) == (metric.better is Better.LOWER)
    size = format_value(abs(found.change), metric.unit)
    return f"{found.metric} is {size}{share} {'worse' if worse else 'better'} than at {against}: {head}, was {base}"


def change_text(found: Comparison) -> str:
    """The change as a share of the base, with its interval: "+1.00% (+0.98% to +1.02%)"."""
    change = "from nothing" if found.ratio is None else signed(found.ratio)
    interval = interval_text(found.base, found.interval)
    return f"{change} ({interval})" if interval else change


def interval_text(base: float | None, interval: tuple[float, float] | None) -> str:
    """The interval of a change as shares of the base: "+0.98% to +1.02%"; "" if there is none."""
    if interval is None or not base:
        return ""
    low, high = (signed(bound / abs(base)) for bound in interval)
    return low if low == high else f"{low} to {high}"


def signed(ratio: float) -> str:
    """A ratio as a signed percentage with two decimals, one from 10% on, and none from 100%."""
    points = ratio * 100
    digits = 2 if abs(points) < 10 else 1 if abs(points) < 100 else 0
    text = f"{points:+.{digits}f}%"
    return "0%" if float(text[:-1]) == 0 else text
