"""Owns the Service object that a test holds: requests, load, operations, phases, profiles, log."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from pytest_gomem.config.gc import GcSettings, described
from pytest_gomem.config.tokens import unexpanded
from pytest_gomem.drive.record import LoadRecord
from pytest_gomem.errors import LoadError, MeasureError, ObserveError, ServiceDied
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.launch.log_lines import last_lines
from pytest_gomem.launch.ports import HOST
from pytest_gomem.measure.bill import Bill, bill
from pytest_gomem.observe import kernel
from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.observe.inside import Inside
from pytest_gomem.observe.records import MemStats
from pytest_gomem.observe.smaps import read_smaps
from pytest_gomem.session.attached import AttachedProcess
from pytest_gomem.session.processes import LaunchedProcess
from pytest_gomem.session.subject import UNTIL_REAPED
from pytest_gomem.session.window import OpenWindow

if TYPE_CHECKING:
    from pytest_gomem.drive.client import HttpClient, Response, Stream
    from pytest_gomem.drive.load import LoadDriver

_T = TypeVar("_T")
_UNTIL_ENDED = 1.0  # seconds from a lost connection to the end of a service that tidies up before it


class Service:
    """A running service. Its requests, load() and count() count as operations of the window that is open on it."""

    def __init__(self, process: LaunchedProcess | AttachedProcess, load_driver: Callable[[], LoadDriver]) -> None:
        self.process = process
        self.name = process.name
        self.window: OpenWindow | None = None
        self.windows_opened = 0
        self.is_shared = False  # with other tests: what is in it depends on which of them have run
        self._load_driver = load_driver
        self._stopped = False
        self._clients: dict[str, HttpClient] = {}

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
        """Ports by the names in `{port:NAME}`; the unnamed `{port}` is under ""."""
        return self._launched.launched.ports

    @property
    def port(self) -> int:
        """The unnamed `{port}`, or the only one."""
        if "" in self.ports or len(self.ports) == 1:
            return self.ports.get("", next(iter(self.ports.values())))
        if not self.ports:
            raise MeasureError(
                f"service '{self.name}' was given no port: write {{port}} into its args or env in gomem.yaml, "
                "as in 127.0.0.1:{port}"
            )
        raise MeasureError(
            f"service '{self.name}' has no unnamed {{port}}: name one of its ports ({', '.join(self.ports)})"
        )

    @property
    def env(self) -> Mapping[str, str]:
        """The environment it was started with."""
        return self._launched.launched.env

    @property
    def gc(self) -> GcSettings:
        """The GC settings it was started with."""
        return self._launched.gc

    @property
    def _launched(self) -> LaunchedProcess:
        if isinstance(self.process, LaunchedProcess):
            return self.process
        raise MeasureError(f"{self.name} was attached, not launched: its ports, environment and log are not known")

    def url(self, path: str = "/", port: str | int | None = None) -> str:
        """The URL of a path on the main port, or on the port of that name; of an attached process on a port's number.

        Raises MeasureError where there is no such port, or more than one may be meant.
        """
        if isinstance(self.process, AttachedProcess):
            if isinstance(port, str):
                raise MeasureError(f"{self.name} was attached: its ports have no names; say the number of '{port}'")
            return f"{self.process.url(port)}{path}"
        if port is None:
            return f"http://{HOST}:{self.port}{path}"
        if not isinstance(port, str) or port not in self.ports:
            raise MeasureError(
                f"service '{self.name}' has no port '{port}'; its ports: {', '.join(self.ports) or 'none'}"
            )
        return f"http://{HOST}:{self.ports[port]}{path}"

    def log(self, tail: int | None = None) -> str:
        """What it wrote to stdout and stderr, without gctrace lines; the last `tail` lines, or all that is kept."""
        log = self._launched.log()
        return log if tail is None else last_lines(log, tail)

    @property
    def hidden(self) -> Mapping[str, str]:
        """The values of variables of its settings, and what is shown in their place."""
        return self.process.launched.hidden if isinstance(self.process, LaunchedProcess) else {}

    def shown_log(self, tail: int | None = None) -> str:
        """The log as it may be shown; "" of a process that was attached."""
        log = self.process.shown_log() if isinstance(self.process, LaunchedProcess) else ""
        return log if tail is None else last_lines(log, tail)

    def has_log(self) -> bool:
        """Whether its output comes to us: only that of a process that we launched does."""
        return isinstance(self.process, LaunchedProcess)

    @overload
    def get(self, path: str = "/", *, stream: Literal[False] = False, **options: Any) -> Response: ...
    @overload
    def get(self, path: str = "/", *, stream: Literal[True], **options: Any) -> Stream: ...
    def get(self, path: str = "/", *, stream: bool = False, **options: Any) -> Response | Stream:
        """One GET, counted as an operation; options as of `HttpClient.request`.

        stream: give the answer once its headers are there, to read its body as it comes. It is counted then.
        """
        return self._request("GET", path, options, stream=stream)

    @overload
    def post(self, path: str = "/", *, stream: Literal[False] = False, **options: Any) -> Response: ...
    @overload
    def post(self, path: str = "/", *, stream: Literal[True], **options: Any) -> Stream: ...
    def post(self, path: str = "/", *, stream: bool = False, **options: Any) -> Response | Stream:
        """One POST, counted as an operation; options as of `get`."""
        return self._request("POST", path, options, stream=stream)

    def _request(self, method: str, path: str, options: dict[str, Any], *, stream: bool) -> Response | Stream:
        from pytest_gomem.drive.failures import LOST

        client = self._client(self.url("", options.pop("port", None)))
        ask = client.stream if stream else client.request
        started = time.monotonic()
        try:
            answer = ask(method, path, **options)
        except LoadError as error:
            kind = error.kind
            self._operations(lambda ops: ops.request(started, kind, ok=False))
            self.check_alive(within=_UNTIL_ENDED if kind in LOST else 0.0)
            raise LoadError(f"{error}{self._stopped_words()}", kind) from None
        self._operations(lambda ops: ops.request(started, str(answer.status), ok=answer.ok))
        return answer

    def _stopped_words(self) -> str:
        words = kernel.stopped_words(self.process.pid)
        return f"\n  {words}" if words else ""

    def _client(self, base: str) -> HttpClient:
        from pytest_gomem.drive.client import HttpClient

        if base not in self._clients:
            self._clients[base] = HttpClient(base)
        return self._clients[base]

    def load(
        self, path: str = "/", *, allow_errors: bool = False, allow_missed_rate: bool = False, **spec: Any
    ) -> LoadRecord:
        """Requests from outside this process: `requests=1000` (fixed work), or `rate=, duration=` (open loop).

        Further options as of `drive.spec.LoadSpec.of`. Raises LoadError for failed requests or a rate missed by more
        than 2%, unless allowed, and ServiceDied when the service ended meanwhile.
        """
        from pytest_gomem.drive.done import judge_load
        from pytest_gomem.drive.failures import LOST
        from pytest_gomem.drive.spec import LoadSpec

        url = self.url("", spec.pop("port", None))
        # A load that must not fail has done so with its first timeout: the others would be waited for in vain.
        asked = LoadSpec.of(url, path, **spec, until_timeout=not allow_errors)
        record = self._load_driver().run(asked)
        self._operations(lambda ops: ops.loads.append(record))
        if record.errors:
            lost = any(kind in LOST for kind, _ in record.statuses)
            self.check_alive(within=(UNTIL_REAPED if allow_errors else _UNTIL_ENDED) if lost else 0.0)
        try:
            unsent = asked.planned - record.requests if asked.rate is None else 0
            judge_load(record, allow_errors=allow_errors, allow_missed_rate=allow_missed_rate, unsent=unsent)
        except LoadError as error:
            raise LoadError(f"{error}{self._stopped_words()}") from None
        return record

    def count(self, n: int = 1) -> None:
        """Say that `n` operations were done in a way of your own (gRPC, a queue)."""
        self._operations(lambda ops: ops.count(n))

    def is_unmeasured(self) -> bool:
        """Whether we launched it and no window was opened on it yet: nothing of an earlier test is in it."""
        return self.windows_opened == 0 and isinstance(self.process, LaunchedProcess)

    def _operations(self, change: Callable[[Any], None]) -> None:
        if self.window is not None:
            change(self.window.operations)
            if self.window.phases.operations is not None:
                change(self.window.phases.operations)

    @contextlib.contextmanager
    def warmup(self) -> Iterator[None]:
        """Work that is not measured: the window opens anew at the end of the block."""
        yield
        if self.window is not None:
            self.window.restart()

    @contextlib.contextmanager
    def phase(self, name: str, ops: int | None = None, *, collect: bool = False) -> Iterator[None]:
        """Measure a part of the window, with every metric of its own; entered again, it is another one, `name#2`.

        collect: force collections at its end for what needs them, as a budget on such a metric of the phase does by
        itself. Raises MeasureError within another phase.
        """
        window = self.window
        if window is None:
            yield
            return
        window.phases.enter(name, ops)
        try:
            yield
        except BaseException:
            window.phases.abandon()
            raise
        window.phases.leave(collect=collect)

    def gc_now(self) -> None:
        """Force two collections; raises ObserveError without an agent or a pprof endpoint."""
        self._ask(lambda inside: inside.collect())

    def heap_profile(self) -> bytes:
        """A heap profile after two forced collections, for `go tool pprof`; raises ObserveError."""
        return self._ask(lambda inside: inside.heap_profile())

    def allocs_profile(self, seconds: float | None = None) -> bytes:
        """The allocs profile since the start, or of the next `seconds`; raises ObserveError."""
        return self._ask(lambda inside: inside.allocs_profile(seconds))

    def goroutines(self) -> int:
        """Number of goroutines now, the answering one among them; raises ObserveError."""
        return self._ask(lambda inside: inside.goroutines())

    def memstats(self) -> MemStats:
        """runtime.MemStats now; reading allocates 17-170 kB in the service. Raises ObserveError."""
        return self._ask(lambda inside: inside.memstats())

    def bill(self) -> Bill:
        """Where its resident memory is now: rows that sum to RSS; raises ObserveError."""
        return bill(read_smaps(self.pid), self.memstats())

    def free(self) -> None:
        """Force two collections and return free memory to the system; raises ObserveError without an agent."""
        self._agent().free()

    def set_gc_percent(self, percent: int | None) -> int | None:
        """debug.SetGCPercent in the running service, None is off; returns the former one. Needs the agent."""
        return self._agent().set_gc_percent(percent)

    def set_memory_limit(self, limit: int | None) -> int | None:
        """debug.SetMemoryLimit in bytes, None is no limit; returns the former one. Needs the agent."""
        return self._agent().set_memory_limit(limit)

    def _ask(self, question: Callable[[Inside], _T]) -> _T:
        self.process.readers.ask_again()  # whoever asks by hand wants an answer of now
        try:
            return question(self.process.inside())
        except ObserveError as error:  # it names a URL, in which the value of a variable may stand
            raise type(error)(unexpanded(str(error), self.hidden)) from None

    def _agent(self) -> AgentClient:
        self.process.readers.ask_again()
        agent = self.process.agent()
        if agent is None:
            raise ObserveError(f"service '{self.name}' has no agent: {self.process.no_agent}")
        return agent

    def check_alive(self, within: float = 0.0) -> None:
        """Raise ServiceDied, with how and its last log lines, if the process ended without being asked to.

        within: seconds that are waited for its end, where there is a sign of one.
        """
        if not self._stopped and self.process.ending(within) is not None:
            raise ServiceDied(self.name, self.process.ending_words(), self.shown_log(tail=20))

    def stop(self) -> None:
        """SIGTERM, grace, SIGKILL, the whole tree; an attached process is only let go."""
        self._stopped = True
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self.process.stop()

    @property
    def module(self) -> GoModule:
        """What the binary was built from; nothing is known of an attached process."""
        return self.process.binary.module if isinstance(self.process, LaunchedProcess) else GoModule()

    def requested(self) -> dict[str, str]:
        """The GC settings asked for, printable; {} for an attached process."""
        return described(self.process.gc) if isinstance(self.process, LaunchedProcess) else {}

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
