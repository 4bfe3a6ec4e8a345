"""What a window is opened on, as windows see it."""

from __future__ import annotations

from math import inf
from typing import Protocol

from pytest_gomem.base.errors import NoSource, ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.observe.records import GcCycle, Sample
from pytest_gomem.observe.sources import Inside
from pytest_gomem.observe.system import System
from pytest_gomem.session.readers import Readers
from pytest_gomem.supervisor.protocol import ExitRecord

UNTIL_REAPED = 0.1  # seconds from where a dying process closes its connections to where the supervisor hears of its end


class Timeline(Protocol):
    """Who samples a process."""

    def samples(self, since: float, until: float) -> tuple[Sample, ...]:
        """Points of the timeline between two CLOCK_MONOTONIC instants."""


class GcLog(Protocol):
    """Who reads the gctrace lines of a process."""

    def gc_cycles(self, since: float = 0.0, until: float = inf) -> tuple[tuple[GcCycle, ...], int]:
        """GC cycles whose line was read between two instants, and how many lines were rejected since the start."""


class Subject(Protocol):
    """What a window is opened on: a launched or an attached process.

    system: the time, and what the kernel says of the process.
    """

    system: System
    tree: bool
    sample_rate: float
    may_reset_peak: bool
    gomaxprocs: int | None
    readers: Readers
    no_agent: str
    no_gctrace: str
    startup_peak: int | Unavailable

    @property
    def pid(self) -> int | None:
        """Process id; None where only a pprof URL is known."""

    @property
    def timeline(self) -> Timeline | None:
        """Where the samples are."""

    @property
    def kept(self) -> GcLog | None:
        """Where the GC cycles are, of a process that we launched."""

    def inside(self) -> Inside:
        """Who tells all of its MemStats: the most trusted source that does; raises ObserveError when there is none."""

    def agent(self) -> AgentClient | None:
        """The agent built into it; None where there is none."""

    def ending(self, within: float = 0.0) -> ExitRecord | None:
        """How it ended, None while it lives; waits up to `within` seconds for that."""

    def ending_words(self) -> str:
        """How it ended, in words."""


def unanswered(subject: Subject, error: ObserveError) -> Unavailable:
    """Why a process did not answer: that it has ended, or what stopped it, goes before what was seen of it."""
    if subject.ending(0.0 if isinstance(error, NoSource) else UNTIL_REAPED) is not None:
        return Unavailable(f"the process {subject.ending_words()}")
    if subject.system.has_ended():  # one that is not ours
        return Unavailable(f"process {subject.pid} has ended")
    stopped = subject.system.stopped_words()
    return Unavailable(f"{stopped} ({error})" if stopped and stopped != str(error) else str(error))
