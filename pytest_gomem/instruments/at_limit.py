"""The heap profile of the moment at which a service comes to its memory limit, which it may exceed for that."""

from __future__ import annotations

import contextlib
import threading
import time

import psutil

from pytest_gomem.base.errors import GomemError, ObserveError
from pytest_gomem.base.unavailable import Unavailable, attempt
from pytest_gomem.base.units import BYTES, format_value
from pytest_gomem.cgroup.reading import GroupReading
from pytest_gomem.config.gc_settings import go_bytes
from pytest_gomem.instruments.goroutines import AT_CLOSE, AT_OPENING
from pytest_gomem.instruments.peak_profile import PEAK
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.observe.agent.unasked import Kept
from pytest_gomem.observe.endpoint import PprofEndpoint
from pytest_gomem.observe.sources import Inside
from pytest_gomem.session.capture import HEAP, Captured, goroutine_stacks
from pytest_gomem.session.instrument import Finding, Instrument, Target
from pytest_gomem.session.life import EndedProgram
from pytest_gomem.session.subject import Subject, unanswered

_EVERY = 0.004  # seconds between looks at the group; a program that writes 2 GB/s uses 8 MB more meanwhile
_TIMES, _ROOM = 4, 512 << 20  # how far beyond its limit a service may get: one request may ask for much at once
_OF_FREE = 0.5  # of the memory that the machine or the container has
# Of its figures, bytes: the most that the group used of what cannot be reclaimed, and the limit.
CAME_TO, LIMIT = "came_to", "limit"


class AtLimit(Instrument):
    """Raises the limit when the window opens, takes the profile at the old one, and ends the service then.

    The launch sees the limit of every other round: what the program makes of it (GOMEMLIMIT, automemlimit) stays.
    """

    name = "at_limit"

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None
        self._stacks: bytes | Unavailable = Unavailable("the window was not opened")
        self._found: dict[str, Captured] = {}
        self._limit = self._raised = self._came_to = 0
        self._failed = Unavailable("the service has no memory limit")

    def launch(self) -> Overrides:
        """Nobody can ask a program that ends by itself: the agent in it keeps the profile of its highest cycle."""
        return Overrides(kept=frozenset({Kept.PEAK}))

    def started(self, program: Subject) -> None:
        """Let it exceed its limit; it is not ended there."""
        self._raise(program)

    def open(self, target: Target) -> None:
        """Watch its memory from now on."""
        self._end()
        self._found, self._came_to = {}, 0
        self._stacks = goroutine_stacks(target.subject)
        if self._raise(target.subject):
            self._stop = threading.Event()
            self._watcher = threading.Thread(target=self._watch, args=(target.subject, self._stop), daemon=True)
            self._watcher.start()

    def watched(self, seconds: float) -> None:
        """Wait until its watch has come to its end, at most so long."""
        if self._watcher is not None:
            self._watcher.join(seconds)

    def _raise(self, subject: Subject) -> bool:
        """Raise the limit, unless an earlier window on the process has done so; returns whether it is raised."""
        try:
            now = subject.group().limit
            self._limit = subject.memory_limit or now
            self._raised = max(_raised(self._limit, subject.limit_above), now)
            subject.raise_limit(self._raised)
        except ObserveError as error:
            self._failed = Unavailable(f"its memory limit could not be raised: {error}")
            return False
        return True

    def _watch(self, subject: Subject, stop: threading.Event) -> None:
        with contextlib.suppress(GomemError):  # it is gone, or its supervisor is
            while not stop.wait(_EVERY) and subject.ending() is None:
                used = unreclaimable(subject.group())
                self._came_to = max(self._came_to, used)
                if used >= self._limit:
                    self._take(subject)
                    subject.kill()
                    return

    def _take(self, subject: Subject) -> None:
        began = time.monotonic()
        try:
            inside = _own_connection(subject.readers.inside())
            # Without forced collections it is at hand at once, and lacks what came since the last one.
            early, whole = attempt(inside.allocs_profile), attempt(inside.heap_profile)
            stacks = attempt(inside.goroutine_stacks)
        except ObserveError as error:
            self._failed = unanswered(subject, error)
            return
        profile = whole if isinstance(whole, bytes) else early
        if isinstance(profile, Unavailable):
            seconds = time.monotonic() - began
            self._failed = Unavailable(
                f"it came to its limit of {go_bytes(self._limit)}, and its profile could not be taken within "
                f"{seconds:.2f} s, with {go_bytes(self._raised)} of room: {profile.reason}"
            )
            return
        self._found = {PEAK: Captured(profile), HEAP: Captured(profile), AT_CLOSE: Captured(stacks, ".txt")}

    def _end(self) -> None:
        self._stop.set()
        if self._watcher is not None:
            self._watcher.join()
        self._watcher = None

    def close(self, target: Target) -> Finding:
        """The profile, or why there is none."""
        was_watched = self._watcher is not None
        self._end()
        if was_watched and self._came_to < self._limit:
            self._failed = self._not_again()
        figures = {CAME_TO: float(self._came_to), LIMIT: float(self._limit)} if was_watched else {}
        missing = {PEAK: Captured(self._failed), HEAP: Captured(self._failed)}
        return Finding({AT_OPENING: Captured(self._stacks, ".txt"), **(self._found or missing)}, figures)

    def ended(self, program: EndedProgram) -> Finding:
        """The profile of its highest cycle, if it came to its limit."""
        last = program.group
        if last is not None and self._raised:
            self._came_to = max(last.anon_peak or 0, last.peak or 0)
        try:
            profile = Captured(program.peak_profile().profile)
        except ObserveError as error:
            profile = Captured(Unavailable(str(error)))
        if self._came_to < self._limit:
            profile = Captured(self._not_again())
        figures = {CAME_TO: float(self._came_to), LIMIT: float(self._limit)} if self._raised else {}
        return Finding({PEAK: profile, HEAP: profile}, figures)

    def _not_again(self) -> Unavailable:
        most = format_value(self._came_to, BYTES)
        return Unavailable(
            f"the observed round did not come to the limit of {go_bytes(self._limit)} again: it used {most} at most"
        )


def unreclaimable(reading: GroupReading) -> int:
    """Bytes of a group that the kernel cannot take back, as it can the pages of files."""
    if reading.current is None:
        return reading.anon or 0
    return reading.current - (reading.file or 0) + (reading.shmem or 0)


def _raised(limit: int, above: int | None) -> int:
    """What a service may use in the round, of what the machine, or its container with a limit `above`, has free."""
    free = psutil.virtual_memory().available
    if above is not None:
        free = min(free, max(above - limit, 0))
    return limit + min((_TIMES - 1) * limit + _ROOM, round(_OF_FREE * free))


def _own_connection(inside: Inside) -> Inside:
    """The test may be reading by the other one; the agent's may be shared."""
    return PprofEndpoint(inside.url) if isinstance(inside, PprofEndpoint) else inside
