"""Explains the failed windows of a test from its observed rounds, or says why nobody looked for the cause."""

from __future__ import annotations

from dataclasses import replace

from pytest_gomem.comparison.base import Base, Found
from pytest_gomem.comparison.observation import Observation
from pytest_gomem.comparison.ran import Ran
from pytest_gomem.diagnosis.culprits import of_phases
from pytest_gomem.diagnosis.excess import explainable
from pytest_gomem.diagnosis.gc_explained import with_gc_explained
from pytest_gomem.judge.decide import failed
from pytest_gomem.results.keys import Key
from pytest_gomem.results.window_record import DiagnosisRecord, WindowRecord
from pytest_gomem.session.explanation import Evidence, Explanation
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.plan import Side


def explained(
    window: WindowRecord,
    key: Key,
    last: Measurement,
    ran: Ran,
    base: Found,
    plan: Observation | None,
    explanation: Explanation,
) -> WindowRecord:
    """The window of all rounds with the causes of its failure; a window that passed as it is.

    last: the window in its last measured round. base: what it was compared with. plan: of the observed rounds.
    """
    if not failed(window.verdicts):
        return window
    head = ran.profiled(key, Side.HEAD) if last.takes_profiles else ran.evidence(key, Side.HEAD)
    if head is None:
        why = "; ".join(ran.troubles()) or (plan.left_out if plan is not None else "")
        return with_gc_explained(_unexplained(window, why))
    found = explanation.explained(window, head, _evidence_of(base, key, last, ran))
    if found.diagnosis is None or last.takes_profiles:
        return replace(found, diagnosis=None)
    return replace(found, diagnosis=replace(found.diagnosis, notes=tuple(ran.troubles())))


def _unexplained(window: WindowRecord, why: str) -> WindowRecord:
    """The window with the reason why nobody looked for the cause, if there is one that could be found."""
    window = replace(window, culprit_summaries={**window.culprit_summaries, **of_phases(window)})
    metrics = dict.fromkeys(verdict.budget.metric for verdict in explainable(window))
    if not metrics or not why:
        return window
    summaries = {**window.culprit_summaries, next(iter(metrics)): f"nobody can be named: {why}"}
    return replace(window, culprit_summaries=summaries, diagnosis=DiagnosisRecord(0, notes=(why,)))


def _evidence_of(base: Found, key: Key, last: Measurement, ran: Ran) -> Evidence | None:
    if not isinstance(base, Base):
        return None
    if base.evidence is not None:
        return base.evidence
    return ran.profiled(key, Side.BASE) if last.takes_profiles else ran.evidence(key, Side.BASE)
