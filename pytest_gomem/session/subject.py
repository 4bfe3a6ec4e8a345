"""What a window is opened on, as windows see it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from math import inf
from typing import Protocol

from pytest_gomem.base.errors import NoSource, ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.config.services import ServiceConfig
from pytest_gomem.launch.launched import Built, Launched
from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.observe.records import GcCycle, MemStats, Sample
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

    def agent(self) -> AgentClient | None:
        """The agent built into it; None where there is none."""

    def ending(self, within: float = 0.0) -> ExitRecord | None:
        """How it ended, None while it lives; waits up to `within` seconds for that."""

    def ending_words(self) -> str:
        """How it ended, in words."""


class Process(Subject, Protocol):
    """What a service stands on, and what is known of how it was started; the process of others knows little of that.

    has_log: whether its output comes to us. is_new: nothing has happened in it before it was handed to us.
    rate_of_budgets: the profile rate that budgets on functions have set; None where they set none. config: what
    gomem.yaml says of it; None where it stands in none.
    """

    name: str
    config: ServiceConfig | None
    has_log: bool
    is_new: bool
    rate_of_budgets: int | None

    @property
    def is_checked(self) -> bool:
        """Whether the process that is measured is known to be the one that answers."""

    @property
    def identity(self) -> Hashable:
        """What two handles of one and the same process have in common."""

    @property
    def since(self) -> float:
        """When it was started, or when its watching began; CLOCK_MONOTONIC seconds."""

    @property
    def built(self) -> Built | None:
        """What it was built from; None where that is not known."""

    @property
    def launched(self) -> Launched:
        """How it was started; raises MeasureError where others have started it."""

    @property
    def hidden(self) -> Mapping[str, str]:
        """The values of variables of its settings, and what is shown in their place."""

    def base_url(self, port: str | int | None = None) -> str:
        """`http://HOST:PORT` of a port by its name or number, else of the main one; raises MeasureError."""

    def shown_log(self) -> str:
        """The kept end of its output, as it may be shown; "" where that does not come to us."""

    def requested(self) -> dict[str, str]:
        """The GC settings asked for, printable."""

    def in_force(self, stats: MemStats | None, cycles: Sequence[GcCycle]) -> dict[str, str]:
        """The GC settings in force, printable, as far as anybody tells them: the agent, else these of a window."""

    def conditions(self, in_force: Mapping[str, str]) -> dict[str, str]:
        """What of it must be the same for figures to compare, by name. in_force: its GC settings."""

    def remarks(self) -> list[str]:
        """What is to be said of how it was found or started, of its output, its end, and of what it has become."""

    def stop(self) -> None:
        """End it, or let go of one that is not ours; what was recorded stays readable."""

    def discard(self) -> None:
        """Stop, and drop what was recorded."""


def unanswered(subject: Subject, error: ObserveError) -> Unavailable:
    """Why a process did not answer: that it has ended, or what stopped it, goes before what was seen of it."""
    if subject.ending(0.0 if isinstance(error, NoSource) else UNTIL_REAPED) is not None:
        return Unavailable(f"the process {subject.ending_words()}")
    if subject.system.has_ended():  # one that is not ours
        return Unavailable(f"process {subject.pid} has ended")
    stopped = subject.system.stopped_words()
    return Unavailable(f"{stopped} ({error})" if stopped and stopped != str(error) else str(error))
