"""Protocols of what a window is opened on."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from math import inf
from typing import Protocol

from pytest_gomem.base.errors import NoSource, ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.cgroup.reading import GroupReading
from pytest_gomem.config.services import ServiceConfig
from pytest_gomem.launch.launched import Built, Launched
from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.observe.endpoint import PprofEndpoint
from pytest_gomem.observe.records import GcCycle, MemStats, Sample
from pytest_gomem.observe.system import System
from pytest_gomem.session.readers import Readers
from pytest_gomem.supervisor.protocol import ExitRecord

UNTIL_REAPED = 0.1  # seconds from a dying process's closed connections to its end at the supervisor


class Timeline(Protocol):
    """Samples a process."""

    def samples(self, since: float, until: float) -> tuple[Sample, ...]:
        """Points of the timeline between two CLOCK_MONOTONIC instants."""


class GcLog(Protocol):
    """Reads the gctrace lines of a process."""

    def gc_cycles(self, since: float = 0.0, until: float = inf) -> tuple[tuple[GcCycle, ...], int]:
        """GC cycles read between two instants, and how many lines were rejected since the start."""


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
        """Process id; None if only a pprof URL is known."""

    @property
    def timeline(self) -> Timeline | None:
        """The samples."""

    @property
    def kept(self) -> GcLog | None:
        """The GC cycles of a launched process."""

    def agent(self) -> AgentClient | None:
        """The agent built into it, if any."""

    @property
    def group_by(self) -> str:
        """What holds its memory limit, "" without one."""

    def group(self, *, reset_peak: bool = False) -> GroupReading:
        """What its memory cgroup says, at its end if it has ended; raises ObserveError without one.

        reset_peak: let its peaks begin anew afterwards, where the kernel can.
        """

    @property
    def memory_limit(self) -> int | None:
        """What it was launched with, bytes; None without one."""

    @property
    def limit_above(self) -> int | None:
        """The lowest memory limit of the groups that its own lies in, as of a container, bytes; None without one."""

    def kill(self) -> None:
        """End a launched process at once, as the kernel does at its limit."""

    def raise_limit(self, limit: int) -> None:
        """Set a higher memory limit, bytes; raises ObserveError."""

    def ending(self, within: float = 0.0) -> ExitRecord | None:
        """How it ended, None while it lives; waits up to `within` seconds."""

    def ending_words(self) -> str:
        """How it ended, in words."""


class Process(Subject, Protocol):
    """The process of a service, and how it was started; of an attached process little is known.

    has_log: whether the plugin gets its output. is_new: it did no work before the test got it.
    profile_rate: bytes per heap profile sample that the launch set, if any. config: its entry in gomem.yaml; None if
    it has none.
    """

    name: str
    config: ServiceConfig | None
    has_log: bool
    is_new: bool
    profile_rate: int | None

    @property
    def is_checked(self) -> bool:
        """Whether the measured process is known to be the one that answers."""

    @property
    def identity(self) -> Hashable:
        """Equal for two handles of the same process."""

    @property
    def since(self) -> float:
        """When it was started or attached; CLOCK_MONOTONIC seconds."""

    @property
    def built(self) -> Built | None:
        """What it was built from; None if unknown."""

    @property
    def launched(self) -> Launched:
        """How it was started; raises MeasureError for an attached process."""

    @property
    def hidden(self) -> Mapping[str, str]:
        """The values of variables in its settings, and what is shown in their place."""

    def base_url(self, port: str | int | None = None) -> str:
        """`http://HOST:PORT` of a port by name or number, else of the main one; raises MeasureError."""

    def endpoint(self) -> PprofEndpoint:
        """Its pprof endpoint; raises ObserveError if there is none."""

    def shown_log(self) -> str:
        """The kept end of its output, as it may be shown; "" if the plugin does not get it."""

    def requested(self) -> dict[str, str]:
        """The requested GC settings, printable."""

    def in_force(self, stats: MemStats | None, cycles: Sequence[GcCycle]) -> dict[str, str]:
        """The GC settings in force, printable, if known: from the agent, else from these cycles of a window."""

    def conditions(self, in_force: Mapping[str, str]) -> dict[str, str]:
        """What must be equal for figures to compare, by name. in_force: its GC settings."""

    def remarks(self) -> list[str]:
        """Remarks on how it was found or started, its output, its end, and what it runs now."""

    def stop(self) -> None:
        """End a launched process, or stop watching an attached one; what was recorded stays readable."""

    def discard(self) -> None:
        """Stop, and drop what was recorded."""


def unanswered(subject: Subject, error: ObserveError) -> Unavailable:
    """Why a process did not answer: first that it has ended or was stopped, then the error itself."""
    if subject.ending(0.0 if isinstance(error, NoSource) else UNTIL_REAPED) is not None:
        return Unavailable(f"the process {subject.ending_words()}")
    if subject.system.has_ended():  # an attached process
        return Unavailable(f"process {subject.pid} has ended")
    stopped = subject.system.stopped_words()
    return Unavailable(f"{stopped} ({error})" if stopped and stopped != str(error) else str(error))
