"""Reads what a process holds again and again, until two readings agree or time is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from pytest_gomem.base.units import BYTES, COUNT, Unit, format_value
from pytest_gomem.observe.system import System

LONGEST = 2.0  # seconds
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.25  # seconds between readings
_FEW = 1  # goroutine more than at rest, for a connection that the test keeps: no comparison counts it
# How much two readings of a service at rest may differ, absolute and relative: timers and the readings' own garbage.
_STEADY: tuple[tuple[str, str, Unit, float, float], ...] = (
    ("goroutines", "goroutines", COUNT, 0, 0.0),
    ("heap_alloc", "live heap", BYTES, 16 * 1024, 1e-3),
    ("heap_objects", "heap objects", COUNT, 100, 1e-3),
)
_T = TypeVar("_T")


@dataclass(frozen=True)
class Settled(Generic[_T]):
    """The last reading. unrest: in words, how it still changed when time was over; "" at rest."""

    last: _T
    unrest: str = ""


def settle(
    read: Callable[[], _T],
    again: Callable[[], _T],
    *,
    held: Callable[[_T], Mapping[str, float]],
    closing: Callable[[_T], int],
    system: System,
    at_rest: float | None = None,
) -> Settled[_T]:
    """Read, and read `again` until two readings agree with no connection `closing` between them.

    A goroutine that is about to end is not left over by a test, nor is what it holds. This takes 2 s and one reading
    at most. held: canonical names of the quantities that must agree. at_rest: goroutines of the service at rest. If
    there are more, they must be stable for 0.25 s, since workers that sleep or wait are stable for a millisecond too.
    Raises what the readings raise.
    """
    began, pause, before = system.now(), _FIRST_PAUSE, read()
    while True:
        connections = closing(before)
        many = at_rest is not None and held(before).get("goroutines", 0) > at_rest + _FEW
        wait = _LONGEST_PAUSE if many else pause
        system.sleep(wait)
        after = again()
        moved = list(_moved(held(before), held(after)))
        if not moved and not connections:
            return Settled(after)
        pause = min(2 * pause, _LONGEST_PAUSE)
        passed = system.now() - began
        if passed + max(pause, wait) > LONGEST:
            were = "was" if connections == 1 else "were"
            still = moved or [f"{connections} of its connections {were} still being closed"]
            return Settled(after, f"the service did not come to rest within {passed:.1f} s: {', '.join(still)}")
        before = after


def _moved(before: Mapping[str, float], after: Mapping[str, float]) -> Iterator[str]:
    for name, words, unit, absolute, relative in _STEADY:
        old, new = before.get(name), after.get(name)
        if old is not None and new is not None and abs(new - old) > absolute + relative * old:
            yield f"{words} moved from {format_value(old, unit)} to {format_value(new, unit)}"
