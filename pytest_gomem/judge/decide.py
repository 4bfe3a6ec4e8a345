"""Judges a budget against the measured values of a window or phase: a verdict per limit, with its text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import Quantity, format_value
from pytest_gomem.config.budgets import Budget
from pytest_gomem.config.own_metrics import is_own
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.own_metrics import NOT_READ
from pytest_gomem.stats.decision import Status

FAILING = frozenset({Status.FAIL, Status.UNAVAILABLE})
_NO_BASELINE = "this run has nothing to compare it with"
_NOT_YET = Unavailable("this version does not measure it yet")  # a metric that is still to come
# "4.35GB" is 4.35 * 1e9 in floating point, which can miss the whole number by a digit: equal must pass.
_EQUAL = 1e-12


def judge(budget: Budget, result: Reading | Unavailable) -> tuple[Verdict, ...]:
    """One verdict per limit that the budget sets, in the order max, min, warn, regression.

    Limits are inclusive. `warn` is on the side of `max`, or of `min` if that is the only other limit. Without a value
    every limit is UNAVAILABLE with the reason, which fails: unmeasured is not passed. If only bounds are known, the
    verdict is the one that both of them give. An estimate breaks a limit only with its whole interval.
    """
    if isinstance(result, Unavailable) and result.bounds is not None:
        low, high = result.bounds
        return tuple(_bounded(budget, kind, limit, (low, high), result.reason) for kind, limit in _limits(budget))
    if isinstance(result, Unavailable):
        reason = f"{_name(budget)} is unavailable: {result.reason}"
        return tuple(
            Verdict(budget, limit, kind, None, Status.UNAVAILABLE, reason=reason) for kind, limit in _limits(budget)
        )
    if result.interval is not None:
        return tuple(_estimated(budget, kind, limit, result) for kind, limit in _limits(budget))
    return tuple(_judged(budget, kind, limit, result.value) for kind, limit in _limits(budget))


def _estimated(budget: Budget, kind: str, limit: Quantity, result: Reading) -> Verdict:
    """The verdict on an estimate: a limit is broken only if both bounds of its interval break it."""
    assert result.interval is not None
    if kind == "regression":
        return _judged(budget, kind, limit, result.value)
    kinder = result.interval[1 if _is_floor(budget, kind) else 0]
    found = _judged(budget, kind, limit, kinder)
    if found.status is Status.PASS:
        return replace(found, actual=result.value, headroom=_judged(budget, kind, limit, result.value).headroom or 0.0)
    low, high = (format_value(bound, limit.unit) for bound in result.interval)
    broken = _judged(budget, kind, limit, result.value)
    return replace(broken, reason=f"{broken.reason}; the interval is {low} to {high}")


def _is_floor(budget: Budget, kind: str) -> bool:
    return kind == "min" or (kind == "warn" and budget.max is None and budget.min is not None)


def _limits(budget: Budget) -> Iterator[tuple[str, Quantity]]:
    named = {"max": budget.max, "min": budget.min, "warn": budget.warn, "regression": budget.regression}
    return ((kind, limit) for kind, limit in named.items() if limit is not None)


def _bounded(budget: Budget, kind: str, limit: Quantity, bounds: tuple[float, float], why: str) -> Verdict:
    """The verdict that both bounds give, with the text of the one nearer to the limit."""
    low, high = (_judged(budget, kind, limit, bound) for bound in bounds)
    unmeasured = f"{_name(budget)} is not known exactly: {why}"
    if kind == "regression":
        return replace(high, actual=None, reason=unmeasured)
    if low.status is not high.status:
        reason = f"it is not known whether {_name(budget)} keeps its limit of {limit.written}: {why}"
        if kind == "warn":
            return replace(max(low, high, key=lambda one: one.over or 0.0), actual=None, over=None, reason=reason)
        return Verdict(budget, limit, kind, None, Status.UNAVAILABLE, reason=reason)
    nearer = min(low, high, key=lambda one: abs((one.actual or 0.0) - limit.value))
    return replace(nearer, reason=f"{nearer.reason}; {unmeasured}" if nearer.reason else unmeasured)


def _judged(budget: Budget, kind: str, limit: Quantity, actual: float) -> Verdict:
    if kind == "regression":
        return Verdict(budget, limit, kind, actual, Status.NO_BASELINE, reason=_NO_BASELINE)
    floor = _is_floor(budget, kind)
    room = actual - limit.value if floor else limit.value - actual
    if room >= 0 or math.isclose(actual, limit.value, rel_tol=_EQUAL):
        headroom = _share(max(room, 0.0), limit)
        return Verdict(budget, limit, kind, actual, Status.PASS, headroom=headroom)
    status = Status.WARN if kind == "warn" else Status.FAIL
    reason = _broken(budget, kind, limit, actual, floor)
    return Verdict(budget, limit, kind, actual, status, over=_share(-room, limit), reason=reason)


def _share(amount: float, limit: Quantity) -> float | None:
    """The amount as a share of the limit; None for a limit of 0."""
    return amount / limit.value if limit.value else None


def _broken(budget: Budget, kind: str, limit: Quantity, actual: float, floor: bool) -> str:
    unit = limit.unit
    by = abs(actual - limit.value)
    share = _share(by, limit)
    percent = "" if share is None or share < 0.0005 else f" ({share:.1%})" if share < 1 else f" ({share:.0%})"
    name = {"max": "limit", "min": "floor", "warn": "warning level"}[kind]
    side = "below" if floor else "over"
    found, distance = format_value(actual, unit), f"{format_value(by, unit)}{percent}"
    return f"{_name(budget)} is {found}, {distance} {side} its {name} of {limit.written}"


def _name(budget: Budget) -> str:
    if budget.type:
        return f"{budget.metric}[{budget.type}]"
    return f"{budget.metric} of phase '{budget.phase}'" if budget.phase else budget.metric


def without_result(metric: str) -> Unavailable:
    """Why a window has no result for a metric that can be budgeted."""
    return NOT_READ if is_own(metric) else _NOT_YET


def failed(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """The verdicts that fail a test: broken limits, and limits on unmeasured metrics."""
    return tuple(verdict for verdict in verdicts if verdict.status in FAILING)


Results = Mapping[str, Reading | Unavailable]
FOR_MANY = ("defaults", "services")  # scopes for many windows, some without the phase


def given_name(phase: str) -> str:
    """The name that the test gave to a phase: "login" for "login#2", the second of that name."""
    return phase.partition("#")[0]


def judge_phase(budget: Budget, phases: Mapping[str, Results]) -> tuple[Verdict, ...]:
    """The verdicts of one budget on each phase of its name; phases: the results of every phase, by name.

    Without such a phase it is unmeasured, which fails, unless the budget is for many windows.
    """
    found = {name: results for name, results in phases.items() if given_name(name) == budget.phase}
    if not found and budget.scope not in FOR_MANY:
        return judge(budget, Unavailable("there was no such phase in the window"))
    return tuple(
        verdict
        for name, results in found.items()
        for verdict in judge(replace(budget, phase=name), results.get(budget.metric, without_result(budget.metric)))
    )
