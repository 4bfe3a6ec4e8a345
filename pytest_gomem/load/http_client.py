"""Single requests over kept connections. It imports urllib3: import it where a client is made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import NamedTuple
from weakref import WeakSet

from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from pytest_gomem.base.clock import Deadline
from pytest_gomem.base.errors import LoadError
from pytest_gomem.base.units import BYTES, SECONDS
from pytest_gomem.config.arguments import above_0
from pytest_gomem.load.connection import MAX_BODY, Connection, Request, address, content, request_target
from pytest_gomem.load.failures import TIMEOUT, TOO_LARGE, failure_kind, hint_for, refuse_forked

# Kept connections. More threads than this still work, with a new connection for each request.
_KEPT_CONNECTIONS = 64
_PIECE = 1 << 16
_NO_ANSWER = (OSError, HTTPException, HTTPError)


@dataclass(frozen=True)
class Response:
    """An answer with its whole body; `headers` ignores the case of names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx or 3xx."""
        return 200 <= self.status < 400

    @property
    def text(self) -> str:
        """The body as UTF-8, with replacement characters for other bytes."""
        return self.body.decode(errors="replace")

    def json(self) -> object:
        """The body's JSON value; raises ValueError if the body is not JSON."""
        return json.loads(self.body)


class Stream:
    """An answer that you read as it comes: iterate over its pieces, or over `lines()`. Close it, or use `with`.

    The body may have any size, and may never end. The request's timeout is for the headers, and again for each piece.
    """

    def __init__(self, exchange: _Exchange) -> None:
        self.status = exchange.response.status
        self.headers: Mapping[str, str] = exchange.response.headers
        self._exchange = exchange

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx or 3xx."""
        return 200 <= self.status < 400

    def __iter__(self) -> Iterator[bytes]:
        """The body's bytes in pieces of at most 64 KiB, as they come.

        Raises LoadError if none comes within the timeout, or if the answer is cut off.
        """
        while piece := self._next():
            yield piece

    def _next(self) -> bytes:
        timeout = self._exchange.deadline.seconds
        self._exchange.connection.allow(Deadline(timeout))
        try:
            return self._exchange.response.read1(_PIECE)
        except _NO_ANSWER as error:
            self.close()
            kind = failure_kind(error)
            words = f"nothing more came within {timeout:g} s" if kind == TIMEOUT else kind
            raise LoadError(f"the stream of {self._exchange.request} broke off: {words}", kind) from None

    def lines(self) -> Iterator[str]:
        """The body's lines as UTF-8 text, without their ends, as they are complete."""
        rest = b""
        for piece in self:
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line.removesuffix(b"\r").decode(errors="replace")
        if rest:
            yield rest.decode(errors="replace")

    def close(self) -> None:
        """Close the connection, even if more is to come."""
        self._exchange.response.close()
        self._exchange.connection.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Exchange(NamedTuple):
    """A request answered up to the body; `request` is its name in errors, `deadline` is for all of it."""

    request: str
    deadline: Deadline
    connection: Connection
    response: HTTPResponse


class HttpClient:
    """Requests to one service, usable from several threads.

    Each request is sent exactly once, without retries, redirects or a proxy from the environment. A retry would be work
    that nobody counts.
    """

    def __init__(self, base_url: str, timeout: float = 30.0) -> None:
        address(base_url, "/")
        self._base_url = base_url
        self._timeout = timeout
        self._owner = os.getpid()
        self._was_answered = False
        self._idle: list[Connection] = []
        self._streams: WeakSet[Stream] = WeakSet()

    def request(self, asked: Request, max_body: int | str = MAX_BODY) -> Response:
        """Send a request and read its answer, with any status; the timeout is for all of it.

        max_body: the most bytes of the answer's body, or "1GiB". Raises LoadError for no whole answer, or a larger one,
        ConfigError for a request that cannot be made.
        """
        most = above_0("max_body", max_body, BYTES)
        exchange = self._ask(asked)
        received = bytearray()
        try:
            while len(received) <= most and (piece := exchange.response.read1(_PIECE)):
                received += piece
        except BaseException as error:
            exchange.connection.close()
            if isinstance(error, _NO_ANSWER):
                came = f" (status {exchange.response.status} and {len(received)} bytes of its body came)"
                raise _no_answer(exchange.request, exchange.deadline, error, came) from None
            raise
        if len(received) > most:
            exchange.connection.close()  # the rest must not be taken for the next answer
            raise _too_large(exchange.request, max_body)
        self._keep(exchange.connection)
        return Response(exchange.response.status, exchange.response.headers, bytes(received))

    def stream(self, asked: Request) -> Stream:
        """Send a request and read its answer up to the body, within the timeout; raises as `request` does."""
        stream = Stream(self._ask(asked))
        self._streams.add(stream)
        return stream

    def _ask(self, asked: Request) -> _Exchange:
        refuse_forked(self._owner)
        sent = content(asked.body, asked.json, asked.headers)
        target, words = (
            request_target(self._base_url, asked.path),
            f"{asked.method} {address(self._base_url, asked.path)}",
        )
        deadline = Deadline(self._timeout if asked.timeout is None else above_0("timeout", asked.timeout, SECONDS))
        connection = self._idle_or_new()
        try:
            response = connection.ask(deadline, asked.method, target, *sent, decode=True)
        except BaseException as error:
            connection.close()
            if isinstance(error, _NO_ANSWER):
                raise _no_answer(words, deadline, error, first=not self._was_answered) from None
            raise
        self._was_answered = True
        return _Exchange(words, deadline, connection, response)

    def _idle_or_new(self) -> Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return Connection(self._base_url)

    def _keep(self, connection: Connection) -> None:
        if len(self._idle) < _KEPT_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close the kept connections, and the streams that are still open."""
        while self._idle:
            self._idle.pop().close()
        for stream in list(self._streams):
            stream.close()


def _no_answer(
    request: str, deadline: Deadline, error: BaseException, came: str = "", *, first: bool = False
) -> LoadError:
    kind = failure_kind(error)
    if kind == TIMEOUT:
        return LoadError(f"{request} got no whole answer within {round(deadline.seconds, 3):g} s{came}", kind)
    return LoadError(f"{request} got no answer: {kind}{came}{hint_for(kind) if first else ''}", kind)


def _too_large(request: str, max_body: int | str) -> LoadError:
    return LoadError(
        f"the answer to {request} is larger than max_body={max_body}\n"
        "  allow more with max_body=, or read it in pieces with stream()",
        TOO_LARGE,
    )
