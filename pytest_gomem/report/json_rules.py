"""How the JSON report shows the records: its rules, as data, for each record that it does not show as it is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.base.errors import Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import UNITS, Quantity, Unit
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.verdict import Accepted, Verdict
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.quantiles import Bucket
from pytest_gomem.report.text import finite, known
from pytest_gomem.results.public import FACT, PublicCodec, Rules, Shown
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.window_record import LoadSummary, MetricValue, PeakMoment, Series, WindowRecord

SCHEMA_VERSION = 1
ENVIRONMENT_KEYS = ("go_version", "goos", "goarch", "kernel", "cpus", "page_size", "thp")
_LIMITS = ("max", "min", "warn", "regression")


class Tool(NamedTuple):
    """What wrote the report."""

    name: str
    version: str


class Ending(NamedTuple):
    """How the run of pytest ended."""

    exit_status: int | None
    interrupted: bool
    complete: bool


@dataclass(frozen=True)
class _AllLoads(LoadSummary):
    """Several loads as one; number: how many."""

    number: int = 0


def _all_loads(window: WindowRecord) -> LoadSummary | None:
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


def _why_no_latency(load: LoadSummary) -> str:
    if isinstance(load, _AllLoads):
        return f"percentiles of {load.number} loads cannot be joined; each load stands in `loads`"
    return "no request finished, so there is no latency" if known(load.latency_max) is None else ""


def _points(window: WindowRecord) -> dict[str, Series]:
    """The series without points that are not finite."""
    return {name: _measured(series) for name, series in window.series.items()}


def _measured(series: Series) -> Series:
    points = [(t, v) for t, v in zip(series.t, series.v, strict=False) if math.isfinite(t) and math.isfinite(v)]
    return Series(tuple(t for t, _ in points), tuple(v for _, v in points))


def _rounds(window: WindowRecord) -> tuple[Mapping[str, float], ...]:
    return tuple(map(finite_only, window.rounds))


def finite_only(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures that are finite numbers."""
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def _peak_moment(window: WindowRecord) -> PeakMoment | None:
    moment = window.peak_moment
    return moment if moment and math.isfinite(moment.earliest) and math.isfinite(moment.latest) else None


def _reading(name: str, hint: Any) -> Shown:
    """A field of the metric's reading; null where it was not measured."""
    return Shown(hint | None, lambda metric: getattr(finite(metric.result), name, None))


def _result(data: Mapping[str, Any]) -> Reading | Unavailable:
    """A reading that was not finite comes back as Unavailable."""
    if data["value"] is None:
        return Unavailable(data["reason"], tuple(data["bounds"]) if data["bounds"] else None)
    return Reading(data["value"], data["source"], data["precision"], data["note"])


def _why(verdict: Verdict) -> str:
    actual, reason = verdict.actual, verdict.reason
    if actual is None:
        return reason or "no reason was given"
    return reason or ("" if math.isfinite(actual) else f"not a finite number: {actual}")


def _interval(verdict: Verdict) -> tuple[float, float] | None:
    return verdict.interval if verdict.interval and all(map(math.isfinite, verdict.interval)) else None


def _limit(data: Mapping[str, Any]) -> Quantity:
    return Quantity(data["limit"], UNITS.get(data["unit"]) or Unit(data["unit"], {}), data["written"])


def _budget(data: Mapping[str, Any]) -> Budget:
    """Of a verdict's budget only the limit judged is known."""
    limits: Mapping[str, Any] = {kind: _limit(data) if kind == data["kind"] else None for kind in _LIMITS}
    named = {name: data[name] for name in ("metric", "function", "scope", "cum", "phase")}
    return Budget(**limits, **named, place=Place(**data["place"]))


def _change(culprit: Culprit) -> tuple[int, int]:
    return culprit.change - culprit.interval, culprit.change + culprit.interval


def _half_width(data: Mapping[str, Any]) -> int:
    low, high = data["interval"]
    return int(high - low) // 2


def _environment(run: RunRecord) -> dict[str, FACT]:
    return {**dict.fromkeys(ENVIRONMENT_KEYS), **run.environment}


RULES: Mapping[type, Rules] = {
    RunRecord: Rules(
        hidden=("tool_version", "exit_status", "interrupted", "complete"),
        shown={
            "schema_version": Shown(int, lambda run: SCHEMA_VERSION),
            "tool": Shown(Tool, lambda run: Tool("pytest-gomem", run.tool_version)),
            "environment": Shown(Mapping[str, FACT], _environment),
            "run": Shown(Ending, lambda run: Ending(run.exit_status, run.interrupted, run.complete)),
        },
    ),
    TestRecord: Rules(null={"reason": ""}),
    WindowRecord: Rules(
        hidden=("figures",),
        shown={
            "load": Shown(LoadSummary | None, _all_loads),
            "series": Shown(Mapping[str, Series], _points),
            "rounds": Shown(tuple[Mapping[str, float], ...], _rounds),
            "peak_moment": Shown(PeakMoment | None, _peak_moment),
        },
    ),
    MetricValue: Rules(
        key="name",
        hidden=("result",),
        shown={
            "value": _reading("value", float),
            "source": _reading("source", str),
            "precision": _reading("precision", str),
            "note": _reading("note", str),
            "reason": _reading("reason", str),
            "bounds": _reading("bounds", tuple[float, float]),
        },
        read={"result": _result},
    ),
    PeakMoment: Rules(null={"floor": 0}),
    LoadSummary: Rules(shown={"reason": Shown(str, _why_no_latency)}, null={"reason": ""}),
    Bucket: Rules(null={"low": -math.inf, "high": math.inf}),
    Culprit: Rules(shown={"interval": Shown(tuple[int, int], _change)}, read={"interval": _half_width}),
    Accepted: Rules(null={"amount": ""}),
    Verdict: Rules(
        hidden=("budget", "is_suspect"),
        shown={
            **{name: f"budget.{name}" for name in ("metric", "function", "cum", "phase", "scope", "place")},
            "declared_at": Shown(str, lambda verdict: str(verdict.budget.place)),
            "limit": "limit.value",
            "written": "limit.written",
            "unit": "limit.unit.name",
            "interval": Shown(tuple[float, float] | None, _interval),
            "reason": Shown(str, _why),
        },
        null={"reason": ""},
        read={"budget": _budget, "limit": _limit},
    ),
}
PUBLIC = PublicCodec(RULES)
