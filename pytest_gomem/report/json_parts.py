"""What the JSON report shows instead of a record's fields, and how to read it back."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.base.errors import Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import RATIO, UNITS, Quantity, Unit
from pytest_gomem.config.accepted import Amount
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.peak import PeakMoment
from pytest_gomem.measure.series import Series
from pytest_gomem.measure.work import LoadSummary
from pytest_gomem.report.text import finite, known
from pytest_gomem.results.public import FACT, Shown
from pytest_gomem.results.run_record import RunRecord
from pytest_gomem.results.whole import ShardRecord, Whole
from pytest_gomem.results.window_record import WindowRecord

ENVIRONMENT_KEYS = ("go_version", "goos", "goarch", "kernel", "cpus", "page_size", "thp")
_LIMITS = ("max", "min", "warn", "regression")


class Tool(NamedTuple):
    """What wrote the report."""

    name: str
    version: str


class Ending(NamedTuple):
    """How the run of pytest ended, where it kept files, and of which commit and tests it was."""

    exit_status: int | None
    interrupted: bool
    complete: bool
    artifacts: str = ""
    commit: str = ""
    folder: str = ""
    deselected: tuple[str, ...] = ()
    against: str = ""
    whole: Whole = Whole()
    problems: tuple[str, ...] = ()
    shards: tuple[ShardRecord, ...] = ()


@dataclass(frozen=True)
class _AllLoads(LoadSummary):
    """Several loads as one; number: how many."""

    number: int = 0


def all_loads(window: WindowRecord) -> LoadSummary | None:
    """All loads of the window as one, None when there was none."""
    loads = window.loads
    if len(loads) < 2:
        return loads[0] if loads else None
    requests, duration = sum(load.requests for load in loads), sum(load.duration for load in loads)
    statuses: Counter[str] = Counter()
    for load in loads:
        statuses.update(load.statuses)
    return _AllLoads(
        requests=requests,
        errors=sum(load.errors for load in loads),
        duration=duration,
        rate=requests / duration if known(duration) else math.nan,
        rate_asked=None,
        latency_p50=None,
        latency_p99=None,
        latency_max=max((slow for load in loads if (slow := known(load.latency_max)) is not None), default=None),
        statuses=statuses,
        number=len(loads),
    )


def why_no_latency(load: LoadSummary) -> str:
    """Why a load has no latency, or no percentiles; "" if it has."""
    if isinstance(load, _AllLoads):
        return f"percentiles of {load.number} loads cannot be joined; each load stands in `loads`"
    return "no request finished, so there is no latency" if known(load.latency_max) is None else ""


def measured_points(window: WindowRecord) -> dict[str, Series]:
    """The series without points that are not finite."""
    return {name: _measured(series) for name, series in window.series.items()}


def _measured(series: Series) -> Series:
    points = [(t, v) for t, v in zip(series.t, series.v, strict=False) if math.isfinite(t) and math.isfinite(v)]
    return Series(tuple(t for t, _ in points), tuple(v for _, v in points))


def all_finite(rounds: Sequence[Mapping[str, float]]) -> tuple[Mapping[str, float], ...]:
    """The rounds without figures that are not finite."""
    return tuple(map(finite_only, rounds))


def finite_only(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures that are finite numbers."""
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def known_moment(window: WindowRecord) -> PeakMoment | None:
    """When the peak came, None if that is not known."""
    moment = window.peak_moment
    return moment if moment and math.isfinite(moment.earliest) and math.isfinite(moment.latest) else None


def part_of_reading(name: str, hint: Any) -> Shown:
    """A field of the metric's reading; null if it was not measured."""
    return Shown(hint | None, lambda metric: getattr(finite(metric.result), name, None))


def result_of(data: Mapping[str, Any]) -> Reading | Unavailable:
    """The reading, or Unavailable if its value was not finite."""
    if data["value"] is None:
        return Unavailable(data["reason"], tuple(data["bounds"]) if data["bounds"] else None)
    low, high = data.get("interval") or (None, None)
    interval = None if low is None else (low, math.inf if high is None else high)
    return Reading(data["value"], data["source"], data["precision"], data["note"], interval=interval)


def why(verdict: Verdict) -> str:
    """The words of the verdict; a verdict without a figure always has some."""
    actual, reason = verdict.actual, verdict.reason
    if actual is None:
        return reason or "no reason was given"
    return reason or ("" if math.isfinite(actual) else f"not a finite number: {actual}")


def finite_interval(verdict: Verdict) -> tuple[float, float] | None:
    """The interval of a comparison, None if it has no bounds."""
    return verdict.interval if verdict.interval and all(map(math.isfinite, verdict.interval)) else None


def limit_of(data: Mapping[str, Any]) -> Quantity:
    """The limit that a verdict judged."""
    return Quantity(data["limit"], UNITS.get(data["unit"]) or Unit(data["unit"], {}), data["written"])


def budget_of(data: Mapping[str, Any]) -> Budget:
    """The budget of a verdict, of which only the limit is known."""
    limits: Mapping[str, Any] = {kind: limit_of(data) if kind == data["kind"] else None for kind in _LIMITS}
    named = {name: data[name] for name in ("metric", "function", "type", "scope", "cum", "phase")}
    return Budget(**limits, **named, place=Place(**data["place"]))


def change_of(culprit: Culprit) -> tuple[int, int]:
    """The bounds of the change."""
    return culprit.change - culprit.interval, culprit.change + culprit.interval


def half_width_of(data: Mapping[str, Any]) -> int:
    """Half the width of a culprit's interval."""
    low, high = data["interval"]
    return int(high - low) // 2


def ending_of(run: RunRecord) -> Ending:
    """How the run ended."""
    return Ending(*(getattr(run, name) for name in Ending._fields))


def amount_of(data: Mapping[str, Any]) -> Amount | None:
    """What an entry accepts, of which only the text is known; None if it mutes."""
    if data["amount"] is None:
        return None
    return Amount(Quantity(math.nan, RATIO, data["amount"]), data["amount"].endswith("%"))


def environment_of(run: RunRecord) -> dict[str, FACT]:
    """What is known of machine and tools; None for unknown parts."""
    return {**dict.fromkeys(ENVIRONMENT_KEYS), **run.environment}
