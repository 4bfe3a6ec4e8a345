"""The heap profile of a window's highest GC cycle: looked for from its opening on, read at its close."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.observe.agent.client import read_peak
from pytest_gomem.observe.agent.records import Peak
from pytest_gomem.session.subject import Subject

_NOT_SAID = Unavailable("gomem.yaml does not say peak_profile: true, which keeps it")
_STILL_OPEN = Unavailable("the profile of the peak is read when the window closes")


@dataclass(frozen=True)
class KeptPeak:
    """The profile as the agent wrote it, or why there is none; cycle: the number of its GC cycle, where known."""

    profile: bytes | Unavailable
    cycle: int | None = None


class Peaks:
    """The peak of one window: what the agent kept for an earlier window on the same process is forgotten here.

    Each new peak forces a GC cycle and may write a profile, both in the service: `notes` says how many.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._failed: Unavailable | None = None
        self._forced, self._written = 0, 0
        self._before = self._begin()
        self.kept = KeptPeak(_not_looked_for(subject) if subject.peak_file is None else _STILL_OPEN)

    def _begin(self) -> Peak | None:
        agent, path = self._subject.agent(), self._subject.peak_file
        if agent is None or path is None:
            return None
        with contextlib.suppress(ObserveError):  # refused where an earlier window has started it
            agent.start_peak(path)
        try:
            agent.hold_peak()
            agent.reset_peak()
            agent.gc()
            agent.look_peak()  # the first cycle is always a peak: its profile is none of the window's cost
            return agent.peak()
        except ObserveError as error:  # what is in the file may be an earlier window's
            self._failed = Unavailable(f"the profile of the peak was not begun: {error}")
            return None

    def count(self) -> None:
        """Count what the looking has cost since the opening; nothing where the agent cannot say."""
        agent = self._subject.agent()
        if agent is None or self._before is None:
            return
        with contextlib.suppress(ObserveError):
            now = agent.peak()
            self._forced, self._written = now.forced - self._before.forced, now.kept - self._before.kept

    def close(self) -> None:
        """Read the file, before the next window's opening removes it; also of a service that has died."""
        path = self._subject.peak_file
        if path is None:
            return
        if self._failed is not None:
            self.kept = KeptPeak(self._failed)
            return
        try:
            found = read_peak(path)
        except ObserveError as error:
            self.kept = KeptPeak(Unavailable(str(error)))
            return
        self.kept = KeptPeak(found.profile, found.peak.cycle)

    def notes(self) -> list[str]:
        """What the looking has added to the window's figures."""
        if not self._forced and not self._written:
            return []
        return [
            f"peak_profile: true forced GC cycles ({self._forced}) and wrote profiles ({self._written}) in this "
            "window: its gc_* figures count the cycles, and total_alloc, allocs, alloc_bytes_per_op and the like what "
            "the writing allocated"
        ]


@contextlib.contextmanager
def unlooked(subject: Subject) -> Iterator[None]:
    """Look at no cycle inside of the block, and at its last one behind it.

    Collections that are forced for a reading would else set off a profile, whose writing that reading then shows: some
    850 kB of live heap.
    """
    agent = subject.agent() if subject.peak_file is not None else None
    if agent is None:
        yield
        return
    with contextlib.suppress(ObserveError):  # whoever reads inside of the block says why it does not answer
        agent.hold_peak()
    try:
        yield
    finally:
        with contextlib.suppress(ObserveError):
            agent.look_peak()


def _not_looked_for(subject: Subject) -> Unavailable:
    if subject.agent() is None:
        return Unavailable(f"peak_profile: true needs the agent: {subject.no_agent}")
    return _NOT_SAID
