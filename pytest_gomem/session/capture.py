"""The profiles and files of a window: when they are taken, as they came, and each parsed at most once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, known, reason_of
from pytest_gomem.observe.sources import Inside
from pytest_gomem.session.subject import unanswered

if TYPE_CHECKING:
    from pytest_gomem.pprof.model import Profile
    from pytest_gomem.session.subject import Subject

NOT_ASKED = Unavailable("no heap profile was taken: declare the budget on the test or in gomem.yaml")
# As reports call them.
OPENING, HEAP, GOROUTINE = "base_profile", "heap_profile", "goroutine_profile"
_PROFILE = ".pb.gz"


class Captured:
    """A profile, or another file, as it came, or why there is none. suffix: of its name."""

    def __init__(self, raw: bytes | Unavailable, suffix: str = _PROFILE) -> None:
        self.raw = raw
        self.suffix = suffix

    @property
    def is_whole(self) -> bool:
        """Whether it came; what came as a profile must be one."""
        return known(self.raw if self.suffix != _PROFILE else self.profile) is not None

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


_NONE = Captured(NOT_ASKED)


class Profiles:
    """The files of one window on a process: those after its close when they are needed, others by instruments."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._captured: dict[str, Captured] = {}
        self._is_past = False
        self._heap_is_late = False

    def add(self, artifacts: Mapping[str, Captured]) -> None:
        """Take what an instrument has captured."""
        self._captured.update(artifacts)

    @property
    def heap(self) -> Captured:
        """After the close; taken when it is first asked for."""
        if HEAP not in self._captured:
            self._heap_is_late = self._is_past
            self._captured[HEAP] = Captured(heap_profile(self._subject))
        return self._captured[HEAP]

    @property
    def goroutine(self) -> Captured:
        """After the close; taken when it is first asked for."""
        if GOROUTINE not in self._captured:
            self._captured[GOROUTINE] = Captured(_taken(self._subject, lambda inside: inside.goroutine_profile()))
        return self._captured[GOROUTINE]

    def of(self, name: str) -> Captured:
        """What an instrument has captured under that name, or why there is nothing."""
        return self._captured.get(name, _NONE)

    @property
    def opening(self) -> Captured:
        """Of the opening, where one was asked for."""
        return self.of(OPENING)

    def leave(self) -> None:
        """The window is judged: what is taken from now on holds what the test does afterwards, too."""
        self._is_past = True

    @property
    def has_heap(self) -> bool:
        """Whether the one after the close was taken then, and not later for a check()."""
        return HEAP in self._captured and not self._heap_is_late

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

    def on_failure(self) -> list[str]:
        """Take what a failed window is to leave behind, where the service can still be asked; notes of what failed."""
        try:
            self._subject.readers.inside()
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

    def artifacts(self) -> Mapping[str, Captured]:
        """What was taken and is whole, by the names of the report."""
        return {name: captured for name, captured in self._captured.items() if captured.is_whole}


def heap_profile(subject: Subject) -> bytes | Unavailable:
    """A heap profile after two forced collections, which holds all four sample types."""
    return _taken(subject, lambda inside: inside.heap_profile())


def _taken(subject: Subject, take: Callable[[Inside], bytes]) -> bytes | Unavailable:
    try:
        return take(subject.readers.inside())
    except ObserveError as error:
        return unanswered(subject, error)
