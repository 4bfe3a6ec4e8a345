"""Names the culprits of a comparison: which heap profiles of head and base to compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pytest_gomem.attribution.between import culprits_between
from pytest_gomem.attribution.culprits import AT_PEAK, Culprit
from pytest_gomem.attribution.modules import ModuleChange, module_changes
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, known, reason_of, required
from pytest_gomem.diagnosis.culprits import accusable, counts_for
from pytest_gomem.diagnosis.reasons import Reasons
from pytest_gomem.instruments.peak_profile import PEAK
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.pprof.model import Profile
from pytest_gomem.report.culprits import COMPARED, summary
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.explanation import BaseProfiles
from pytest_gomem.session.measurement import Measurement

_NOT_TAKEN = Unavailable("no heap profile was taken when the window closed")
_PEAKS = "the profiles of both peaks were compared"
_CLOSES = "the profiles of the close were compared"


@dataclass(frozen=True)
class _Pair:
    """Two heap profiles of the same work. which: names them in a summary; "" if that is clear."""

    head: Profile
    base: Profile
    which: str = ""


def _pair(metric: str, head: Measurement, base: BaseProfiles) -> _Pair:
    """For a peak metric the profiles of both peaks, if both exist; else those of the closes; raises ObserveError."""
    if metric not in AT_PEAK:
        which = ""
    elif base.peak is None:
        which = f"{_CLOSES}: a baseline keeps none of the peak, as --gomem-against can with peak_profile: true"
    else:
        ours, theirs = _peak(head), base.peak()
        if not isinstance(ours, Unavailable) and not isinstance(theirs, Unavailable):
            return _Pair(ours, theirs, _PEAKS)
        which = f"{_CLOSES}, because {no_peaks(ours, theirs)}"
    before = base.close(metric)  # first: without it the head has none either
    return _Pair(closing_heap(head), before, which)


def closing_heap(measurement: Measurement) -> Profile:
    """The heap profile after the window's close; raises ObserveError if there is none."""
    profiles = measurement.profiles
    profile = profiles.heap.profile if profiles is not None and profiles.has_heap else _NOT_TAKEN
    return required(profile)


def no_peaks(head: Profile | Unavailable, base: Profile | Unavailable) -> str:
    """Which side kept no profile of its peak, and why."""
    sides = {"the head": head, "the base side": base}
    reasons = {side: reason for side, peak in sides.items() if (reason := reason_of(peak))}
    if len(reasons) == len(sides) and len(set(reasons.values())) == 1:
        return f"neither side kept one of its peak: {reasons['the head']}"
    return "; ".join(f"{side} kept none of its peak: {reason}" for side, reason in reasons.items())


def profiles_of(base: Measurement) -> BaseProfiles:
    """The base side's profiles of the window in its last round."""
    return BaseProfiles(
        "on the base side",
        lambda metric: closing_heap(base),
        lambda: _peak(base),
        keeps_peak=_keeps_peak(base),
        built=base.service.process.built,
    )


def _peak(measurement: Measurement) -> Profile | Unavailable:
    profiles = measurement.profiles
    return _NOT_TAKEN if profiles is None else profiles.of(PEAK).profile


def _keeps_peak(measurement: Measurement) -> bool:
    return measurement.profiles is not None and known(measurement.profiles.of(PEAK).raw) is not None


def with_culprits_between(
    window: WindowRecord, verdicts: tuple[Verdict, ...], head: Measurement, base: BaseProfiles, reasons: Reasons
) -> WindowRecord:
    """The window with the culprits of the failed verdicts, or why none can be named.

    head: the window in its last round, with its profiles. reasons: explains why culprits allocate.
    """
    judged = replace(window, verdicts=verdicts)
    named = accusable(judged, peaks_apart=_keeps_peak(head) and base.keeps_peak)
    built, notes = head.service.process.built, tuple[str, ...]()
    changes = module_changes(built.info.versions, base.built.info.versions) if built and base.built else ()
    found = {metric: _found(metric, head, base, counts_for(metric, judged), changes) for metric in named}
    culprits = tuple(culprit for one, _ in found.values() for culprit in one)
    if built is not None and culprits:
        culprits, notes = reasons.explained(culprits, built, base.built)
    summaries = dict(window.culprit_summaries)
    for metric, (_, words) in found.items():  # a limit of the same metric may be broken too, and has its own text
        summaries[metric] = f"{summaries[metric]}; {COMPARED}: {words}" if metric in summaries else words
    return replace(
        window,
        culprits=(*window.culprits, *culprits),
        notes=(*window.notes, *notes),
        culprit_summaries=summaries,
        modules=changes,
    )


def _found(
    metric: str,
    head: Measurement,
    base: BaseProfiles,
    counts: Callable[[Profile, bytes], bool],
    changes: tuple[ModuleChange, ...],
) -> tuple[tuple[Culprit, ...], str]:
    """The culprits and a summary of the profiles used; or none, and why."""
    try:
        pair, module = _pair(metric, head, base), head.service.module
        found = culprits_between(
            metric, (pair.head,), (pair.base,), module, there=base.there, counts=counts, changes=changes
        )
    except ObserveError as error:
        return (), f"nobody can be named: {error}"
    return found.culprits, "; ".join(words for words in (summary(found), pair.which) if words)
