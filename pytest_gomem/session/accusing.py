"""Owns naming the culprits of a comparison: the last heap profile of a window against that of the other side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pytest_gomem.errors import ObserveError
from pytest_gomem.judge.between import culprits_between
from pytest_gomem.judge.culprits import Findings
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.window import Missing
from pytest_gomem.pprof.model import Profile
from pytest_gomem.report.culprits import summary
from pytest_gomem.report.model import WindowRecord
from pytest_gomem.session.built import built_from
from pytest_gomem.session.culprits import accusable
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.reasons import Built, Reasons

_NOT_TAKEN = Missing("no heap profile was taken when the window closed")


def closing_heap(measurement: Measurement) -> Profile:
    """The heap profile after the window's close; raises ObserveError where there is none."""
    profiles = measurement.profiles
    profile = profiles.heap.profile if profiles is not None and profiles.has_heap else _NOT_TAKEN
    if isinstance(profile, Missing):
        raise ObserveError(profile.reason)
    return profile


def accused(
    window: WindowRecord,
    verdicts: tuple[Verdict, ...],
    new: Measurement,
    base: Callable[[str], Profile],
    *,
    reasons: Reasons | None = None,
    built_base: Built | None = None,
) -> WindowRecord:
    """The window with the culprits of those of these verdicts that failed, or why nobody can be named.

    base: the profile of the other side to be asked about a metric; raises ObserveError with the reason for none.
    built_base: what the other side was built from, where its sources are at hand. reasons: None = nobody asks why.
    """
    named = accusable(replace(window, verdicts=verdicts))
    found = {metric: _found(metric, new, base) for metric in named}
    culprits = tuple(c for one in found.values() if isinstance(one, Findings) for c in one.culprits)
    built, notes = built_from(new.service), tuple[str, ...]()
    if reasons is not None and built is not None and culprits:
        culprits, notes = reasons.explained(culprits, built, built_base)
    summaries = {metric: summary(one) if isinstance(one, Findings) else one for metric, one in found.items()}
    return replace(
        window,
        culprits=(*window.culprits, *culprits),
        notes=(*window.notes, *notes),
        culprit_summaries={**window.culprit_summaries, **summaries},
    )


def _found(metric: str, new: Measurement, base: Callable[[str], Profile]) -> Findings | str:
    try:
        theirs = base(metric)
        return culprits_between(metric, closing_heap(new), theirs, new.service.module)
    except ObserveError as error:
        return f"nobody can be named: {error}"
