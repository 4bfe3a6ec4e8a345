"""Names the culprits of a failed window: which profiles to compare, and for which metrics."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from pytest_gomem.attribution.culprits import AT_PEAK, SAMPLE_OF, Findings, find_culprits
from pytest_gomem.attribution.sampling import counts_made
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import known, required
from pytest_gomem.config.budgets import PER_FUNCTION, Budget
from pytest_gomem.diagnosis.reasons import Reasons
from pytest_gomem.instruments.peak_profile import CYCLES_TO_PEAK, PEAK
from pytest_gomem.judge.functions import asked_by, counting
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.launch.launched import Built
from pytest_gomem.measure.metric import Reading
from pytest_gomem.pprof.model import Profile
from pytest_gomem.report.culprits import summary
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.capture import Profiles
from pytest_gomem.stats.decision import Status


def accusable(record: WindowRecord, *, peaks_apart: bool) -> list[str]:
    """The broken metrics that a heap profile can explain: those on functions, and one more for each sample type.

    Not those of phases: profiles are of the whole window. peaks_apart: peak metrics have a profile of their own, so
    one of them is included besides one of the close.
    """
    broken = [budget.metric for budget in _broken(record) if not budget.phase]
    whole: dict[tuple[str, bool], str] = {}
    for metric in broken:
        if metric not in PER_FUNCTION:
            whole.setdefault((SAMPLE_OF[metric], peaks_apart and metric in AT_PEAK), metric)
    on_functions = dict.fromkeys(metric for metric in broken if metric in PER_FUNCTION)
    return [*on_functions, *whole.values()]


def _broken(record: WindowRecord) -> list[Budget]:
    """The broken budgets on metrics that a heap profile can explain."""
    return [v.budget for v in record.verdicts if v.status is Status.FAIL and v.budget.metric in SAMPLE_OF]


def with_culprits(
    record: WindowRecord, profiles: Profiles, module: GoModule, reasons: Reasons, built: Built | None
) -> WindowRecord:
    """The record with the culprits of its broken metrics and their reasons, or why none can be named.

    built: what the service was built from; None if unknown.
    """
    found: dict[str, Findings | str] = {
        budget.metric: f"nobody is named for phase '{budget.phase}': the profiles are of the whole window"
        for budget in _broken(record)
        if budget.phase
    }
    peaks_apart = known(profiles.of(PEAK).raw) is not None
    found |= {metric: _found(metric, record, profiles, module) for metric in accusable(record, peaks_apart=peaks_apart)}
    culprits = tuple(c for one in found.values() if isinstance(one, Findings) for c in one.culprits)
    notes: tuple[str, ...] = ()
    if built is not None and culprits:
        culprits, notes = reasons.explained(culprits, built)
    return replace(
        record,
        culprits=culprits,
        notes=(*record.notes, *notes),
        culprit_summaries={m: summary(one) if isinstance(one, Findings) else one for m, one in found.items()},
    )


def _found(metric: str, record: WindowRecord, profiles: Profiles, module: GoModule) -> Findings | str:
    peak = profiles.of(PEAK)
    at_peak = metric in AT_PEAK and known(peak.profile) is not None
    # What functions hold is judged whole, not by how much it grew.
    whole = metric in PER_FUNCTION and not counts_made(metric)
    try:
        after = required((peak if at_peak else profiles.heap).profile)
        before = None if whole else known(profiles.opening.profile)
        cycles = _cycles_to_peak(record) if at_peak else _cycles(record)
        earlier = None if before is None else (before,)
        return find_culprits(metric, (after,), earlier, module, counts=counts_for(metric, record), cycles=cycles)
    except ObserveError as error:
        return f"nobody can be named: {error}"


def _cycles_to_peak(record: WindowRecord) -> int | None:
    found = record.instruments.get(PEAK, {}).get(CYCLES_TO_PEAK)
    return None if found is None else round(found)


def _cycles(record: WindowRecord) -> int | None:
    found = next((metric.result for metric in record.metrics if metric.name == "gc_cycles"), None)
    return round(found.value) if isinstance(found, Reading) and math.isfinite(found.value) else None


def counts_for(metric: str, record: WindowRecord) -> Callable[[Profile, bytes], bool]:
    """Which stacks count: all, or those of functions whose budgets on this metric are broken."""
    broken = [v.budget for v in record.verdicts if v.budget.metric == metric and v.status is Status.FAIL]
    takers = [counting(asked_by(budget)) for budget in broken if budget.function]
    return lambda profile, stack: not takers or any(takes(profile, stack) for takes in takers)
