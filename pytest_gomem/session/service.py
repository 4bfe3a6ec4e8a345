"""The Service object that a test holds: requests, load, operations, phases, profiles, log."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_gomem.base.errors import KilledAtLimit, LoadError, MeasureError
from pytest_gomem.base.units import BYTES, SECONDS
from pytest_gomem.config.arguments import above_0, at_least_1, checked
from pytest_gomem.judge.oom import oom_words
from pytest_gomem.load.connection import MAX_BODY, Request
from pytest_gomem.load.spec import LoadRecord, LoadSpec
from pytest_gomem.retention.model import Retention
from pytest_gomem.session.execution_trace import DISTURBED, Trace, traced
from pytest_gomem.session.running import RunningService
from pytest_gomem.session.subject import UNTIL_REAPED, Process
from pytest_gomem.session.window import OpenWindow
from pytest_gomem.tracing.taking import MOST

if TYPE_CHECKING:
    from pytest_gomem.load.drivers import LoadDriver
    from pytest_gomem.load.http_client import HttpClient, Response, Stream

_Answer = TypeVar("_Answer", "Response", "Stream")
_UNTIL_ENDED = 1.0  # seconds from a lost connection to the end of a service that cleans up first


class Service(RunningService):
    """A running service. Its requests, load() and count() are operations of its open window."""

    def __init__(self, process: Process, load_driver: Callable[[], LoadDriver]) -> None:
        super().__init__(process)
        self.window: OpenWindow | None = None
        self.windows_opened = 0
        self.is_shared = False  # with other tests: its state depends on which of them have run
        self._load_driver = load_driver
        self._clients: dict[str, HttpClient] = {}

    @checked
    def get(
        self,
        path: str = "/",
        *,
        body: bytes | str | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | str | None = None,
        max_body: int | str = MAX_BODY,
        port: int | str | None = None,
    ) -> Response:
        """One GET, counted as an operation whatever its status.

        timeout: seconds, or "10s", from connecting to the last byte; 30 by default. max_body: bytes, or "1GiB", of the
        answer's body. port: the name of a port in gomem.yaml, or the port number of an attached process.
        Raises LoadError if the answer is incomplete, ServiceDied, ConfigError.
        """
        asked = Request("GET", path, body, json, headers, timeout)
        return self._answered(asked, port, lambda client: client.request(asked, max_body))

    @checked
    def post(
        self,
        path: str = "/",
        *,
        body: bytes | str | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | str | None = None,
        max_body: int | str = MAX_BODY,
        port: int | str | None = None,
    ) -> Response:
        """One POST, like `get`."""
        asked = Request("POST", path, body, json, headers, timeout)
        return self._answered(asked, port, lambda client: client.request(asked, max_body))

    @checked
    def stream(
        self,
        path: str = "/",
        *,
        method: str = "GET",
        body: bytes | str | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | str | None = None,
        port: int | str | None = None,
    ) -> Stream:
        """One request that returns with the headers and is then counted; you read its body as it comes.

        timeout: seconds, or "10s", for the headers, then for each piece of the body; 30 by default. Otherwise like
        `get`.
        """
        asked = Request(method, path, body, json, headers, timeout)
        return self._answered(asked, port, lambda client: client.stream(asked))

    def _answered(self, asked: Request, port: int | str | None, ask: Callable[[HttpClient], _Answer]) -> _Answer:
        from pytest_gomem.load.failures import LOST

        client = self._client(self.url("", port))
        started = time.monotonic()
        try:
            answer = ask(client)
        except LoadError as error:
            kind = error.kind
            self._operations(lambda ops: ops.request(started, kind, ok=False))
            if kind in LOST:
                self._operations(lambda ops: ops.lost(f"{asked.method} {asked.path}"))
            self.check_alive(within=_UNTIL_ENDED if kind in LOST else 0.0)
            raise LoadError(f"{error}{self._stopped_words()}", kind) from None
        status, ok = answer.status, answer.ok
        self._operations(lambda ops: ops.request(started, str(status), ok=ok))
        self._took(time.monotonic() - started)
        return answer

    def _took(self, seconds: float) -> None:
        if self.window is not None:
            self.window.instruments.answered(self.window, seconds)

    def _client(self, base: str) -> HttpClient:
        from pytest_gomem.load.http_client import HttpClient

        if base not in self._clients:
            self._clients[base] = HttpClient(base)
        return self._clients[base]

    @checked
    def load(
        self,
        path: str = "/",
        *,
        requests: int | None = None,
        rate: float | str | None = None,
        duration: float | str | None = None,
        connections: int | None = None,
        method: str = "GET",
        body: bytes | str | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | str = 30.0,
        port: int | str | None = None,
        allow_errors: bool = False,
        allow_missed_rate: bool = False,
    ) -> LoadRecord:
        """Many requests from a process of their own: `requests=1000` (fixed work), or `rate=, duration=` (open loop).

        rate: requests a second, or "6000/min". duration: seconds, or "10s". connections: requests in flight, the most
        in an open loop; by default 1 for fixed work and 16 for an open loop. timeout: for each request, from
        connecting to the last byte. port: as in `get`.
        Raises LoadError for failed requests (status 400 and above, or no answer) unless `allow_errors`, and for a rate
        missed by more than 2% unless `allow_missed_rate`; ServiceDied if the service ends meanwhile; ConfigError.
        """
        from pytest_gomem.load.failures import LOST, judge_load

        asked = LoadSpec.of(
            self.url("", port),
            path,
            method=method,
            body=body,
            json=json,
            headers=headers,
            requests=requests,
            connections=connections,
            rate=rate,
            duration=duration,
            timeout=timeout,
            # A load that must not fail has failed with its first timeout: waiting for the others is in vain.
            until_timeout=not allow_errors,
        )
        record = self._load_driver().run(asked)
        self._operations(lambda ops: ops.load(record))
        self._took(max(record.latencies, default=0.0))
        if record.errors:
            lost = any(kind in LOST for kind, _ in record.statuses)
            if lost:
                self._operations(lambda ops: ops.lost_load(f"{method} {path}", asked.planned))
            self.check_alive(within=(UNTIL_REAPED if allow_errors else _UNTIL_ENDED) if lost else 0.0)
        try:
            unsent = asked.planned - record.requests if asked.rate is None else 0
            judge_load(record, allow_errors=allow_errors, allow_missed_rate=allow_missed_rate, unsent=unsent)
        except LoadError as error:
            raise LoadError(f"{error}{self._stopped_words()}") from None
        return record

    def check_alive(self, within: float = 0.0) -> None:
        """The same; if it was killed at its memory limit, KilledAtLimit with what it did in the open window."""
        if not self._stopped and self.process.ending(within) is not None:
            kill = None if self.window is None else self.window.kill()
            if kill is not None and not kill.is_child:
                raise KilledAtLimit(self.name, oom_words(kill), self.shown_log(tail=20))
        super().check_alive()

    @checked
    def count(self, n: int = 1) -> None:
        """Count `n` operations that you did in another way (gRPC, a queue)."""
        self._operations(lambda ops: ops.count(n))

    def is_unmeasured(self) -> bool:
        """Whether it was launched and had no window yet: it holds nothing of an earlier test."""
        return self.windows_opened == 0 and self.process.is_new

    def _operations(self, change: Callable[[Any], None]) -> None:
        if self.window is not None:
            change(self.window.operations)
            if self.window.phases.operations is not None:
                change(self.window.phases.operations)

    @contextlib.contextmanager
    def warmup(self) -> Iterator[None]:
        """Do work that is not measured: the window reopens at the end of the block."""
        yield
        if self.window is not None:
            self.window.restart()

    @checked
    def cycles(self, n: int) -> Iterator[int]:
        """Repeat the work of a test: a loop of `n` times, 0 to n - 1, whose body does the same each time.

        After each time the window takes a settled reading, of which the metrics of growth are made. These readings are
        in none of its figures, nor is their time. Raises MeasureError for a second such loop in a window, or if a
        cycle ends within a phase; ConfigError.
        """
        at_least_1("n", n)
        return self._cycles(n)

    def _cycles(self, n: int) -> Iterator[int]:
        if self.window is not None and self.window.work_cycles.ended:
            raise MeasureError("this window has had its cycles: one loop of cycles() makes one course")
        for number in range(n):
            yield number
            if self.window is not None:
                self.window.end_cycle()

    @checked
    def phase(self, name: str, ops: int | None = None, *, collect: bool = False) -> AbstractContextManager[None]:
        """Measure a part of the window with all metrics; the second one of that name is `name#2`.

        ops: how many operations the phase does, whatever was counted. collect: force collections at its end for the
        metrics that need them; a budget on such a metric does so by itself. Raises MeasureError inside another phase,
        ConfigError.
        """
        at_least_1("ops", ops)
        return self._phase(name, ops, collect)

    @contextlib.contextmanager
    def _phase(self, name: str, ops: int | None, collect: bool) -> Iterator[None]:
        window = self.window
        if window is None:
            yield
            return
        window.enter_phase(name, ops)
        try:
            yield
        except BaseException:
            window.phases.abandon()
            raise
        window.leave_phase(collect=collect)

    @checked
    def retention(self, keep: str | Path | None = None) -> Retention:
        """Who holds the memory now, from a heap dump: `found.holders[0].path`, `found.objects("main.Session").count`.

        The service stands still meanwhile, half a second for a million objects, so an open window has no figures. keep:
        where to leave the dump, in a new file that only you can read; it is the whole heap. Needs the agent, and a Go
        that builds the reader. Raises ObserveError, ToolchainError with the reason.
        """
        agent = self._agent()
        if self.window is not None:
            self.window.disturbed = "retention() was called in this window, and a heap dump disturbs the service"
        return self._holders(agent, None if keep is None else Path(keep))

    @checked
    def trace(
        self,
        keep: str | Path | None = None,
        *,
        max_size: int | str = MOST,
        seconds: float | str | None = None,
    ) -> AbstractContextManager[Trace]:
        """Trace the service in a `with` block: `t.report` says afterwards why collections came and what they cost.

        It disturbs, so an open window has no figures. keep: where to leave the trace, in a new file that only you can
        read; `t.path` is its file. max_size: bytes, or "64MiB", after which it ends. seconds: after which it ends, 600
        by default; without the agent it lasts so long, from net/http/pprof. Raises ObserveError, ConfigError.
        """
        most = round(above_0("max_size", max_size, BYTES))
        longest = None if seconds is None else above_0("seconds", seconds, SECONDS)
        return self._traced(None if keep is None else Path(keep).absolute(), most, longest)

    @contextlib.contextmanager
    def _traced(self, keep: Path | None, most: int, seconds: float | None) -> Iterator[Trace]:
        folder, begin = self._tracing(most, seconds)
        window = self.window
        with traced(folder, keep, begin, self._read_trace) as trace:
            if window is not None:
                window.disturbed = DISTURBED
            yield trace

    def stop(self) -> None:
        """SIGTERM, grace, SIGKILL for the whole tree; an attached process keeps running."""
        self._stopped = True
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self.process.stop()

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def outlives_round(service: Service) -> bool:
    """Whether a further round has the same process: tests share it, or you attached it. It can't be observed."""
    return service.is_shared or service.process.config is None
