"""Names the culprits of broken limits: which profiles to compare, and for which metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pytest_gomem.attribution.culprits import AT_PEAK, SAMPLE_OF, Findings, find_culprits
from pytest_gomem.attribution.sampling import counts_made
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.config.budgets import PER_FUNCTION, Budget
from pytest_gomem.diagnosis.evidence import kind_for
from pytest_gomem.diagnosis.excess import excess_of, failed_of, lost, was_seen
from pytest_gomem.diagnosis.reasons import Reasons
from pytest_gomem.judge.figures import asked_by
from pytest_gomem.judge.functions import counting
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.pprof.model import Profile
from pytest_gomem.report.culprits import summary
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.capture import OPENING
from pytest_gomem.session.explanation import Evidence

Counts = Callable[[Profile, bytes], bool]  # whether a stack of a profile counts


def accusable(verdicts: tuple[Verdict, ...]) -> list[Verdict]:
    """The verdicts that a heap profile can explain: those on functions, and one more for each kind of sample.

    Not those of phases: profiles are of the whole window. A metric of the peak has another profile than one of the
    close.
    """
    whole: dict[tuple[str, bool], Verdict] = {}
    on_functions: dict[str, Verdict] = {}
    for verdict in verdicts:
        metric = verdict.budget.metric
        if metric not in SAMPLE_OF or verdict.budget.phase:
            continue
        if metric in PER_FUNCTION:
            on_functions.setdefault(metric, verdict)
        else:
            whole.setdefault((SAMPLE_OF[metric], metric in AT_PEAK), verdict)
    return [*on_functions.values(), *whole.values()]


def of_phases(window: WindowRecord) -> dict[str, str]:
    """By metric, why nobody is named for a phase that broke its limit on it."""
    budgets = (verdict.budget for verdict in failed_of(window, is_between=False))
    return {
        budget.metric: f"nobody is named for phase '{budget.phase}': the profiles are of the whole window"
        for budget in budgets
        if budget.phase and budget.metric in SAMPLE_OF
    }


def with_culprits(window: WindowRecord, head: Evidence, reasons: Reasons) -> tuple[WindowRecord, tuple[bool, ...]]:
    """The window with the culprits of its broken limits and their reasons, or why none can be named.

    Also, for each limit that could be looked at, whether the profiles show what broke it.
    """
    found: dict[str, Findings | str] = dict(of_phases(window))
    found |= {v.budget.metric: _found(v, window, head) for v in accusable(failed_of(window, is_between=False))}
    culprits = tuple(c for one in found.values() if isinstance(one, Findings) for c in one.culprits)
    notes: tuple[str, ...] = ()
    if head.built is not None and culprits:
        culprits, notes = reasons.explained(culprits, head.built)
    named = replace(
        window,
        culprits=culprits,
        notes=(*window.notes, *notes),
        culprit_summaries={m: summary(one) if isinstance(one, Findings) else one for m, one in found.items()},
    )
    return named, tuple(not one.is_lost for one in found.values() if isinstance(one, Findings))


def _found(verdict: Verdict, window: WindowRecord, head: Evidence) -> Findings | str:
    metric = verdict.budget.metric
    counts = counts_for(metric, (verdict,) if verdict.budget.function else ())
    excess = excess_of(verdict, window)
    try:
        found = _grown(metric, head, counts)
        if metric in PER_FUNCTION or was_seen(found, excess):
            return found
        if not counts_made(SAMPLE_OF[metric]):
            # What breaks the limit may have been live before the window opened, or be garbage at the peak.
            found = _grown(metric, head, counts, since_opening=False)
            garbage = garbage_of(_grown("total_alloc", head, counts), metric) if metric in AT_PEAK else found
            found = next((one for one in (found, garbage) if was_seen(one, excess)), found)
    except ObserveError as error:
        return f"nobody can be named: {error}"
    return found if was_seen(found, excess) else lost(found, excess)


def _grown(metric: str, head: Evidence, counts: Counts, *, since_opening: bool = True) -> Findings:
    """The culprits of a metric, since the opening or of all that is live; raises ObserveError."""
    kind, _ = kind_for(metric, head)
    after = head.profiles(kind, metric)
    before = earlier(metric, head, len(after)) if since_opening else None
    return find_culprits(metric, after, before, head.module, counts=counts, cycles=head.cycles(kind))


def garbage_of(allocated: Findings, metric: str) -> Findings:
    """What was allocated as the explanation of a peak whose live heap does not explain it."""
    culprits = tuple(replace(one, metric=metric, sample_type=SAMPLE_OF[one.metric]) for one in allocated.culprits)
    note = "the live heap does not explain this peak, which is garbage; allocated in the window"
    return replace(allocated, metric=metric, culprits=culprits, note=note)


def earlier(metric: str, head: Evidence, count: int) -> tuple[Profile, ...] | None:
    """The profiles of the opening, one for each round; None if everything counts that is live at the close.

    What functions hold is judged whole, not by how much it grew.
    """
    if metric in PER_FUNCTION and not counts_made(metric):
        return None
    try:
        found = head.profiles(OPENING, metric)
    except ObserveError:
        return None
    return found if len(found) == count else None


def counts_for(metric: str, verdicts: tuple[Verdict, ...]) -> Counts:
    """Which stacks count: all, or those of functions whose budgets on this metric are broken."""
    budgets: list[Budget] = [v.budget for v in verdicts if v.budget.metric == metric and v.budget.function]
    takers = [counting(asked_by(budget)) for budget in budgets]
    return lambda profile, stack: not takers or any(takes(profile, stack) for takes in takers)
