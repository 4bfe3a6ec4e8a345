"""Tells a kill at the memory limit of a service: the moment, what it was doing, and what lived."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_gomem.cgroup.reading import SIMULATED, GroupReading
from pytest_gomem.load.spec import Unanswered
from pytest_gomem.observe.records import GcCycle
from pytest_gomem.supervisor.protocol import ExitRecord

# Bytes that the kernel's peak may stay below the limit at a kill: it is charged in batches.
_BATCHES = 1 << 20


@dataclass(frozen=True)
class OomKill:
    """A process of a service that was killed because its group came to its memory limit.

    limit: bytes. by: what held it, such as "cgroup v1"; "simulated" if it was the supervisor. after: seconds since the
    window opened, None if the victim is another process than the service, which still ran or ended in another way.
    request: what the service did not live to answer, as "GET /leak"; "" if no request of the test was on the way, None
    for a program that answers none. number: of a single request, in the window, from 1. answered, asked: of a load.
    live_heap: bytes, as the last GC cycle of the window left it, and `cycle` its number; None if no cycle was seen.
    """

    limit: int
    by: str
    after: float | None
    request: str | None = None
    number: int | None = None
    answered: int | None = None
    asked: int | None = None
    live_heap: int | None = None
    cycle: int | None = None

    @property
    def is_child(self) -> bool:
        """Whether the victim was another process of the service's group."""
        return self.after is None


def is_killed(ended: ExitRecord | None, start: GroupReading | None, last: GroupReading, by: str) -> bool:
    """Whether the service itself was killed at its limit; not one that the machine's own lack of memory killed.

    start: when its window opened. last: when it was reaped. by: what holds the limit. Of a process that only its own
    parent has seen end, such as a shell, the kills of its group tell.
    """
    if ended is None or ended.killed or (ended.is_known and ended.signal != signal.SIGKILL):
        return False
    return bool(ended.oom) if by == SIMULATED and ended.is_known else _came_to_limit(start, last)


def _came_to_limit(start: GroupReading | None, last: GroupReading) -> bool:
    """Whether the kernel has killed some process of the group, and for the group's own limit."""
    kills = (last.oom_kills or 0) - ((start.oom_kills or 0) if start else 0)
    return kills > 0 and (last.peak is None or last.peak >= last.limit - _BATCHES)


def oom_kill(
    ended: ExitRecord | None,
    start: GroupReading | None,
    last: GroupReading,
    by: str,
    opened: float,
    unanswered: Unanswered | None = None,
    cycles: Sequence[GcCycle] = (),
) -> OomKill | None:
    """The kill within a window, None if there was none.

    opened: when the window opened. unanswered: what it did last, None for a program. cycles: of the window. Others as
    in `is_killed`.
    """
    if is_killed(ended, start, last, by):
        assert ended is not None
        heap = cycles[-1] if cycles else None
        live, number = (heap.heap_live, heap.number) if heap else (None, None)
        kill = OomKill(last.limit, by, max(ended.t - opened, 0.0), live_heap=live, cycle=number)
        return kill if unanswered is None else replace(kill, **vars(unanswered))
    return OomKill(last.limit, by, None) if by != SIMULATED and _came_to_limit(start, last) else None
