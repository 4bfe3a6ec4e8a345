"""A running service as a test sees it: its identity, its log, and what you can read from it by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pytest_gomem.base.errors import MeasureError, ObserveError, ServiceDied
from pytest_gomem.config.arguments import checked
from pytest_gomem.config.dump_limits import DEFAULT_LIMITS
from pytest_gomem.config.gc_settings import GcSettings
from pytest_gomem.config.tokens import unexpanded
from pytest_gomem.launch.ending import last_lines
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.measure.bill import Bill, bill
from pytest_gomem.observe import kernel
from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.observe.records import MemStats
from pytest_gomem.observe.smaps import read_smaps
from pytest_gomem.observe.sources import Inside
from pytest_gomem.retention.holding import holders_now
from pytest_gomem.retention.model import Retention
from pytest_gomem.session.subject import Process, unanswered
from pytest_gomem.tracing.model import TraceReport
from pytest_gomem.tracing.taking import LONGEST, ByAgent, ByEndpoint, Taking

_T = TypeVar("_T")


class RunningService:
    """A launched or attached process."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.name = process.name
        self._stopped = False

    def __repr__(self) -> str:
        return f"<gomem service {self.name}, pid {self.pid}>"

    @property
    def pid(self) -> int:
        """Process id; raises MeasureError for a service attached by its pprof URL alone."""
        if self.process.pid is None:
            raise MeasureError(f"{self.name} was attached without a process id")
        return self.process.pid

    @property
    def ports(self) -> Mapping[str, int]:
        """Ports by their names in `{port:NAME}`; the unnamed `{port}` is under ""."""
        return self.process.launched.ports

    @property
    def port(self) -> int:
        """The unnamed `{port}`, or the only one."""
        return self.process.launched.port()

    @property
    def env(self) -> Mapping[str, str]:
        """The environment it was started with."""
        return self.process.launched.env

    @property
    def gc(self) -> GcSettings:
        """The GC settings it was started with."""
        return self.process.launched.gc

    @property
    def memory_limit(self) -> int | None:
        """The memory that it may use, bytes; None without a limit."""
        return self.process.memory_limit

    @checked
    def url(self, path: str = "/", port: str | int | None = None) -> str:
        """The URL of a path on the main or the named port; an attached process takes a port number.

        Raises MeasureError if there is no such port, or if it is ambiguous.
        """
        return f"{self.process.base_url(port)}{path}"

    @checked
    def log(self, tail: int | None = None) -> str:
        """Its stdout and stderr without gctrace lines: the last `tail` lines, or all that is kept."""
        log = self.process.launched.log()
        return log if tail is None else last_lines(log, tail)

    @property
    def hidden(self) -> Mapping[str, str]:
        """The values of variables in its settings, and what is shown in their place."""
        return self.process.hidden

    def shown_log(self, tail: int | None = None) -> str:
        """The log as it may be shown; "" for an attached process."""
        log = self.process.shown_log()
        return log if tail is None else last_lines(log, tail)

    def _stopped_words(self) -> str:
        words = kernel.stopped_words(self.process.pid)
        return f"\n  {words}" if words else ""

    def gc_now(self) -> None:
        """Force two collections; raises ObserveError without an agent or a pprof endpoint."""
        self._ask(lambda inside: inside.collect())

    def heap_profile(self) -> bytes:
        """A heap profile after two forced collections, for `go tool pprof`; raises ObserveError."""
        return self._ask(lambda inside: inside.heap_profile())

    @checked
    def allocs_profile(self, seconds: float | None = None) -> bytes:
        """The allocs profile since the start, or of the next `seconds`; raises ObserveError."""
        return self._ask(lambda inside: inside.allocs_profile(seconds))

    def goroutines(self) -> int:
        """Number of goroutines now, including the one that answers; raises ObserveError."""
        return self._ask(lambda inside: inside.goroutines())

    def memstats(self) -> MemStats:
        """runtime.MemStats now; reading allocates 17-170 kB in the service. Raises ObserveError."""
        return self._ask(lambda inside: inside.memstats())

    def bill(self) -> Bill:
        """Where its resident memory is now: rows that sum to RSS; raises ObserveError."""
        return bill(read_smaps(self.pid), self.memstats())

    def _holders(self, agent: AgentClient, keep: Path | None) -> Retention:
        built, config = self.process.built, self.process.config
        assert built is not None, "a service with the agent was built here"
        limits = DEFAULT_LIMITS if config is None else config.retention
        try:
            return holders_now(agent, built, limits, keep)
        except ObserveError as error:
            raise ObserveError(unanswered(self.process, error).reason) from None

    def _tracing(self, most: int, seconds: float | None) -> tuple[Path | None, Callable[[Path], Taking]]:
        """Where a trace is written, None if not by the agent, and what begins one; raises ObserveError."""
        self.process.readers.ask_again()
        if (agent := self.process.agent()) is not None:
            return agent.folder, lambda path: ByAgent(agent, path, most, LONGEST if seconds is None else seconds)
        if seconds is None:
            hint = "with seconds= its length is asked of net/http/pprof, if the service has that"
            raise ObserveError(
                f"service '{self.name}' has no agent that takes a trace: {self.process.no_agent}; {hint}"
            )
        url = self.process.endpoint().url
        return None, lambda path: ByEndpoint(url, path, seconds)

    def _read_trace(self, path: Path) -> TraceReport:
        from pytest_gomem.tracing.named import read_named

        return read_named(path, self.module)

    def free(self) -> None:
        """Force two collections and return free memory to the system; raises ObserveError without an agent."""
        self._agent().free()

    @checked
    def set_gc_percent(self, percent: int | None) -> int | None:
        """debug.SetGCPercent in the running service, None is off; returns the former value. Needs the agent."""
        return self._agent().set_gc_percent(percent)

    @checked
    def set_memory_limit(self, limit: int | None) -> int | None:
        """debug.SetMemoryLimit in bytes, None is no limit; returns the former value. Needs the agent."""
        return self._agent().set_memory_limit(limit)

    def _ask(self, question: Callable[[Inside], _T]) -> _T:
        self.process.readers.ask_again()  # a reading by hand must be of now
        try:
            return question(self.process.readers.inside())
        except ObserveError as error:  # it names a URL, which may hold the value of a variable
            raise type(error)(unexpanded(str(error), self.hidden)) from None

    def _agent(self) -> AgentClient:
        self.process.readers.ask_again()
        agent = self.process.agent()
        if agent is None:
            raise ObserveError(f"service '{self.name}' has no agent: {self.process.no_agent}")
        return agent

    def check_alive(self, within: float = 0.0) -> None:
        """Raise ServiceDied, with the cause and the last log lines, if the process ended on its own.

        within: seconds to wait for its end, if there is a sign of one.
        """
        if not self._stopped and self.process.ending(within) is not None:
            raise ServiceDied(self.name, self.process.ending_words(), self.shown_log(tail=20))

    @property
    def module(self) -> GoModule:
        """What the binary was built from; unknown for an attached process."""
        built = self.process.built
        return GoModule() if built is None else built.info.module
