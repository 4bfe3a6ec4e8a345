"""Reads one process at the edges of a window or phase; what it cannot read is Unavailable with the reason."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, attempt, known, required
from pytest_gomem.cgroup.reading import GroupReading
from pytest_gomem.measure.runtime_metrics import CPU_CLASSES, CYCLES, NAMES
from pytest_gomem.measure.window import RuntimeMetrics, RuntimeValues, number_of
from pytest_gomem.observe.records import KernelReading, MemStats, quantities_of
from pytest_gomem.observe.smaps import SmapsTotals
from pytest_gomem.session.settling import Settled, settle
from pytest_gomem.session.subject import Subject, unanswered


def runtime_pair(
    start: RuntimeValues | Unavailable, end: RuntimeValues | Unavailable, own: Mapping[str, float] | None = None
) -> RuntimeMetrics | Unavailable:
    """runtime/metrics at both edges of a window or phase, if read at both. own: what phases forced in it."""
    return attempt(lambda: RuntimeMetrics(required(start), required(end), own or {}))


def grown(before: RuntimeValues | Unavailable, after: RuntimeValues | Unavailable) -> dict[str, float]:
    """How much the runtime/metrics counters rose that a window reports as differences; {} if one is missing."""
    start, end = known(before) or {}, known(after) or {}
    both = [name for name in (*CPU_CLASSES, CYCLES) if name in start and name in end]
    return {name: number_of(end, name) - number_of(start, name) for name in both}


@dataclass(frozen=True)
class Calibrated:
    """MemStats, and what one reading of the runtime itself allocates, in bytes and objects."""

    memstats: MemStats
    read_bytes: int
    read_objects: int


class Readings:
    """Reads a subject. pss: read the proportional set size too.

    paused: entered while readings force collections; they are not the service's own.
    """

    def __init__(self, subject: Subject, *, pss: bool, paused: Callable[[], AbstractContextManager[None]]) -> None:
        self._subject = subject
        self._system = subject.system
        self._pss = pss
        self._paused = paused

    def now(self) -> float:
        """CLOCK_MONOTONIC, seconds."""
        return self._system.now()

    def kernel(self) -> KernelReading | Unavailable:
        """RSS, its peak, CPU, threads and descriptors."""
        try:
            return self._system.read(pss=self._pss)
        except ObserveError as error:
            return unanswered(self._subject, error)

    def smaps(self) -> SmapsTotals | Unavailable:
        """The mappings."""
        return attempt(self._system.smaps)

    def reset_peak(self) -> bool:
        """Set the kernel's peak to the current RSS; returns whether that worked."""
        return self._subject.may_reset_peak and self._system.reset_peak()

    def group(self, *, reset_peak: bool = False) -> GroupReading | Unavailable:
        """The memory cgroup; reset_peak: and let its peaks begin anew afterwards."""
        return attempt(lambda: self._subject.group(reset_peak=reset_peak))

    def inside(self) -> tuple[RuntimeValues | Unavailable, MemStats | Unavailable]:
        """runtime/metrics, then MemStats: always both in this order, so that each reading costs the same."""
        runtime = self._runtime()
        try:
            return runtime, self._subject.readers.inside().memstats()
        except ObserveError as error:
            return runtime, unanswered(self._subject, error)

    def calibrated(self) -> tuple[RuntimeValues | Unavailable, Calibrated | Unavailable]:
        """Read the runtime twice in a row: the difference is what one reading allocates."""
        first, (runtime, second) = self.inside()[1], self.inside()

        def pair() -> Calibrated:
            before, stats = required(first), required(second)
            return Calibrated(stats, stats.total_alloc - before.total_alloc, stats.mallocs - before.mallocs)

        return runtime, attempt(pair)

    def free(self) -> None:
        """Have the agent return free memory to the system, so that the window's peak is its own.

        A fresh process has some too: from its start-up, and from our own readings.
        """
        agent = self._subject.agent()
        if agent is not None:
            with contextlib.suppress(ObserveError), self._paused():  # the next readings say why
                agent.free()

    def memstats(self) -> MemStats | None:
        """MemStats alone."""
        with contextlib.suppress(ObserveError):
            return self._subject.readers.inside().memstats()
        return None

    def _runtime(self) -> RuntimeValues | Unavailable:
        agent = self._subject.agent()
        if agent is None:
            return Unavailable(f"runtime/metrics need the agent: {self._subject.no_agent}")
        try:
            return agent.metrics(*NAMES)
        except ObserveError as error:
            return unanswered(self._subject, error)

    def closing(self) -> int:
        """How many of its connections are being closed."""
        return self._system.closing_connections()

    def settled(self, at_rest: int | None = None) -> Settled[MemStats] | Unavailable:
        """MemStats and the number of goroutines after forced collections, once they are stable.

        at_rest: goroutines of the service at rest. If there are no more than that, this neither waits nor looks at
        connections, which takes the kernel some 3 ms.
        """
        try:
            inside = self._subject.readers.inside()

            def counted(stats: MemStats) -> MemStats:
                return stats if stats.goroutines is not None else replace(stats, goroutines=inside.goroutines())

            def closing(stats: MemStats) -> int:
                grown = at_rest is None or stats.goroutines is None or stats.goroutines > at_rest
                return self.closing() if grown else 0

            with self._paused():
                return settle(
                    lambda: counted(inside.settled()),
                    lambda: counted(inside.collected()),
                    held=quantities_of,
                    closing=closing,
                    system=self._system,
                    at_rest=at_rest,
                )
        except ObserveError as error:
            return unanswered(self._subject, error)
