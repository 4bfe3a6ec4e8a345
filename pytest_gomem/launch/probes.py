"""Owns single looks at a service that is to become ready: by HTTP, TCP or a line of its log, and what each one got."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from typing import Protocol
from urllib.parse import urlsplit

from pytest_gomem.base.errors import LoadError
from pytest_gomem.launch.ports import HOST, accepts, listens
from pytest_gomem.load.connection import Request
from pytest_gomem.load.failures import IS_IT_HTTP, TIMEOUT, hangs_up
from pytest_gomem.supervisor.client import KeptChild

_FOREIGN_LISTENER_PATIENCE = 2.0
_LOG_KEPT = 1 << 20  # characters in which a match is looked for, so that one in two pieces is found
_TELLING_PATIENCE = 0.2
_TLS_PATIENCE = 1.0
_LONGEST_QUOTE = 100


class Probe(Protocol):
    """One way of looking at the service."""

    def look(self, patience: float) -> str:
        """One look, which takes at most `patience` seconds: "" when the service is ready, else what came instead."""

    def close(self) -> None:
        """Leave nothing behind at the service."""

    def advice(self) -> str:
        """What could be wrong with the way of looking itself, found out once the wait is over; "" for nothing."""


class TcpProbe:
    """A port of this machine accepts connections."""

    def __init__(self, port: int) -> None:
        self._port = port

    def look(self, patience: float) -> str:
        """One look."""
        return "" if accepts(self._port, patience) else "nothing accepts connections there"

    def close(self) -> None:
        """Nothing is kept."""

    def advice(self) -> str:
        """None: a port is a port."""
        return ""


class HttpProbe:
    """A URL answers 2xx."""

    def __init__(self, url: str) -> None:
        from pytest_gomem.load.client import HttpClient

        self._url = url
        self._parts = urlsplit(url)
        self._target = self._parts._replace(scheme="", netloc="").geturl() or "/"
        self._client = HttpClient(f"{self._parts.scheme}://{self._parts.netloc}")
        self._got = self._kind = ""

    def look(self, patience: float) -> str:
        """One look."""
        try:
            answer = self._client.request(Request("GET", self._target, timeout=patience))
        except LoadError as error:
            self._kind = error.kind
            # What is left of a wait at its end may be too short for any answer: the look before it tells more.
            if not self._got or error.kind != TIMEOUT or patience >= _TELLING_PATIENCE:
                self._got = self._failure(error)
            return self._got
        if 200 <= answer.status < 300:
            return ""
        first = answer.text.strip().partition("\n")[0][:_LONGEST_QUOTE]
        self._got = f"it answered with status {answer.status}" + (f": {first}" if first else "")
        return self._got

    def _failure(self, error: LoadError) -> str:
        if error.kind == TIMEOUT:
            return "it gave" + str(error).partition("\n")[0].removeprefix(f"GET {self._url} got")
        return f"there was no answer: {error.kind}"

    def close(self) -> None:
        """A kept connection would stay with the service, two goroutines and their buffers."""
        self._client.close()

    def advice(self) -> str:
        """Where the port speaks TLS, or another protocol than HTTP/1.1, what to write instead."""
        host, port = self._parts.hostname, self._parts.port
        if self._parts.scheme != "http" or host is None or port is None:
            return ""
        if not _speaks_tls(host, port):
            return f"{IS_IT_HTTP} For gRPC wait with  ready: {{tcp: true}}" if hangs_up(self._kind) else ""
        return (
            f"this port speaks TLS: write  ready: {{http: 'https://{self._parts.netloc}{self._target}'}}  where its "
            "certificate is one that this machine trusts, or  ready: {tcp: true}"
        )


def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        contextlib.suppress(OSError),
        socket.create_connection((host, port), _TLS_PATIENCE) as plain,
        context.wrap_socket(plain),
    ):
        return True
    return False


class LogProbe:
    """A regular expression is found in the log."""

    def __init__(self, child: KeptChild, pattern: str) -> None:
        self._child, self._pattern = child, re.compile(pattern, re.MULTILINE)
        self._text, self._read, self._lines = "", 0, 0

    def look(self, patience: float) -> str:
        """One look."""
        new, self._read = self._child.log(self._read)
        self._text += new
        self._lines += new.count("\n")
        found = self._pattern.search(self._text) is not None
        self._text = self._text[-_LOG_KEPT:]
        return "" if found else f"none of its {self._lines} lines matches" if self._lines else "it has logged nothing"

    def close(self) -> None:
        """Nothing is kept."""

    def advice(self) -> str:
        """None: a log is a log."""
        return ""


class OwnListener:
    """A probe that also wants the port to be the service's own: a lost port race may look ready on a stranger's.

    A stranger is left to the search for who serves, which names it, after some patience: a service that has lost its
    port dies meanwhile, and is started again on another.
    """

    def __init__(self, child: KeptChild, port: int | None, probe: Probe) -> None:
        self._child, self._port, self._probe = child, port, probe
        self._foreign_since: float | None = None
        self.close, self.advice = probe.close, probe.advice

    def look(self, patience: float) -> str:
        """One look."""
        if got := self._probe.look(patience):
            return got
        if self._port is None or listens(self._child.members(), self._port):
            return ""
        now = time.monotonic()
        self._foreign_since = self._foreign_since or now
        believed = now - self._foreign_since >= _FOREIGN_LISTENER_PATIENCE
        return "" if believed else f"it was another process that answered on {HOST}:{self._port}"
