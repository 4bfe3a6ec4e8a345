"""A launched process, as windows see it: which process of its tree serves, and how it ends."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from pytest_gomem.base.errors import ObserveError, SupervisorError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.cgroup.reading import GroupReading
from pytest_gomem.config.gc_settings import DEFAULT_GOMAXPROCS, check_agent, described, go_bytes
from pytest_gomem.config.memory_limit import MEMORY_LIMIT
from pytest_gomem.config.services import ServiceConfig
from pytest_gomem.config.tokens import expand
from pytest_gomem.launch import ending
from pytest_gomem.launch.launched import Built, Launched
from pytest_gomem.launch.limit import limit_words
from pytest_gomem.launch.ports import HOST
from pytest_gomem.launch.serving import holds_port, left_behind
from pytest_gomem.observe import kernel
from pytest_gomem.observe.agent.answers import Answers
from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.observe.agent.unasked import Unasked
from pytest_gomem.observe.effective import effective_settings, settings_in_force
from pytest_gomem.observe.endpoint import PprofEndpoint, find_endpoint
from pytest_gomem.observe.records import GcCycle, MemStats
from pytest_gomem.observe.sources import SOURCES, Source
from pytest_gomem.observe.system import System
from pytest_gomem.session.conditions import launched_conditions
from pytest_gomem.session.readers import Readers
from pytest_gomem.supervisor.protocol import ChildState, ExitRecord, GroupState

PPROF_PATH = "/debug/pprof"
_AGENT_TIMEOUT = 5.0
_STARTER_PATIENCE = 0.3  # seconds that a wrapper may outlive what it started
GCTRACE_IS_OFF = "gc.godebug switches gctrace off for this service"
_NOT_AWAITED = Unavailable("nobody knows when its start has ended: gomem.yaml says by `ready` when a service is ready")


class LaunchedProcess:
    """A service or program that runs under the supervisor."""

    may_reset_peak = has_log = is_new = True

    def __init__(
        self, launched: Launched, sample_rate: float, environ: Mapping[str, str], sources: Sequence[Source] = SOURCES
    ) -> None:
        self.launched = launched
        self.kept = self.timeline = launched.child
        self.since = launched.child.started
        self.built: Built | None = launched.built
        self.hidden = launched.hidden
        self.config: ServiceConfig | None = launched.config
        self.name = launched.config.name
        self.tree = launched.config.tree
        self.system = System(self.pid, tree=self.tree)
        self.sample_rate = sample_rate
        self.gomaxprocs: int | None = launched.gc.gomaxprocs or DEFAULT_GOMAXPROCS
        self.no_gctrace = self._why_no_gctrace()
        self.profile_rate = launched.profile_rate
        self._environ = environ
        self._endpoint: PprofEndpoint | ObserveError | None = None
        self._final: ExitRecord | None = None
        self._first_image = self.system.image()
        self.no_agent = launched.no_agent
        self.startup_peak: int | Unavailable = _NOT_AWAITED if launched.startup_peak is None else launched.startup_peak
        self._agent = self._connect(launched)
        # That of a program that ends by itself has no socket.
        check_agent(launched.gc, "" if self._agent or launched.record else self.no_agent, launched.config.place)
        self.readers = Readers(sources, self, self.system)

    @property
    def pid(self) -> int:
        """Process id of the process that serves; it may not be the one that was started."""
        return self.launched.serving.pid

    @property
    def identity(self) -> LaunchedProcess:
        """Itself: there is no other handle of it."""
        return self

    def endpoint(self) -> PprofEndpoint:
        """Its pprof endpoint, searched once; raises ObserveError if there is none or the process has ended."""
        if self._endpoint is None:
            try:
                self._endpoint = find_endpoint(self._pprof_urls())
            except ObserveError as error:
                strange = "".join(f"; pid {self.pid} is not who answers on port {port}" for port in self._strange_ports)
                self._endpoint = ObserveError(f"{error}{strange}")
        if isinstance(self._endpoint, ObserveError):
            raise ObserveError(str(self._endpoint))
        return self._endpoint

    def agent(self) -> AgentClient | None:
        """The agent built into it, if any."""
        return self._agent

    @cached_property
    def unasked(self) -> Unasked | None:
        """What the agent of a program that ended by itself has answered; None without an agent. To be read then."""
        if self.launched.record is None:
            return None
        answers = Unasked(self.launched.record)
        if not answers.has_started:
            self.no_agent = "the program ended before the agent in it started"
            return None
        return answers

    def _connect(self, launched: Launched) -> AgentClient | None:
        if launched.socket is None:
            return None
        client = AgentClient(launched.socket)
        try:
            answering = client.wait(_AGENT_TIMEOUT).pid
        except ObserveError as error:
            self.no_agent = str(error)
            client.close()
            return None
        if answering in kernel.pids_by_namespace(self.pid):
            return client
        self.no_agent = f"the agent that answers is in pid {answering}, and what serves is pid {self.pid}"
        client.close()
        return None

    def _why_no_gctrace(self) -> str:
        if gctrace_is_off(self.launched):
            return GCTRACE_IS_OFF
        if not kernel.may_print_gctrace(self.pid):
            return "it runs without our GODEBUG: what started it has cleared its environment, as `env -i` or sudo do"
        return self.launched.serving.no_gctrace

    def remarks(self) -> list[str]:
        """Remarks on how it was found and started, its output, its end, and what it runs now."""
        serving = self.launched.serving
        notes = [] if not serving.is_checked and self._agent is not None else list(serving.notes)
        changed = replaced(self.pid, self._first_image, self.system.image(), "it was ready")
        return [*notes, *changed, *self.launched.source.notes, *self._troubles()]

    def _troubles(self) -> Iterator[str]:
        limit, of_go = self.launched.memory_limit, self.launched.gc.gomemlimit
        if limit is not None and isinstance(of_go, int) and of_go > limit.max:
            above = f"GOMEMLIMIT is {go_bytes(of_go)}, above the memory limit of {limit}"
            yield f'{above}: the collector takes no heed of it; gomemlimit: "90%" follows the limit'
        around = self.limit_above
        if limit is not None and around is not None and around < limit.max:
            above = f"the memory limit of {limit} is above the one of {go_bytes(around)} that holds for pytest itself"
            yield f"{above}, as of a container: the service is killed there, and memory_headroom does not know it"
        ended = self.ending()
        if ended is not None and ended.code != 0 and not limit_words(self.kept, ended):  # of which a verdict tells
            yield f"the process {self.ending_words()}"
        state = self.kept.state()
        if state.stalls:
            held = f"{state.stalled:.2f} s at most"
            yield f"its output pipe was full {state.stalls} times: writing to the log held it up for {held}"
        if self.launched.port_tries > 1:
            yield f"it lost the race for its port and was started {self.launched.port_tries} times"

    def requested(self) -> dict[str, str]:
        """The requested GC settings and memory limit, printable."""
        limit = self.launched.memory_limit
        return {**described(self.launched.gc), **({} if limit is None else {MEMORY_LIMIT: str(limit)})}

    def in_force(self, stats: MemStats | None, cycles: Sequence[GcCycle]) -> dict[str, str]:
        """The settings in force, printable: the GC's from the agent, else from these cycles of a window."""
        limit = self.launched.memory_limit
        by = {} if limit is None else {MEMORY_LIMIT: f"{go_bytes(limit.max)}, {self.group_by}"}
        return {**self._gc_in_force(stats, cycles), **by}

    def _gc_in_force(self, stats: MemStats | None, cycles: Sequence[GcCycle]) -> dict[str, str]:
        asked = self._agent or (None if self.unasked is None else Answers(self.unasked))
        if asked is not None:
            with contextlib.suppress(ObserveError):  # a dead service: only the gctrace lines are left
                return settings_in_force(asked.settings())
        return effective_settings(self.launched.gc, stats, cycles)

    def conditions(self, in_force: Mapping[str, str]) -> dict[str, str]:
        """What must be equal for figures to compare, by name. in_force: its GC settings."""
        return launched_conditions(self.launched, in_force, has_agent=not self.no_agent)

    @cached_property
    def _group_state(self) -> GroupState | None:
        return self.kept.state().group if self.launched.memory_limit else None

    @property
    def limit_above(self) -> int | None:
        """The lowest memory limit of the groups that its own lies in, as of a container, bytes; None without one."""
        return None if self._group_state is None else self._group_state.above

    @property
    def group_by(self) -> str:
        """What holds its memory limit, such as "cgroup v1" or "simulated"; "" without one."""
        return "" if self._group_state is None else self._group_state.by

    def group(self, *, reset_peak: bool = False) -> GroupReading:
        """What its memory cgroup says, at its end if it has ended; raises ObserveError without one."""
        if not self.group_by:
            raise ObserveError("it ran without a memory limit: say memory_limit in gomem.yaml, or in launch()")
        try:
            return self.kept.read_group(reset_peak)
        except SupervisorError as error:
            raise ObserveError(str(error)) from None

    @property
    def memory_limit(self) -> int | None:
        """What it was launched with, bytes; None without one."""
        limit = self.launched.memory_limit
        return None if limit is None else limit.max

    def kill(self) -> None:
        """End the process that serves at once; the supervisor sees how it ended."""
        if self.ending() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def raise_limit(self, limit: int) -> None:
        """Let it use more than its memory limit from now on; raises ObserveError."""
        try:
            self.kept.raise_limit(limit)
        except SupervisorError as error:
            raise ObserveError(str(error)) from None

    @property
    def is_checked(self) -> bool:
        """Whether the measured process is known to be the one that answers."""
        return self.launched.serving.is_checked or self._agent is not None

    def last_cycle(self) -> int:
        """Number of the last GC cycle that gctrace printed; raises ObserveError if there is none."""
        if self.no_gctrace:
            raise ObserveError(self.no_gctrace)
        cycles = self.kept.gc_cycles()[0]
        return cycles[-1].number if cycles else 0

    def base_url(self, port: str | int | None = None) -> str:
        """`http://HOST:PORT` of the named port, else of the main one; raises MeasureError."""
        return f"http://{HOST}:{self.launched.port(port)}"

    def url_of(self, source: str) -> str | None:
        """The URL that gomem.yaml names under `expvar`, `metrics` or `pprof`."""
        named: str | None = getattr(self.launched.config, source)
        if named is None:
            return None
        launched = self.launched
        place = launched.config.place
        return expand(named, ports=launched.ports, tmp=str(launched.tmp), environ=self._environ, place=place)

    def bases(self) -> list[str]:
        """The address of each of its ports, except those on which another process answers."""
        return [f"http://{HOST}:{port}" for port in self.launched.ports.values() if port not in self._strange_ports]

    @cached_property
    def _strange_ports(self) -> tuple[int, ...]:
        """Searched once, as the sources are."""
        pids = self.kept.members() if self.tree else [self.pid]
        return tuple(port for port in self.launched.ports.values() if holds_port(pids, port) is False)

    def _pprof_urls(self) -> list[str]:
        named = self.url_of("pprof")
        return [named] if named else [f"{base}{PPROF_PATH}" for base in self.bases()]

    def ending(self, within: float = 0.0) -> ExitRecord | None:
        """How it ended, None while it lives; waits up to `within` seconds."""
        if self._final is None:
            self._final = self._end(self.kept.wait(within, self._end))
        return self._final

    def _end(self, state: ChildState) -> ExitRecord | None:
        """The end of the process that serves, or of the one that was started unless it is to be followed."""
        return state.serving_exit or (None if self.launched.config.follow else state.exit)

    def ending_words(self) -> str:
        """How it ended, in words."""
        ended = self.ending()
        if ended is None:
            return "is running"
        words = limit_words(self.kept, ended) or ending.describe(ended, self.shown_log())
        if ended.code == 0:
            with contextlib.suppress(SupervisorError):
                words += left_behind(self.kept.members())
        if not ended.is_known and (starter := self.kept.wait(_STARTER_PATIENCE).exit) is not None:
            words += f"; what had started it {ending.describe(starter, '')}"
        return self.launched.shown(words)

    def shown_log(self) -> str:
        """The kept end of its output, as it may be shown."""
        return self.launched.shown_log()

    def stop(self) -> None:
        """SIGTERM, grace, SIGKILL for the whole tree; what was recorded stays readable."""
        with contextlib.suppress(SupervisorError):  # a dead supervisor has ended its services too
            self._final = self._end(self.kept.stop(self.launched.config.stop_grace))
        if isinstance(self._endpoint, PprofEndpoint):
            self._endpoint.close()
        self.readers.close()
        if self._agent is not None:
            self._agent.close()

    def discard(self) -> None:
        """Stop, and drop what was recorded and the private folder."""
        self.stop()
        self.kept.forget()
        self.launched.remove_folders()


def gctrace_is_off(launched: Launched) -> bool:
    """Whether its settings say that it prints no gctrace."""
    return launched.gc.godebug.get("gctrace", "1") == "0"


def replaced(pid: int | None, first: str, now: str, since: str) -> list[str]:
    """The remark that a process now runs another image, if it does."""
    if not first or not now or first == now:
        return []
    return [f"pid {pid} has replaced itself by another program (exec) since {since}"]
