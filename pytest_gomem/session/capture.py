"""The profiles and files of a window: when to take them, their raw bytes, and one parse of each at most."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, known, reason_of
from pytest_gomem.observe.sources import Inside
from pytest_gomem.session.subject import unanswered

if TYPE_CHECKING:
    from pytest_gomem.observe.stacks import Stacks
    from pytest_gomem.pprof.model import Profile
    from pytest_gomem.session.subject import Subject

NOT_TAKEN = Unavailable("no heap profile was taken in this window")
# As reports call them.
OPENING, HEAP, GOROUTINE = "base_profile", "heap_profile", "goroutine_profile"
_PROFILE = ".pb.gz"


class Captured:
    """A profile or another file, unparsed, or why there is none. suffix: of its name."""

    def __init__(self, raw: bytes | Unavailable, suffix: str = _PROFILE) -> None:
        self.raw = raw
        self.suffix = suffix

    @property
    def is_whole(self) -> bool:
        """Whether it is there; a profile must also parse."""
        return known(self.raw if self.suffix != _PROFILE else self.profile) is not None

    @cached_property
    def profile(self) -> Profile | Unavailable:
        """The parsed profile; Unavailable also if the bytes are not a profile."""
        if isinstance(self.raw, Unavailable):
            return self.raw
        from pytest_gomem.pprof.read import parse_profile

        try:
            return parse_profile(self.raw)
        except ObserveError as error:
            return Unavailable(f"what the service sent is no profile: {error}")

    def emptied(self) -> Captured:
        """The same profile without any sample, such as a program has when it starts; raises no error."""
        profile = self.profile
        if isinstance(profile, Unavailable):
            return Captured(profile)
        from pytest_gomem.pprof.write import compressed

        nothing = tuple(array(column.typecode) for column in profile.values)
        return Captured(compressed(profile._replace(stacks=[], values=nothing, labels=None, locations={}, binaries=())))


_NONE = Captured(NOT_TAKEN)


class Profiles:
    """The files of one window: those after its close on demand, others from instruments."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._captured: dict[str, Captured] = {}
        self._is_past = False
        self._heap_is_late = False

    def add(self, artifacts: Mapping[str, Captured]) -> None:
        """Add what an instrument captured."""
        self._captured.update(artifacts)

    @property
    def heap(self) -> Captured:
        """From after the close; taken on first use."""
        if HEAP not in self._captured:
            self._heap_is_late = self._is_past
            self._captured[HEAP] = Captured(heap_profile(self._subject))
        return self._captured[HEAP]

    @property
    def goroutine(self) -> Captured:
        """From after the close; taken on first use."""
        if GOROUTINE not in self._captured:
            self._captured[GOROUTINE] = Captured(_taken(self._subject, lambda inside: inside.goroutine_profile()))
        return self._captured[GOROUTINE]

    def of(self, name: str) -> Captured:
        """What an instrument captured under that name, or why there is nothing."""
        return self._captured.get(name, _NONE)

    @property
    def opening(self) -> Captured:
        """From the opening, if one was requested."""
        return self.of(OPENING)

    def leave(self) -> None:
        """The window is judged: profiles taken from now on include what the test does afterwards."""
        self._is_past = True

    @property
    def has_heap(self) -> bool:
        """Whether the heap profile was taken at the close, and not later for a check()."""
        return HEAP in self._captured and not self._heap_is_late

    @property
    def answers(self) -> bool:
        """Whether the heap profile covers the window alone: it was taken at the close, or still can be."""
        return self.has_heap or not self._is_past

    @property
    def late_notes(self) -> list[str]:
        """A note that culprits may have allocated after the window."""
        if not self._heap_is_late or known(self.heap.profile) is None:
            return []
        return ["the heap profile was taken when check() failed: what the service did after the window is in it too"]

    def on_failure(self) -> list[str]:
        """Take the profiles of a failed window if the service still answers; returns notes on what failed."""
        try:
            self._subject.readers.inside()
        except ObserveError:  # no answer; a verdict that needs a profile says so
            return []
        if self._subject.ending() is not None:
            return []
        taken = {"first heap": self.opening, "heap": self.heap, "goroutine": self.goroutine}
        reasons: dict[str, list[str]] = {}
        for kind, captured in taken.items():
            reason = reason_of(captured.profile)
            if reason and captured.raw is not NOT_TAKEN:
                reasons.setdefault(reason, []).append(kind)
        return [f"no {' and no '.join(kinds)} profile: {reason}" for reason, kinds in reasons.items()]

    def artifacts(self) -> Mapping[str, Captured]:
        """What was taken and is intact, by the names of the report."""
        return {name: captured for name, captured in self._captured.items() if captured.is_whole}


def heap_profile(subject: Subject) -> bytes | Unavailable:
    """A heap profile after two forced collections, with all four sample types."""
    return _taken(subject, lambda inside: inside.heap_profile())


def all_goroutines(subject: Subject) -> tuple[bytes, Stacks] | Unavailable:
    """The same text, and what it says."""
    return _read(goroutine_stacks(subject))


def blocked_goroutines(subject: Subject) -> tuple[bytes, Stacks] | Unavailable:
    """The same after a collection that finds the goroutines which nothing can wake; Unavailable before Go 1.26."""
    return _read(_taken(subject, lambda inside: inside.blocked_stacks()))


def _read(text: bytes | Unavailable) -> tuple[bytes, Stacks] | Unavailable:
    if isinstance(text, Unavailable):
        return text
    from pytest_gomem.observe.stacks import read_stacks

    stacks = read_stacks(text)
    if not stacks.total and stacks.unread:
        return Unavailable("asked for the stacks of its goroutines, the service sent something else")
    return text, stacks


def goroutine_stacks(subject: Subject) -> bytes | Unavailable:
    """The stacks of all goroutines as text, for `observe.stacks`."""
    return _taken(subject, lambda inside: inside.goroutine_stacks())


def _taken(subject: Subject, take: Callable[[Inside], bytes]) -> bytes | Unavailable:
    try:
        return take(subject.readers.inside())
    except ObserveError as error:
        return unanswered(subject, error)
