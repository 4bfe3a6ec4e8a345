"""Watches a running service for a while: does its live heap grow, do its goroutines, and who allocates them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pytest_gomem.attribution.culprits import Findings, find_culprits
from pytest_gomem.attribution.goroutines import GoroutineGroup, goroutine_groups
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, attempt
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.measure.course import Course, course_of
from pytest_gomem.measure.shape import FEWEST
from pytest_gomem.measure.slope import Point
from pytest_gomem.observe.records import MemStats
from pytest_gomem.observe.stacks import read_stacks
from pytest_gomem.pprof.read import parse_profile

READINGS = 30
LIVE_HEAP, GOROUTINES, RSS = "live_heap", "goroutines", "rss"


class Watchable(Protocol):
    """A service that tells its figures and profiles; every method raises ObserveError if it does not answer."""

    def settled(self) -> MemStats:
        """runtime.MemStats after two forced collections."""

    def goroutines(self) -> int:
        """Number of goroutines."""

    def heap_profile(self) -> bytes:
        """The heap profile after two forced collections."""

    def goroutine_stacks(self) -> bytes:
        """The stacks of all goroutines as text."""


class Clock(Protocol):
    """Lets time pass."""

    def now(self) -> float:
        """CLOCK_MONOTONIC, seconds."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


@dataclass(frozen=True)
class Watched:
    """What was seen. readings: each after forced collections. seconds: from the first to the last of them.

    points: of each quantity, in its base unit by seconds. allocated: bytes meanwhile. culprits, groups: what came
    between the profiles before and after, or why that is not known. notes: what cut it short.
    """

    readings: int
    seconds: float
    allocated: int
    points: Mapping[str, tuple[Point, ...]]
    culprits: Findings | Unavailable
    groups: tuple[GoroutineGroup, ...] | Unavailable
    notes: tuple[str, ...] = ()

    def course(self, name: str) -> Course | Unavailable:
        """Whether a quantity grows."""
        points = self.points.get(name, ())
        if len(points) < FEWEST:
            return Unavailable(f"there were {len(points)} readings, and growth needs {FEWEST}")
        return attempt(lambda: course_of(points))


@dataclass
class _Seen:
    points: dict[str, list[Point]] = field(default_factory=dict)
    stats: list[MemStats] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def watch(
    service: Watchable, seconds: float, module: GoModule, *, clock: Clock, rss: Callable[[], int] | None = None
) -> Watched:
    """Watch a service for so many seconds; Ctrl-C, or a service that no longer answers, ends it early.

    module: the user's own. rss: reads resident bytes, None if the process is not of this machine.
    Raises ObserveError if the service does not answer at the beginning.
    """
    heap, stacks = service.heap_profile(), attempt(service.goroutine_stacks)
    seen = _Seen()
    try:
        _read_all(service, seconds, clock, rss, seen)
    except KeyboardInterrupt:
        seen.notes.append("you ended it early")
    except ObserveError as error:
        if not seen.stats:
            raise
        seen.notes.append(f"it ended early: {error}")
    first, last = (seen.stats[0], seen.stats[-1]) if seen.stats else (None, None)
    later = attempt(service.goroutine_stacks)
    return Watched(
        readings=len(seen.stats),
        seconds=last.t - first.t if first and last else 0.0,
        allocated=last.total_alloc - first.total_alloc if first and last else 0,
        points={name: tuple(points) for name, points in seen.points.items()},
        culprits=attempt(lambda: _culprits(heap, service.heap_profile(), module)),
        groups=attempt(lambda: _groups(stacks, later, module)),
        notes=tuple(seen.notes),
    )


def _read_all(service: Watchable, seconds: float, clock: Clock, rss: Callable[[], int] | None, seen: _Seen) -> None:
    """READINGS readings at equal distances; those for which a slow service leaves no time are left out."""
    begin = clock.now()
    for number in range(READINGS):
        wait = begin + number * seconds / (READINGS - 1) - clock.now()
        if wait > 0:
            clock.sleep(wait)
        elif number and clock.now() - begin > seconds:
            return
        goroutines = service.goroutines()
        stats = service.settled()
        found: dict[str, float] = {LIVE_HEAP: stats.heap_alloc, GOROUTINES: goroutines}
        if rss is not None:
            found[RSS] = rss()
        for name, value in found.items():
            seen.points.setdefault(name, []).append((stats.t - begin, value))
        seen.stats.append(stats)


def _culprits(before: bytes, after: bytes, module: GoModule) -> Findings:
    return find_culprits(LIVE_HEAP, [parse_profile(after)], [parse_profile(before)], module)


def _groups(before: bytes | Unavailable, after: bytes | Unavailable, module: GoModule) -> tuple[GoroutineGroup, ...]:
    texts = []
    for text in (before, after):
        if isinstance(text, Unavailable):
            raise ObserveError(text.reason)
        texts.append(read_stacks(text))
    return goroutine_groups(texts[:1], texts[1:], module)
