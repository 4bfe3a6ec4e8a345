"""Owns reading one process at the edges of a window or phase; what cannot be read is Missing with the reason."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace

from pytest_gomem.errors import ObserveError
from pytest_gomem.measure.runtime_metrics import NAMES
from pytest_gomem.measure.window import Missing, RuntimeMetrics
from pytest_gomem.observe import kernel
from pytest_gomem.observe.agent.records import Histogram
from pytest_gomem.observe.records import KernelReading, MemStats
from pytest_gomem.observe.smaps import SmapsTotals, read_smaps
from pytest_gomem.session.peaks import unlooked
from pytest_gomem.session.subject import Subject, unanswered

RuntimeValues = Mapping[str, int | float | Histogram]


def runtime_pair(start: RuntimeValues | Missing, end: RuntimeValues | Missing) -> RuntimeMetrics | Missing:
    """runtime/metrics at both edges of a window or phase, if they were read at both."""
    if isinstance(start, Missing):
        return start
    return end if isinstance(end, Missing) else RuntimeMetrics(start, end)


class Readings:
    """What is read of a subject. pss: read the proportional set size too."""

    def __init__(self, subject: Subject, *, pss: bool) -> None:
        self._subject = subject
        self._pss = pss

    def kernel(self) -> KernelReading | Missing:
        """RSS, its peak, CPU, threads and descriptors."""
        pid = self._subject.pid
        if pid is None:
            return Missing("only a pprof URL is known, no process id to read RSS from")
        try:
            return kernel.read(pid, tree=self._subject.tree, pss=self._pss)
        except ObserveError as error:
            return unanswered(self._subject, error)

    def smaps(self) -> SmapsTotals | Missing:
        """The mappings."""
        pid = self._subject.pid
        if pid is None:
            return Missing("only a pprof URL is known, no process id to read mappings from")
        try:
            return read_smaps(pid)
        except ObserveError as error:
            return Missing(str(error))

    def reset_peak(self) -> bool:
        """Set the kernel's peak to the current RSS; whether that could be done."""
        pid = self._subject.pid
        if pid is None or not self._subject.may_reset_peak:
            return False
        try:
            members = kernel.family(pid, self._subject.tree)
        except ObserveError:
            return False
        resets = [kernel.reset_peak(member.pid) for member in members]
        return all(resets)

    def inside(self) -> tuple[RuntimeValues | Missing, MemStats | Missing]:
        """runtime/metrics, then MemStats: always both in this order, so that each such reading costs the same."""
        runtime = self._runtime()
        try:
            return runtime, self._subject.inside().memstats()
        except ObserveError as error:
            return runtime, unanswered(self._subject, error)

    def memstats(self) -> MemStats | None:
        """MemStats alone."""
        with contextlib.suppress(ObserveError):
            return self._subject.inside().memstats()
        return None

    def _runtime(self) -> RuntimeValues | Missing:
        agent = self._subject.agent()
        if agent is None:
            return Missing(f"runtime/metrics need the agent: {self._subject.no_agent}")
        try:
            return agent.metrics(*NAMES)
        except ObserveError as error:
            return unanswered(self._subject, error)

    def settled(self) -> MemStats | Missing:
        """MemStats and the number of goroutines after two forced collections."""
        try:
            inside = self._subject.inside()
            with unlooked(self._subject):
                stats = inside.settled()
            return stats if stats.goroutines is not None else replace(stats, goroutines=inside.goroutines())
        except ObserveError as error:
            return unanswered(self._subject, error)
