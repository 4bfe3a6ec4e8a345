"""Explains the failed windows of a test from its observed rounds, or says why nobody looked for the cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_gomem.comparison.base import Base, Found
from pytest_gomem.comparison.observation import Observation
from pytest_gomem.comparison.ran import Ran
from pytest_gomem.diagnosis.culprits import of_phases
from pytest_gomem.diagnosis.excess import explainable
from pytest_gomem.diagnosis.finalizers import with_self_held
from pytest_gomem.diagnosis.gc_explained import with_gc_explained
from pytest_gomem.judge.decide import failed
from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.results.keys import Key
from pytest_gomem.results.window_record import DiagnosisRecord, WindowRecord
from pytest_gomem.session.explanation import Evidence, Explanation
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.plan import Side
from pytest_gomem.session.service import outlives_round


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
    if last.takes_profiles and window.oom is not None:
        shared = "a service that tests share" if outlives_round(last.service) else "its test"
        return _unnamed(window, explainable(window), f"it is gone with its heap, and {shared} does not run again")
    head = ran.profiled(key, Side.HEAD) if last.takes_profiles else ran.evidence(key, Side.HEAD)
    if head is None:
        why = ran.why_unseen() or last.unseen or (plan.left_out if plan is not None else "")
        unexplained = replace(window, culprit_summaries={**window.culprit_summaries, **of_phases(window)})
        said = _unnamed(unexplained, explainable(window), why)
        looked = None if said is unexplained else DiagnosisRecord(0, notes=(why,))
        return with_gc_explained(replace(said, diagnosis=looked))
    evidence = _evidence_of(base, key, last, ran)
    found = explanation.explained(window, head, evidence)
    if ran.check is not None:
        found = with_self_held(found, ran.check.self_held, head.built)
    if isinstance(base, Base) and evidence is None:
        compared = [v for v in explainable(window) if v.kind == REGRESSION]
        found = _unnamed(found, compared, ran.why_unseen())
    if found.diagnosis is None or last.takes_profiles:
        return replace(found, diagnosis=None)
    return replace(found, diagnosis=replace(found.diagnosis, notes=tuple(ran.troubles())))


def _unnamed(window: WindowRecord, verdicts: Sequence[Verdict], why: str) -> WindowRecord:
    """The window with the reason why nobody is named for these verdicts, told for the first one; as it is without."""
    if not verdicts or not why:
        return window
    summaries = dict(window.culprit_summaries)
    metric, words = verdicts[0].budget.metric, f"nobody can be named: {why}"
    summaries[metric] = "; ".join(filter(None, (summaries.get(metric, ""), words)))
    return replace(window, culprit_summaries=summaries)


def _evidence_of(base: Found, key: Key, last: Measurement, ran: Ran) -> Evidence | None:
    if not isinstance(base, Base):
        return None
    if base.evidence is not None:
        return base.evidence
    return ran.profiled(key, Side.BASE) if last.takes_profiles else ran.evidence(key, Side.BASE)
