"""A kept HTTP connection, where each exchange has one deadline for everything, from connecting to the last byte.

A socket's own timeout begins again with every byte, so a server that sends a byte now and then never times out. Here
each wait of the socket gets the time that the exchange has left. Imports urllib3.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse
from urllib3.util import parse_url

from pytest_gomem.base.clock import Deadline
from pytest_gomem.base.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


MAX_BODY = "128MiB"  # of one answer that is read whole; a heap profile of 200 000 samples has some 2 MB


@dataclass(frozen=True)
class Request:
    """One request to a service, with at most one of `body` (text is sent as UTF-8) and `json`.

    timeout: seconds, or "10s"; None is the client's own.
    """

    method: str
    path: str
    body: bytes | str | None = None
    json: object = None
    headers: Mapping[str, str] | None = None
    timeout: float | str | None = None


def address(base_url: str, path: str) -> str:
    """The whole URL of `path` below `base_url`; raises ConfigError for a path that is a URL itself."""
    if not base_url.startswith(("http://", "https://")):
        raise ConfigError(f"'{base_url}' is not the address of a service: begin it with http:// or https://")
    if "://" in path.partition("?")[0]:
        raise ConfigError(f"'{path}' is a whole URL", hint=f"give only the path below {base_url}")
    return f"{base_url.rstrip('/')}/{path.removeprefix('/')}"


def content(
    body: bytes | str | None, json_value: object, headers: Mapping[str, str] | None
) -> tuple[bytes | None, dict[str, str]]:
    """The bytes to send, text as UTF-8, and the headers, with a Content-Type for JSON unless there is one.

    Raises ConfigError when both a body and JSON are given, or JSON cannot express the value.
    """
    given = dict(headers or {})
    if json_value is None:
        return (body.encode() if isinstance(body, str) else body), given
    if body is not None:
        raise ConfigError("body= and json= are both given", hint="give one of them")
    try:
        encoded = json.dumps(json_value).encode()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"json=: {error}") from None
    if not any(name.lower() == "content-type" for name in given):
        given["Content-Type"] = "application/json"
    return encoded, given


_SLACK = 0.01  # seconds; to set a timeout costs a system call each time


class _PlainSocket(socket.socket):
    deadline: Deadline

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        _keep_deadline(self)
        return super().recv_into(buffer, nbytes, flags)

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        _keep_deadline(self)
        super().sendall(data, flags)  # its timeout is for all bytes


class _TlsSocket(ssl.SSLSocket):
    deadline: Deadline

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        _keep_deadline(self)
        return super().recv_into(buffer, nbytes, flags)

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        _keep_deadline(self)
        return super().send(data, flags)  # sendall calls it many times


def _keep_deadline(sock: _PlainSocket | _TlsSocket) -> None:
    """Make the next wait end by the deadline, at most 10 ms late; raises TimeoutError if it has passed."""
    left, timeout = sock.deadline.left(), sock.gettimeout()
    if timeout is None or left < timeout - _SLACK:
        sock.settimeout(left)


class _PlainConnection(HTTPConnection):
    deadline: Deadline

    def _new_conn(self) -> socket.socket:
        failure = OSError(f"{self.host} has no address")
        for family, kind, protocol, _, where in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            sock = _PlainSocket(family, kind, protocol)
            sock.deadline = self.deadline
            try:
                sock.settimeout(self.deadline.left())
                sock.connect(where)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(self.deadline.left())  # for a TLS handshake, which takes it over
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        raise failure


class _TlsConnection(_PlainConnection, HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        assert isinstance(self.sock, _TlsSocket)
        self.sock.deadline = self.deadline


class Connection:
    """A connection to the service at `base_url`, opened by the first request and again when it was closed.

    It is urllib3's connection without its pool: 3900 requests/s instead of 3000 (one thread, 2 cores, Go server on the
    same machine). Not for two threads at once.
    """

    def __init__(self, base_url: str) -> None:
        url = parse_url(address(base_url, "/"))
        assert url.host is not None
        host = url.host.strip("[]")
        self._connection = (
            _TlsConnection(host, url.port, ssl_context=_tls())
            if url.scheme == "https"
            else _PlainConnection(host, url.port)
        )
        self._socket: _PlainSocket | _TlsSocket | None = None

    def ask(
        self,
        deadline: Deadline,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        decode: bool = False,
    ) -> HTTPResponse:
        """Send a request and read its answer up to the body, which the caller reads; all of it by the deadline.

        decode: undo the body's Content-Encoding. Raises OSError, HTTPException and urllib3's HTTPError, then and while
        the body is read: close it then.
        """
        connection = self._connection
        connection.deadline = deadline
        connection.timeout = deadline.seconds  # it sets this on its socket before it sends and reads
        if connection.sock is not None:
            if connection.is_connected:
                connection.sock.deadline = deadline  # type: ignore[union-attr]  # _new_conn makes it
            else:
                # The server may close an idle connection: the next request has not failed.
                connection.close()
        connection.request(method, target, body, headers, preload_content=False, decode_content=decode)
        self._socket = connection.sock  # type: ignore[assignment]  # _new_conn makes it
        return connection.getresponse()

    def allow(self, deadline: Deadline) -> None:
        """Set another deadline for the rest of the answer."""
        if self._socket is not None and self._socket.fileno() >= 0:  # the end of an answer may have closed it
            self._socket.deadline = deadline
            self._socket.settimeout(deadline.seconds)

    def close(self) -> None:
        """Close it; unread parts of an answer are lost."""
        self._connection.close()


def request_target(base_url: str, path: str) -> str:
    """The request line's target for a path below the base: encoded, without a fragment."""
    return parse_url(address(base_url, path)).request_uri


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.sslsocket_class = _TlsSocket
    return context
