"""Names the culprits of a comparison: which profiles of head and base to compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_gomem.attribution.between import culprits_between
from pytest_gomem.attribution.culprits import AT_PEAK, Findings
from pytest_gomem.attribution.modules import ModuleChange, module_changes
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.units import BYTES, format_value
from pytest_gomem.config.budgets import PER_FUNCTION
from pytest_gomem.diagnosis.culprits import Counts, accusable, counts_for, garbage_of
from pytest_gomem.diagnosis.evidence import kind_for
from pytest_gomem.diagnosis.excess import excess_of, failed_of, in_bytes, lost, was_seen
from pytest_gomem.diagnosis.reasons import Reasons
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.pprof.model import Profile
from pytest_gomem.report.culprits import COMPARED, summary
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.explanation import Evidence

_COARSE = 0.1  # of the change: what its sampling may leave uncertain


def with_culprits_between(
    window: WindowRecord, head: Evidence, base: Evidence, reasons: Reasons
) -> tuple[WindowRecord, tuple[bool, ...]]:
    """The window with the culprits of its failed comparisons, or why none can be named.

    Also, for each comparison that could be looked at, whether the profiles show what is worse.
    """
    changes = module_changes(head.modules, base.modules)
    worse = accusable(failed_of(window, is_between=True))
    found = {verdict.budget.metric: _found(verdict, window, head, base, changes) for verdict in worse}
    culprits = tuple(c for one, _ in found.values() if isinstance(one, Findings) for c in one.culprits)
    notes = tuple[str, ...]()
    if head.built is not None and culprits:
        culprits, notes = reasons.explained(culprits, head.built, base.built)
    summaries = dict(window.culprit_summaries)
    for metric, (one, which) in found.items():
        words = "; ".join(filter(None, (summary(one) if isinstance(one, Findings) else one, which)))
        # A limit of the same metric may be broken too, and has its own text.
        summaries[metric] = f"{summaries[metric]}; {COMPARED}: {words}" if metric in summaries else words
    named = replace(
        window,
        culprits=(*window.culprits, *culprits),
        notes=(*window.notes, *notes),
        culprit_summaries=summaries,
        modules=changes,
    )
    return named, tuple(not one.is_lost for one, _ in found.values() if isinstance(one, Findings))


def _found(
    verdict: Verdict, window: WindowRecord, head: Evidence, base: Evidence, changes: tuple[ModuleChange, ...]
) -> tuple[Findings | str, str]:
    """The culprits, or why there are none; and which profiles were used, if that is not clear."""
    metric, excess = verdict.budget.metric, excess_of(verdict, window)
    counts = counts_for(metric, (verdict,))
    try:
        kind, which = kind_for(metric, head, base)
        found = _grown(metric, head, base, counts, changes)
        if metric in AT_PEAK and not was_seen(found, excess):
            garbage = garbage_of(_grown("total_alloc", head, base, counts, changes), metric)
            found = garbage if was_seen(garbage, excess) else found
        coarse = "" if found.culprits else _coarse(in_bytes(excess, metric), base.profiles(kind, metric), base)
    except ObserveError as error:
        return f"nobody can be named: {error}", ""
    if metric not in PER_FUNCTION and not was_seen(found, excess):
        return lost(found, excess), which
    return found, "; ".join(filter(None, (which, coarse)))


def _grown(metric: str, head: Evidence, base: Evidence, counts: Counts, changes: tuple[ModuleChange, ...]) -> Findings:
    """The culprits of a metric; raises ObserveError."""
    kind, _ = kind_for(metric, head, base)
    theirs, ours = base.profiles(kind, metric), head.profiles(kind, metric)
    return culprits_between(metric, ours, theirs, head.module, there=base.there, counts=counts, changes=changes)


def _coarse(excess: float, theirs: Sequence[Profile], base: Evidence) -> str:
    """A remark if the base's profile is too coarse for the change; it was taken before the change was known.

    excess: bytes.
    """
    period = max(profile.period for profile in theirs)
    if excess <= 0 or not base.is_kept or (period / excess) ** 0.5 <= _COARSE:
        return ""
    every = format_value(period, BYTES)
    return f"the profile {base.there} takes one sample in {every}, which is coarse for this change"
