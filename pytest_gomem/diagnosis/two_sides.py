"""Names the culprits of a comparison: which heap profiles of head and base are held against each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from pytest_gomem.attribution.between import culprits_between
from pytest_gomem.attribution.culprits import AT_PEAK, Culprit
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, reason_of, required
from pytest_gomem.diagnosis.culprits import accusable, counts_for
from pytest_gomem.diagnosis.reasons import Built, Reasons, built_from
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.pprof.model import Profile
from pytest_gomem.report.culprits import COMPARED, summary
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.measurement import Measurement

_NOT_TAKEN = Unavailable("no heap profile was taken when the window closed")
_PEAKS = "the profiles of both peaks were compared"
_CLOSES = "the profiles of the close were compared"


@dataclass(frozen=True)
class Pair:
    """Two heap profiles of the same work. which: for a summary, which ones these are; "" where that is plain."""

    new: Profile
    base: Profile
    which: str = ""


class Pairs(Protocol):
    """A window and what it is compared with, as heap profiles."""

    @property
    def new(self) -> Measurement:
        """The window, of its last round."""

    @property
    def there(self) -> str:
        """Where the other one is, in words: "on the base side"."""

    @property
    def keep_peaks(self) -> bool:
        """Whether both have a profile of their peak, so that metrics of the peak are asked apart from the others."""

    def pair(self, metric: str) -> Pair:
        """The profiles to be asked about a metric; raises ObserveError with the reason for none."""


@dataclass(frozen=True)
class TwoSides:
    """A window as both sides of this run measured it, in the last round of each."""

    new: Measurement
    base: Measurement
    there: str = "on the base side"

    @property
    def keep_peaks(self) -> bool:
        """Whether an agent kept a peak on both sides."""
        return all(side.profiles is not None and side.profiles.keeps_peak for side in (self.new, self.base))

    def pair(self, metric: str) -> Pair:
        """Of a peak metric the profiles of both peaks, if both sides have one; else those of the closes."""
        if metric not in AT_PEAK:
            return Pair(closing_heap(self.new), closing_heap(self.base))
        ours, theirs = _peak(self.new), _peak(self.base)
        if isinstance(ours, Unavailable) or isinstance(theirs, Unavailable):
            which = f"{_CLOSES}, because {no_peaks(ours, theirs)}"
            return Pair(closing_heap(self.new), closing_heap(self.base), which)
        return Pair(ours, theirs, _PEAKS)


@dataclass(frozen=True)
class WithBaseline:
    """A window and the one profile that a baseline keeps, of a close. kept: by metric; raises ObserveError."""

    new: Measurement
    kept: Callable[[str], Profile]
    there: str = "in the baseline"
    keep_peaks: bool = False

    def pair(self, metric: str) -> Pair:
        """The profiles of the closes, also of a peak metric."""
        kept = self.kept(metric)
        which = f"{_CLOSES}: a baseline keeps none of the peak, as --gomem-against can with peak_profile: true"
        return Pair(closing_heap(self.new), kept, which if metric in AT_PEAK else "")


def closing_heap(measurement: Measurement) -> Profile:
    """The heap profile after the window's close; raises ObserveError where there is none."""
    profiles = measurement.profiles
    profile = profiles.heap.profile if profiles is not None and profiles.has_heap else _NOT_TAKEN
    return required(profile)


def no_peaks(new: Profile | Unavailable, base: Profile | Unavailable) -> str:
    """Which side kept no profile of its peak, and why."""
    sides = {"the new side": new, "the base side": base}
    reasons = {side: reason for side, peak in sides.items() if (reason := reason_of(peak))}
    if len(reasons) == len(sides) and len(set(reasons.values())) == 1:
        return f"neither side kept one of its peak: {reasons['the new side']}"
    return "; ".join(f"{side} kept none of its peak: {reason}" for side, reason in reasons.items())


def _peak(measurement: Measurement) -> Profile | Unavailable:
    profiles = measurement.profiles
    return _NOT_TAKEN if profiles is None else profiles.peak.profile


def accused(
    window: WindowRecord,
    verdicts: tuple[Verdict, ...],
    pairs: Pairs,
    *,
    reasons: Reasons | None = None,
    built_base: Built | None = None,
) -> WindowRecord:
    """The window with the culprits of those of these verdicts that failed, or why nobody can be named.

    pairs: of the window with what it is compared with, whose profiles are asked about each metric.
    built_base: what the other side was built from, where its sources are at hand. reasons: None = nobody asks why.
    """
    judged = replace(window, verdicts=verdicts)
    named = accusable(judged, peaks_apart=pairs.keep_peaks)
    found = {metric: _found(metric, pairs, counts_for(metric, judged)) for metric in named}
    culprits = tuple(culprit for one, _ in found.values() for culprit in one)
    built, notes = built_from(pairs.new.service), tuple[str, ...]()
    if reasons is not None and built is not None and culprits:
        culprits, notes = reasons.explained(culprits, built, built_base)
    told = dict(window.culprit_summaries)
    for metric, (_, words) in found.items():  # a limit of the same metric may be broken too, and has words of its own
        told[metric] = f"{told[metric]}; {COMPARED}: {words}" if metric in told else words
    return replace(
        window,
        culprits=(*window.culprits, *culprits),
        notes=(*window.notes, *notes),
        culprit_summaries=told,
    )


def _found(metric: str, pairs: Pairs, counts: Callable[[Profile, bytes], bool]) -> tuple[tuple[Culprit, ...], str]:
    """The culprits, and the summary that says by which profiles; or nobody, and why."""
    try:
        pair, module = pairs.pair(metric), pairs.new.service.module
        found = culprits_between(metric, pair.new, pair.base, module, there=pairs.there, counts=counts)
    except ObserveError as error:
        return (), f"nobody can be named: {error}"
    return found.culprits, "; ".join(words for words in (summary(found), pair.which) if words)
