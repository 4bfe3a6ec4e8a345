"""Owns the two kinds of process a window can be opened on: one that we launched, and one that is not ours."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_gomem.config.gc import DEFAULT_GOMAXPROCS, GcSettings
from pytest_gomem.config.tokens import expand
from pytest_gomem.errors import KeeperError, ObserveError
from pytest_gomem.keeper.client import KeptChild, Watched
from pytest_gomem.keeper.protocol import ExitRecord
from pytest_gomem.launch import ending
from pytest_gomem.launch.build import BinaryInfo
from pytest_gomem.launch.launcher import Launched
from pytest_gomem.launch.ports import HOST
from pytest_gomem.observe import kernel
from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.observe.builtin_sources import SOURCES
from pytest_gomem.observe.endpoint import PprofEndpoint, find_endpoint
from pytest_gomem.observe.inside import Inside
from pytest_gomem.observe.source import Source
from pytest_gomem.session.readers import Readers

_PPROF_PATH = "/debug/pprof"
_AGENT_TIMEOUT = 5.0


class LaunchedProcess:
    """A service or program that the keeper holds for us."""

    may_reset_peak = True

    def __init__(
        self, launched: Launched, sample_rate: float, environ: Mapping[str, str], sources: Sequence[Source] = SOURCES
    ) -> None:
        self.launched = launched
        self.name = launched.config.name
        self.tree = launched.config.tree
        self.sample_rate = sample_rate
        self.gc: GcSettings = launched.gc
        self.gomaxprocs: int | None = launched.gc.gomaxprocs or DEFAULT_GOMAXPROCS
        self.gctrace = launched.gc.godebug.get("gctrace", "1") != "0"
        self.binary: BinaryInfo = launched.binary
        self._environ = environ
        self._endpoint: PprofEndpoint | ObserveError | None = None
        self._final: ExitRecord | None = None
        self.no_agent = launched.no_agent
        self._agent = self._connect(launched)
        wanted = launched.config.peak_profile and self._agent is not None
        self.peak_file: Path | None = launched.socket.with_name("peak") if wanted and launched.socket else None
        self.readers = Readers(sources, self)

    @property
    def pid(self) -> int:
        """Process id."""
        return self.launched.child.pid

    @property
    def kept(self) -> KeptChild:
        """The keeper's handle."""
        return self.launched.child

    @property
    def timeline(self) -> Watched:
        """Where the samples are."""
        return self.launched.child

    def endpoint(self) -> PprofEndpoint:
        """Its pprof endpoint, looked for once; raises ObserveError when there is none, or the process has ended."""
        if self._endpoint is None:
            try:
                self._endpoint = find_endpoint(self._pprof_urls())
            except ObserveError as error:
                self._endpoint = error
        if isinstance(self._endpoint, ObserveError):
            raise ObserveError(str(self._endpoint))
        return self._endpoint

    def agent(self) -> AgentClient | None:
        """The agent that was built into it; None where there is none."""
        return self._agent

    def _connect(self, launched: Launched) -> AgentClient | None:
        if launched.socket is None:
            return None
        client = AgentClient(launched.socket)
        try:
            client.wait(_AGENT_TIMEOUT)
        except ObserveError as error:
            self.no_agent = str(error)
            client.close()
            return None
        return client

    def inside(self) -> Inside:
        """Who tells all of its MemStats: agent, pprof or expvar; raises ObserveError when there is none of them."""
        return self.readers.inside()

    def last_cycle(self) -> int:
        """Number of the last GC cycle that gctrace told; raises ObserveError where it is switched off."""
        if not self.gctrace:
            raise ObserveError("gc.godebug switches gctrace off for this service")
        cycles = self.kept.gc_cycles()[0]
        return cycles[-1].number if cycles else 0

    def url_of(self, source: str) -> str | None:
        """The URL that gomem.yaml names under `expvar`, `metrics` or `pprof`."""
        named: str | None = getattr(self.launched.config, source)
        if named is None:
            return None
        launched = self.launched
        return expand(named, ports=launched.ports, tmp=str(launched.tmp), environ=self._environ)

    def bases(self) -> list[str]:
        """The address of each of its ports."""
        return [f"http://{HOST}:{port}" for port in self.launched.ports.values()]

    def _pprof_urls(self) -> list[str]:
        named = self.url_of("pprof")
        return [named] if named else [f"{base}{_PPROF_PATH}" for base in self.bases()]

    def ending(self, within: float = 0.0) -> ExitRecord | None:
        """How it ended, None while it lives; waits up to `within` seconds for that."""
        if self._final is None:
            self._final = self.kept.wait(within).exit
        return self._final

    def ending_words(self) -> str:
        """How it ended, in words."""
        ended = self.ending()
        return ending.describe(ended, self.log()) if ended else "is running"

    def log(self) -> str:
        """The kept end of its output."""
        return self.kept.log()[0]

    def stop(self) -> None:
        """SIGTERM, grace, SIGKILL, the whole family; what was recorded stays readable."""
        with contextlib.suppress(KeeperError):  # a keeper that is gone took its services along
            self._final = self.kept.stop(self.launched.config.stop_grace).exit
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


class AttachedProcess:
    """A process that is not ours: watched, never signalled; its peak is reset only on request."""

    kept = None
    peak_file: Path | None = None
    gctrace = False

    no_agent = "it was not built here"

    def __init__(
        self,
        pid: int | None,
        pprof: str | None,
        watched: Watched | None,
        sample_rate: float,
        *,
        reset_peak: bool,
        sources: Sequence[Source] = SOURCES,
    ) -> None:
        self.pid = pid
        self.name = f"pid {pid}" if pid is not None else str(pprof)
        self.tree = False
        self.sample_rate = sample_rate
        self.may_reset_peak = reset_peak
        self.gomaxprocs: int | None = None
        self.timeline = watched
        self._endpoint = PprofEndpoint(pprof) if pprof else None
        self.readers = Readers(sources, self)

    def endpoint(self) -> PprofEndpoint:
        """Its pprof endpoint; raises ObserveError when no URL was given."""
        if self._endpoint is None:
            raise ObserveError("no pprof URL was given to attach(): pass pprof='http://HOST:PORT/debug/pprof'")
        return self._endpoint

    def agent(self) -> None:
        """None: an agent is built into what we build alone."""

    def inside(self) -> Inside:
        """Who tells all of its MemStats; raises ObserveError when nobody does."""
        return self.readers.inside()

    def last_cycle(self) -> int:
        """Raises ObserveError: gctrace goes to the stderr of a process that is not ours."""
        raise ObserveError("gctrace is read from the stderr of a process that we launched; this one is not ours")

    def url_of(self, source: str) -> str | None:
        """None: no gomem.yaml speaks of it."""
        return None

    def bases(self) -> tuple[str, ...]:
        """(): its ports are not known."""
        return ()

    def ending(self, within: float = 0.0) -> ExitRecord | None:
        """Unknown: only a parent is told."""
        return None

    def ending_words(self) -> str:
        """Whether it is still there."""
        try:
            if self.pid is not None:
                kernel.family(self.pid, tree=False)
        except ObserveError:
            return "has ended"
        return "is running"

    def stop(self) -> None:
        """Stop watching."""
        if self.timeline is not None:
            self.timeline.forget()
        self.readers.close()
        if self._endpoint is not None:
            self._endpoint.close()

    discard = stop
