"""Decides how tight each budget can be: what was measured plus the smallest visible change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_gomem.base.units import Quantity, format_value, parse_quantity
from pytest_gomem.comparison.visible import smallest_visible
from pytest_gomem.config.budgets import Budget
from pytest_gomem.measure.metric import Metric, Noise
from pytest_gomem.stats.decision import PRIMARY
from pytest_gomem.tighten.coverage import Covered
from pytest_gomem.tighten.known_figures import Known
from pytest_gomem.tighten.spelling import respelled

_SHOWN = 3


@dataclass(frozen=True)
class Reach:
    """The window that needs most room. worst: the figure of its worst round. visible: its smallest visible change."""

    window: Known
    worst: float
    rounds: int
    visible: float


@dataclass(frozen=True)
class NewLimit:
    """One limit of a budget. kind: max, min or warn. written: how it is spelled from now on."""

    kind: str
    old: Quantity
    written: str


@dataclass(frozen=True)
class Tighter:
    """A budget with its new limits, and the window that decides them."""

    budget: Budget
    limits: tuple[NewLimit, ...]
    by: Reach


@dataclass(frozen=True)
class Stays:
    """A budget that stays as it is, and why. is_news: whether that may surprise."""

    budget: Budget
    why: str
    is_news: bool = True


Decision = Tighter | Stays


def decisions(covered: Sequence[Covered], metrics: Mapping[str, Metric]) -> Iterator[Decision]:
    """One for each budget with a limit that can be tightened; `regression` alone is none."""
    for one in covered:
        if _limits(one.budget):
            yield _decided(one, metrics)


def _limits(budget: Budget) -> dict[str, Quantity]:
    named = {"max": budget.max, "min": budget.min, "warn": budget.warn}
    return {kind: limit for kind, limit in named.items() if limit is not None}


def _decided(covered: Covered, metrics: Mapping[str, Metric]) -> Decision:
    budget = covered.budget
    why = _why_not(covered, metrics)
    if why:
        return Stays(budget, why)
    metric = metrics[budget.metric]
    found: list[NewLimit] = []
    reasons: list[str] = []
    decisive: Reach | None = None
    for kinds in _sides(budget):
        reach = _reach(covered.windows, metric, up=kinds[-1] == "max")
        new = _new_limits(budget, kinds, reach)
        if isinstance(new, str):
            reasons.append(new)
        else:
            found += new
            decisive = decisive or reach
    if decisive is None:
        return Stays(budget, "; ".join(reasons), is_news=False)
    return Tighter(budget, tuple(found), decisive)


def _why_not(covered: Covered, metrics: Mapping[str, Metric]) -> str:
    budget, metric = covered.budget, metrics.get(covered.budget.metric)
    if budget.glob:
        return f"budgets on {'types' if budget.type else 'functions'} are estimates of observed rounds: left to you"
    if metric is None:
        return "it is not measured yet"
    if metric.has_interval:
        return "it is an estimate with an interval: left to you"
    if metric.noise is Noise.NOISY:
        return "it is noisy: no change of a few rounds can be told from chance"
    if not covered.tests:
        return "it judges no test that was collected"
    if covered.without:
        whose = "phase" if budget.phase else "test"
        return f"no figures are known of {_listed(covered.without)}, whose {whose} it judges"
    lacking = [one.name for one in covered.windows if not one.figures.get(budget.metric)]
    return f"{budget.metric} was not measured in {_listed(lacking)}" if lacking else ""


def _listed(names: Sequence[str]) -> str:
    every = list(dict.fromkeys(names))
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more


def _sides(budget: Budget) -> Iterator[tuple[str, ...]]:
    """The ceiling and the floor, each with the `warn` that stands before it."""
    warns = ("warn",) if budget.warn is not None else ()
    if budget.max is not None:
        yield (*warns, "max")
    if budget.min is not None:
        yield ("min",) if budget.max is not None else (*warns, "min")


def _reach(windows: Sequence[Known], metric: Metric, *, up: bool) -> Reach:
    reaches = [_of_window(one, metric, up=up) for one in windows]
    return (
        max(reaches, key=lambda one: one.worst + one.visible)
        if up
        else min(reaches, key=lambda one: one.worst - one.visible)
    )


def _of_window(window: Known, metric: Metric, *, up: bool) -> Reach:
    values = window.figures[metric.name]
    visible = smallest_visible(metric, values, ops=window.ops, tolerance=PRIMARY.get(metric.name, 0.0))
    assert visible is not None, "only noisy metrics have none"
    return Reach(window, max(values) if up else min(values), len(values), visible)


def _new_limits(budget: Budget, kinds: tuple[str, ...], by: Reach) -> list[NewLimit] | str:
    """The new limits of one side, the level that comes first at what can be told from the measured figure.

    What stands behind a `warn` keeps its distance from it, as a ratio. Without a change: why.
    """
    limits, up = _limits(budget), kinds[-1] == "max"
    first = limits[kinds[0]]
    room = first.value - by.worst if up else by.worst - first.value
    measured = f"{format_value(by.worst, first.unit)} was measured in {by.window.name}"
    if room < 0:
        return f"it is broken: {measured}"
    if not first.value:
        return "it is 0 already"
    if room <= 2 * by.visible:  # else each recording would tighten it by what chance leaves
        return f"it fits: {measured}, and {format_value(by.visible, first.unit)} more can be told from chance"
    target = by.worst + by.visible if up else by.worst - by.visible
    found = list[NewLimit]()
    for kind in kinds:
        wanted = target * (limits[kind].value / first.value)
        written = respelled(limits[kind].written, first.unit, wanted, up=up)
        if written is None:
            return f"{limits[kind].written} is not a number that can be rewritten"
        found.append(NewLimit(kind, limits[kind], written))
    return found if _is_tighter(found, up=up) else "three digits of its unit say nothing tighter"


def _is_tighter(limits: Sequence[NewLimit], *, up: bool) -> bool:
    """Whether all are, and a `warn` still comes before the limit behind it."""
    new = [parse_quantity(one.written, one.old.unit).value for one in limits]
    old = [one.old.value for one in limits]
    moved = [(now < before) if up else (now > before) for now, before in zip(new, old, strict=True)]
    return all(moved) and (len(new) == 1 or (new[0] < new[1]) == up)
