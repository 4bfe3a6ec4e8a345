"""Owns naming the culprits of a failed window: which profiles are held against each other, and for which metrics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pytest_gomem.config.budgets import Budget
from pytest_gomem.errors import ObserveError
from pytest_gomem.judge.culprits import SAMPLE_OF, Findings, find_culprits
from pytest_gomem.judge.verdict import Status
from pytest_gomem.measure.window import Missing
from pytest_gomem.observe.agent.records import PeakProfile
from pytest_gomem.pprof.read import parse_profile
from pytest_gomem.report.culprits import summary
from pytest_gomem.report.model import WindowRecord

_PEAKS = ("peak_rss", "peak_heap")


@dataclass(frozen=True)
class Profiles:
    """Heap profiles of a window as they came: at its opening, after its close, and of its peak."""

    before: bytes | Missing
    after: bytes | Missing
    peak: PeakProfile | Missing


def wants_profile(budgets: Iterable[Budget]) -> bool:
    """Whether one of these budgets, broken, would ask who holds or made the memory."""
    return any(budget.metric in SAMPLE_OF for budget in budgets)


def accusable(record: WindowRecord) -> list[str]:
    """The broken metrics that a heap profile can explain, one for each sample type."""
    broken = [v.budget.metric for v in record.verdicts if v.status is Status.FAIL and v.budget.metric in SAMPLE_OF]
    return list({SAMPLE_OF[metric]: metric for metric in reversed(broken)}.values())[::-1]


def with_culprits(record: WindowRecord, profiles: Profiles, module: str) -> WindowRecord:
    """The record with the culprits of its broken metrics, or the reason why nobody can be named."""
    metrics = accusable(record)
    found = {metric: _found(metric, profiles, module) for metric in metrics}
    return replace(
        record,
        culprits=tuple(c for one in found.values() if isinstance(one, Findings) for c in one.culprits),
        culprit_summaries={m: summary(one) if isinstance(one, Findings) else one for m, one in found.items()},
    )


def _found(metric: str, profiles: Profiles, module: str) -> Findings | str:
    at_peak = metric in _PEAKS and isinstance(profiles.peak, PeakProfile)
    after = profiles.peak.profile if at_peak and isinstance(profiles.peak, PeakProfile) else profiles.after
    if isinstance(after, Missing):
        return f"nobody can be named: {after.reason}"
    try:
        before = None if isinstance(profiles.before, Missing) else parse_profile(profiles.before)
        return find_culprits(metric, parse_profile(after), before, module)
    except ObserveError as error:
        return f"nobody can be named: {error}"
