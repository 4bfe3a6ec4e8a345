"""Owns single requests over kept connections; imports urllib3, so import this module where a client is made."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

import urllib3

from pytest_gomem.drive.failures import failure_kind, refuse_forked
from pytest_gomem.drive.request import address, content
from pytest_gomem.errors import LoadError

# Only that many are kept open: more threads than this still work, each further one on a connection of its own.
_KEPT_CONNECTIONS = 64
_PIECE = 1 << 16


@dataclass(frozen=True)
class Response:
    """An answer, read whole; `headers` finds names in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx or 3xx."""
        return 200 <= self.status < 400

    @property
    def text(self) -> str:
        """The body as UTF-8; bytes that are none are shown as replacement characters."""
        return self.body.decode(errors="replace")

    def json(self) -> object:
        """The body's JSON value; raises ValueError where the body is no JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Bounds:
    """The longest and largest answer that is waited for: seconds from the sending on, and bytes."""

    seconds: float
    size: int


class HttpClient:
    """Requests to one service, usable from several threads.

    Each request is sent exactly once: no retries, no redirects followed, no proxy from the environment. A retry would
    be work of the service that nobody counts.
    """

    def __init__(self, base_url: str, timeout: float = 30.0) -> None:
        self._base_url = base_url
        self._timeout = timeout
        self._owner = os.getpid()
        self._pool = urllib3.connection_from_url(address(base_url, "/"), maxsize=_KEPT_CONNECTIONS)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | str | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        bounds: Bounds | None = None,
    ) -> Response:
        """Send one request and read its answer, whatever its status.

        timeout: seconds for connecting and for each wait for bytes; None is the client's own.
        bounds: of the answer as a whole; without them one that never ends is read for ever.
        Raises LoadError when no whole answer came, ConfigError for a request that cannot be made.
        """
        refuse_forked(self._owner)
        url = address(self._base_url, path)
        sent, all_headers = content(body, json, headers)
        limit = self._timeout if timeout is None else timeout
        started = time.monotonic()
        try:
            answer = self._pool.urlopen(
                method,
                urllib3.util.parse_url(url).request_uri,
                body=sent,
                headers=all_headers,
                timeout=limit,
                retries=False,
                redirect=False,
                preload_content=bounds is None,
            )
            content_read = answer.data if bounds is None else _read_within(bounds, answer, f"{method} {url}", started)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise LoadError(f"{method} {url} got no answer: {_words(error, limit)}") from error
        return Response(answer.status, answer.headers, content_read)

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.close()


def _read_within(bounds: Bounds, answer: urllib3.BaseHTTPResponse, request: str, started: float) -> bytes:
    received = bytearray()
    while piece := answer.read1(_PIECE):
        received += piece
        late = time.monotonic() - started > bounds.seconds
        if late or len(received) > bounds.size:
            answer.close()  # what is still to come must not be taken for the next answer
            most = f"{bounds.seconds:g} s" if late else f"{bounds.size >> 20} MiB"
            raise LoadError(f"the answer to {request} does not end within {most}")
    answer.release_conn()
    return bytes(received)


def _words(error: Exception, timeout: float) -> str:
    kind = failure_kind(error)
    return f"nothing came within {timeout:g} s" if kind == "timeout" else kind
