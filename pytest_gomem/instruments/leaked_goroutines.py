"""The goroutines that came to be in a window and are still alive 2 s after it, for a limit on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import BYTES, format_value
from pytest_gomem.instruments.goroutines import AT_CLOSE, AT_OPENING
from pytest_gomem.measure.known_goroutines import open_responses
from pytest_gomem.measure.left_goroutines import Exempt, LeftGoroutines, left_goroutines
from pytest_gomem.observe.stacks import Stacks
from pytest_gomem.session.capture import Captured, all_goroutines, blocked_goroutines
from pytest_gomem.session.instrument import Finding, Instrument, Target
from pytest_gomem.session.settling import LONGEST

_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25  # seconds between two looks
_SMALL = 1 << 20  # bytes of stacks, the buffer of runtime/pprof
_NOT_OPENED = Unavailable("the window was not opened")


class LeakedGoroutines(Instrument):
    """Reads all stacks before the window's own readings, and again after them until none is left that counts.

    Each time stops the service for up to 1 s per 10 000 goroutines. exempt: those that do not count.
    """

    name = "leaked_goroutines"

    def __init__(self, exempt: Exempt) -> None:
        self._exempt = exempt
        self._opening: tuple[bytes, Stacks] | Unavailable = _NOT_OPENED
        self._first_cycle: tuple[bytes, Stacks] | Unavailable | None = None
        self._cycles = 0

    def open(self, target: Target) -> None:
        """Read them once the service is at rest: a goroutine that is about to end would hide one that stays."""
        target.readings.settled()
        self._opening, self._first_cycle, self._cycles = all_goroutines(target.subject), None, 0

    def cycled(self, target: Target, number: int) -> None:
        """Read them again after the first cycle: what that has started once is there before the others."""
        self._cycles = number
        if number == 1:
            self._first_cycle = all_goroutines(target.subject)

    def close(self, target: Target) -> Finding:
        """Look until all have ended that count, for 2 s at most."""
        earlier = self._first_cycle if self._first_cycle is not None and self._cycles > 1 else self._opening
        if isinstance(earlier, Unavailable):
            return Finding(left=earlier)
        text, before = earlier
        found = self._last_look(target, before)
        if isinstance(found, Unavailable):
            return Finding({AT_OPENING: Captured(text, ".txt")}, left=found)
        last, left = found
        left = replace(left, since_first_cycle=earlier is not self._opening)
        files = {AT_OPENING: Captured(text, ".txt"), AT_CLOSE: Captured(last, ".txt")}
        return Finding(files, notes=(*_unreturned(target, text), *_unmatched(left), *_unclosed(left)), left=left)

    def _last_look(self, target: Target, before: Stacks) -> tuple[bytes, LeftGoroutines] | Unavailable:
        system, first_seen = target.subject.system, dict[int, float]()
        began, pause = system.now(), _FIRST_PAUSE
        while True:
            asked = system.now()
            found = all_goroutines(target.subject)
            if isinstance(found, Unavailable):
                return found
            text, after = found
            left, now = left_goroutines(before, after, self._exempt), system.now()
            first_seen = {number: first_seen.get(number, now) for number in left.leaked}
            if not left.leaked:
                return text, left
            if now - began >= LONGEST:
                ages = {number: now - at for number, at in first_seen.items()}
                return text, replace(left, ages=ages, blocked=_blocked(target))
            # A look that takes long is not followed by the next at once: it has stopped the service.
            system.sleep(min(max(pause, now - asked), max(began + LONGEST - now, 0.0)))
            pause = min(2 * pause, _LONGEST_PAUSE)


def _unreturned(target: Target, text: bytes) -> Iterator[str]:
    """What the first reading has left in the window's resident memory: only the agent can return free memory."""
    if target.subject.agent() is None and len(text) > _SMALL:
        most = format_value(2 * len(text), BYTES)  # runtime/pprof doubles its buffer until it is large enough
        yield f"the stacks of all goroutines were read first: up to {most} of start_rss and the peaks may be of that"


def _unmatched(left: LeftGoroutines) -> Iterator[str]:
    """Globs that may be mistyped: a service need not have what they mean in each window."""
    if left.leaked and left.unmatched:
        globs = ", ".join(f"'{glob}'" for glob in left.unmatched)
        yield f"ignore_goroutines: no goroutine of this window matches {globs}"


def _unclosed(left: LeftGoroutines) -> Iterator[str]:
    """What to do about connections, whose stacks lie in net/http alone."""
    if count := open_responses(left.leaked.values()):
        which = "1 response is" if count == 1 else f"{count} responses are"
        yield f"{which} neither closed nor read to the end: whoever makes these requests must close response.Body"


def _blocked(target: Target) -> frozenset[int]:
    """Those that nothing can wake, as a collection of their own finds them; none before Go 1.26."""
    found = blocked_goroutines(target.subject)
    stacks = {} if isinstance(found, Unavailable) else found[1].goroutines
    return frozenset(number for number, one in stacks.items() if one.is_blocked_for_ever)
