"""Owns which heap profiles of two sides are held against each other for a metric: of the peaks, or of the closes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pytest_gomem.attribution.culprits import AT_PEAK
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.measure.window import Missing
from pytest_gomem.pprof.model import Profile
from pytest_gomem.session.measurement import Measurement

_NOT_TAKEN = Missing("no heap profile was taken when the window closed")
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
        if isinstance(ours, Missing) or isinstance(theirs, Missing):
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
    if isinstance(profile, Missing):
        raise ObserveError(profile.reason)
    return profile


def no_peaks(new: Profile | Missing, base: Profile | Missing) -> str:
    """Which side kept no profile of its peak, and why."""
    sides = {"the new side": new, "the base side": base}
    reasons = {side: peak.reason for side, peak in sides.items() if isinstance(peak, Missing)}
    if len(reasons) == len(sides) and len(set(reasons.values())) == 1:
        return f"neither side kept one of its peak: {reasons['the new side']}"
    return "; ".join(f"{side} kept none of its peak: {reason}" for side, reason in reasons.items())


def _peak(measurement: Measurement) -> Profile | Missing:
    profiles = measurement.profiles
    return _NOT_TAKEN if profiles is None else profiles.peak.profile
