"""The profiles of a window: when they are taken, as they came, and each parsed at most once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_gomem.attribution.culprits import SAMPLE_OF
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, known, reason_of, required
from pytest_gomem.config.budgets import Budget
from pytest_gomem.instruments.peak_profile import Peaks
from pytest_gomem.observe.sources import Inside
from pytest_gomem.session.subject import unanswered

if TYPE_CHECKING:
    from pytest_gomem.pprof.model import Profile
    from pytest_gomem.session.subject import Subject

NOT_ASKED = Unavailable("no heap profile was taken: declare the budget on the test or in gomem.yaml")


def wants_profile(budgets: Iterable[Budget]) -> bool:
    """Whether one of these budgets needs a heap profile, or would, broken, ask who holds or made the memory."""
    return any(budget.metric in SAMPLE_OF for budget in budgets)


class Captured:
    """A profile as it came, or why there is none."""

    def __init__(self, raw: bytes | Unavailable) -> None:
        self.raw = raw

    @cached_property
    def profile(self) -> Profile | Unavailable:
        """What it holds; Unavailable also for bytes that are no profile."""
        if isinstance(self.raw, Unavailable):
            return self.raw
        from pytest_gomem.pprof.read import parse_profile

        try:
            return parse_profile(self.raw)
        except ObserveError as error:
            return Unavailable(f"what the service sent is no profile: {error}")


class Profiles:
    """The profiles of one window on a process: `opening` from then, the others once it has closed, when needed."""

    def __init__(self, subject: Subject, peaks: Peaks, opening: bytes | Unavailable = NOT_ASKED) -> None:
        self._subject = subject
        self.peaks = peaks
        self.opening = Captured(opening)
        self.opening_cycle: int | None = None  # MemStats.NumGC, where it was read
        self._is_past = False
        self._heap_is_late = False

    @cached_property
    def heap(self) -> Captured:
        """After the close; taken when it is first asked for."""
        self._heap_is_late = self._is_past
        return Captured(heap_profile(self._subject))

    def keep(self) -> None:
        """Take those after the close now, since the process may end before they are needed."""
        _ = self.heap, self.goroutine

    def leave(self) -> None:
        """The window is judged: what is taken from now on holds what the test does afterwards, too."""
        self._is_past = True

    @property
    def has_opening(self) -> bool:
        """Whether one came at the opening: taking it leaves its mark on the window, whatever is in it."""
        return known(self.opening.raw) is not None

    @property
    def has_heap(self) -> bool:
        """Whether the one after the close was taken then, and not later for a check()."""
        return "heap" in self.__dict__ and not self._heap_is_late

    @property
    def answers(self) -> bool:
        """Whether the one after the close tells of the window alone: it was taken then, or still can be."""
        return self.has_heap or not self._is_past

    @property
    def late_notes(self) -> list[str]:
        """That what culprits allocate may be of later than the window."""
        if not self._heap_is_late or known(self.heap.profile) is None:
            return []
        return ["the heap profile was taken when check() failed: what the service did after the window is in it too"]

    @cached_property
    def goroutine(self) -> Captured:
        """After the close; taken when it is first asked for."""
        return Captured(_taken(self._subject, lambda inside: inside.goroutine_profile()))

    @cached_property
    def peak(self) -> Captured:
        """Of the window's highest GC cycle, also of a service that has died; asked for once the window has closed."""
        return Captured(self.peaks.kept.profile)

    @property
    def keeps_peak(self) -> bool:
        """Whether one of the window's highest GC cycle came, whole or damaged."""
        return known(self.peak.raw) is not None

    @property
    def cycles_to_peak(self) -> int | None:
        """How many GC cycles after the opening that one came; None where either is not known.

        The cycle before the first reading may be looked at late: it is none of the window's.
        """
        peak, opening = self.peaks.kept.cycle, self.opening_cycle
        return peak - opening if peak is not None and opening is not None and peak > opening else None

    def on_failure(self) -> list[str]:
        """Take what a failed window is to leave behind, where the service can still be asked; notes of what failed."""
        try:
            self._subject.inside()
        except ObserveError:  # nobody to ask; a verdict that needs a profile says so
            return []
        if self._subject.ending() is not None:
            return []
        taken = {"first heap": self.opening, "heap": self.heap, "goroutine": self.goroutine}
        reasons: dict[str, list[str]] = {}
        for kind, captured in taken.items():
            reason = reason_of(captured.profile)
            if reason and captured.raw is not NOT_ASKED:
                reasons.setdefault(reason, []).append(kind)
        return [f"no {' and no '.join(kinds)} profile: {reason}" for reason, kinds in reasons.items()]

    def artifacts(self) -> Mapping[str, bytes]:
        """What was taken and is a profile, unchanged, by the names of the report."""
        names = {"base_profile": "opening", "heap_profile": "heap", "goroutine_profile": "goroutine"}
        taken = {kind: self.__dict__[name] for kind, name in names.items() if name in self.__dict__}
        taken["peak_profile"] = self.peak
        return {kind: required(captured.raw) for kind, captured in taken.items() if known(captured.profile) is not None}


def heap_profile(subject: Subject) -> bytes | Unavailable:
    """A heap profile after two forced collections, which holds all four sample types."""
    return _taken(subject, lambda inside: inside.heap_profile())


def _taken(subject: Subject, take: Callable[[Inside], bytes]) -> bytes | Unavailable:
    try:
        return take(subject.inside())
    except ObserveError as error:
        return unanswered(subject, error)
