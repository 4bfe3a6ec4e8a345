"""A process that you started yourself, as windows see it. Its open ports show where it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pytest_gomem.base.errors import ConfigError, LaunchError, MeasureError, ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.cgroup.reading import GroupReading
from pytest_gomem.config.ready import URL
from pytest_gomem.config.services import ServiceConfig
from pytest_gomem.judge.conditions import ATTACHED, PROCESS
from pytest_gomem.launch.launched import Built, Launched
from pytest_gomem.launch.ports import HOST, bases, local_port
from pytest_gomem.launch.serving import holds_port, who_answers
from pytest_gomem.observe.endpoint import PprofEndpoint, find_endpoint
from pytest_gomem.observe.records import GcCycle, MemStats
from pytest_gomem.observe.sources import SOURCES, Source
from pytest_gomem.observe.system import System
from pytest_gomem.session.processes import PPROF_PATH, replaced
from pytest_gomem.session.readers import Readers
from pytest_gomem.supervisor.client import Watched
from pytest_gomem.supervisor.protocol import ExitRecord

_URL_HINT = "pass port= or url= to attach(), or port= to the request"


def base_url_of(port: int | None, url: str | None) -> str | None:
    """Where requests to an attached process go, None where neither is said; raises ConfigError."""
    if port is not None and url is not None:
        raise ConfigError("port= and url= are both given", hint="say one of them")
    if port is not None:
        return f"http://{HOST}:{port}"
    if url is not None and URL.fullmatch(url) is None:
        raise ConfigError(f"url={url!r} is no URL", hint="such as http://127.0.0.1:8080")
    return None if url is None else url.rstrip("/")


class AttachedProcess:
    """A process that you started: watched, never signalled. Its peak is reset only on request.

    pprof: the URL of its endpoint; None = look on the ports that it listens on. url: where requests go.
    Raises LaunchError if the endpoint is known to be another process's.
    """

    kept = None
    built: Built | None = None
    has_log = is_new = False
    profile_rate: int | None = None
    hidden: Mapping[str, str] = MappingProxyType({})
    config: ServiceConfig | None = None
    no_gctrace = "gctrace is read from the stderr of a process that we launched; this one is not ours"
    startup_peak: int | Unavailable = Unavailable("this process was started by others: its start was not watched")
    no_agent = "it was not built here"
    group_by = ""
    memory_limit = limit_above = None

    def __init__(
        self,
        pid: int | None,
        pprof: str | None,
        watched: Watched | None,
        sample_rate: float,
        *,
        reset_peak: bool,
        url: str | None = None,
        sources: Sequence[Source] = SOURCES,
    ) -> None:
        self.pid = pid
        self.system = System(pid)
        self.since = self.system.now()
        self.name = self.identity = f"pid {pid}" if pid is not None else str(pprof or url)
        self.tree = False
        self.sample_rate = sample_rate
        self.may_reset_peak = reset_peak
        self.gomaxprocs: int | None = None
        self.timeline = watched
        self._url = url
        self.is_checked = pprof is None or self._is_own(pprof)
        self._endpoint: PprofEndpoint | None = PprofEndpoint(pprof) if pprof else None
        self._first_image = self.system.image()
        self.readers = Readers(sources, self, self.system)

    def _is_own(self, pprof: str) -> bool:
        port = local_port(pprof)
        if self.pid is None or port is None:
            return False
        owns = holds_port([self.pid], port)
        if owns is False:
            raise LaunchError(self.name, f"{pprof} is not its own: {who_answers(port)} answers there")
        return owns is True

    def endpoint(self) -> PprofEndpoint:
        """Its pprof endpoint; if none was named, its own ports are searched once. Raises ObserveError."""
        if self._endpoint is None:
            self._endpoint = find_endpoint(
                (f"{base}{PPROF_PATH}" for base in self._bases_or_raise()), "in attach(pprof=)"
            )
        return self._endpoint

    def _bases_or_raise(self) -> tuple[str, ...]:
        hint = "pass pprof='http://HOST:PORT/debug/pprof' to attach()"
        if self.pid is None:
            raise ObserveError(f"only an address of it is known: {hint}")
        return bases(self.pid, hint)

    @property
    def launched(self) -> Launched:
        """Raises MeasureError: it was not launched here."""
        raise MeasureError(f"{self.name} was attached, not launched: its ports, environment and log are not known")

    def shown_log(self) -> str:
        """Nothing: its output does not reach the plugin."""
        return ""

    def requested(self) -> dict[str, str]:
        """None: it was not launched here."""
        return {}

    def in_force(self, stats: MemStats | None, cycles: Sequence[GcCycle]) -> dict[str, str]:
        """None: nothing reports them."""
        return {}

    def conditions(self, in_force: Mapping[str, str]) -> dict[str, str]:
        """That it was not launched here."""
        return {PROCESS: ATTACHED}

    def base_url(self, port: str | int | None = None) -> str:
        """Where requests go: `http://HOST:PORT`. Raises MeasureError if that is not one address.

        port: instead of that of attach().
        """
        if isinstance(port, str):
            raise MeasureError(f"{self.name} was attached: its ports have no names; say the number of '{port}'")
        if port is not None:
            return f"http://{HOST}:{port}"
        if self._url is not None:
            return self._url
        try:
            found = self._bases_or_raise()
        except ObserveError as error:
            raise MeasureError(f"{self.name}: {str(error).partition(': pass')[0]}: {_URL_HINT}") from None
        if len(found) > 1:
            raise MeasureError(f"{self.name} listens on {', '.join(found)}: {_URL_HINT}")
        return found[0]

    def group(self, *, reset_peak: bool = False) -> GroupReading:
        """Raises ObserveError: the limit of a process of yours is your own."""
        raise ObserveError("only a service that is launched here has a memory limit: others started this process")

    def kill(self) -> None:
        """Does nothing: it is yours."""

    def raise_limit(self, limit: int) -> None:
        """Raises ObserveError, as `group` does."""
        self.group()

    def agent(self) -> None:
        """None: only services that the plugin builds have an agent."""

    def last_cycle(self) -> int:
        """Raises ObserveError: gctrace goes to the stderr of your process."""
        raise ObserveError(self.no_gctrace)

    def url_of(self, source: str) -> str | None:
        """None: it is not in gomem.yaml."""
        return None

    def bases(self) -> tuple[str, ...]:
        """The address of each TCP port that it listens on, as far as permissions show them."""
        try:
            return self._bases_or_raise()
        except ObserveError:
            return ()

    def remarks(self) -> list[str]:
        """How it has changed since it was attached."""
        return replaced(self.pid, self._first_image, self.system.image(), "attach()")

    def ending(self, within: float = 0.0) -> ExitRecord | None:
        """Unknown: only a parent process sees it."""
        return None

    def ending_words(self) -> str:
        """Whether it still runs."""
        return "has ended" if self.system.has_ended() else "is running"

    def stop(self) -> None:
        """Stop watching."""
        if self.timeline is not None:
            self.timeline.forget()
        self.readers.close()
        if self._endpoint is not None:
            self._endpoint.close()

    discard = stop
