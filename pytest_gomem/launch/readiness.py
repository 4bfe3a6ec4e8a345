"""Waits until a service is ready, has died or is out of time, and says what the last look found."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from pytest_gomem.base.errors import LoadError
from pytest_gomem.config.ready import Ready
from pytest_gomem.launch.ports import HOST, accepts, listens, local_port
from pytest_gomem.load.connection import Request
from pytest_gomem.load.failures import IS_IT_HTTP, TIMEOUT, hangs_up
from pytest_gomem.observe.kernel import stopped_words
from pytest_gomem.observe.sockets import listeners
from pytest_gomem.supervisor.client import KeptChild
from pytest_gomem.supervisor.protocol import ChildState

_FOREIGN_LISTENER_PATIENCE = 2.0
_LOG_KEPT = 1 << 20  # characters that are searched, so that a match in two pieces is found
_TELLING_PATIENCE = 0.2
_TLS_PATIENCE = 1.0
_LONGEST_QUOTE = 100


class Probe(Protocol):
    """A way to look whether the service is ready."""

    def look(self, patience: float) -> str:
        """One look, which takes at most `patience` seconds: "" when the service is ready, else what came instead."""

    def close(self) -> None:
        """Close what is open to the service."""

    def advice(self) -> str:
        """What could be wrong with this way of looking, asked once the wait is over; "" for nothing."""


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
        """No advice."""
        return ""


class HttpProbe:
    """A URL answers 2xx."""

    def __init__(self, url: str) -> None:
        from pytest_gomem.load.http_client import HttpClient

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
            # The last look may be too short for any answer: keep what the look before it found.
            if not self._got or error.kind != TIMEOUT or patience >= _TELLING_PATIENCE:
                self._got, self._kind = self._failure(error), error.kind
            return self._got
        if 200 <= answer.status < 300:
            return ""
        first = answer.text.strip().partition("\n")[0][:_LONGEST_QUOTE]
        self._got, self._kind = f"it answered with status {answer.status}" + (f": {first}" if first else ""), ""
        return self._got

    def _failure(self, error: LoadError) -> str:
        if error.kind == TIMEOUT:
            return "it gave" + str(error).partition("\n")[0].removeprefix(f"GET {self._url} got")
        return f"there was no answer: {error.kind}"

    def close(self) -> None:
        """Close the connection, which would cost the service two goroutines and their buffers."""
        self._client.close()

    def advice(self) -> str:
        """What to write if the port speaks TLS, or not HTTP/1.1."""
        host, port = self._parts.hostname, self._parts.port
        if self._parts.scheme != "http" or host is None or port is None:
            return ""
        if not _speaks_tls(host, port):
            return f"{IS_IT_HTTP} For gRPC wait with  ready: {{tcp: true}}" if hangs_up(self._kind) else ""
        return (
            f"this port speaks TLS: write  ready: {{http: 'https://{self._parts.netloc}{self._target}'}}  if this "
            "machine trusts its certificate, or  ready: {tcp: true}"
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
        """No advice."""
        return ""


class OwnListener:
    """A probe that also checks that the port is the service's own, and not that of another process.

    After some patience another process is accepted here, and the search for the process that serves reports it. A
    service that has lost its port dies meanwhile, and is started again on another.
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
        return "" if believed else f"another process answered on {HOST}:{self._port}"


_FIRST_LOOK, _LONGEST_LOOK = 0.002, 0.25
_LONGEST_PROBE = 2.0
_MOST_ADDRESSES = 8


@dataclass(frozen=True)
class NotReady:
    """How a wait ended without success: the last state, what the last look found, and what else is known.

    circumstances: lines about a service that still lives.
    """

    state: ChildState
    last_look: str = ""
    circumstances: tuple[str, ...] = ()


def wait_ready(
    child: KeptChild, ready: Ready, ports: Mapping[str, int], *, ours: str = "", follow: bool = False
) -> NotReady | None:
    """Wait until ready; returns None then, or why it is not ready.

    ours: the path of the agent's socket, which is not an address of the service. follow: go on waiting if the child
    ends with status 0 and leaves a process, as a daemon does.
    """
    deadline, look = time.monotonic() + ready.timeout, _FIRST_LOOK
    with contextlib.closing(_probe(child, ready, ports)) as probe:
        while True:
            left = deadline - time.monotonic()
            got = probe.look(min(_LONGEST_PROBE, max(_FIRST_LOOK, left)))
            state = child.state()
            is_left = follow and state.exit is not None and state.exit.code == 0 and bool(child.members())
            if state.exit is not None and not is_left:
                return NotReady(state) if ready.kind != "started" else None
            if not got:
                return None
            if left <= 0:
                return NotReady(state, got, tuple(_circumstances(child, probe, ports, ours)))
            if is_left:
                time.sleep(min(look, left))
            else:
                child.wait(min(look, left))  # returns early when the child ends
            look = min(look * 1.5, _LONGEST_LOOK)


def _circumstances(child: KeptChild, probe: Probe, ports: Mapping[str, int], ours: str) -> Iterator[str]:
    members = child.members()
    yield from filter(None, map(stopped_words, members))
    addresses = [listener.address for listener in listeners(members) if listener.address != f"unix:{ours}"]
    more = f" and {len(addresses) - _MOST_ADDRESSES} more" if len(addresses) > _MOST_ADDRESSES else ""
    where = f"on {', '.join(addresses[:_MOST_ADDRESSES])}{more}" if addresses else "on no port and on no unix socket"
    yield f"it listens {where}"
    if ports:
        yield "its ports: " + ", ".join(f"{{port{name and ':' + name}}} is {port}" for name, port in ports.items())
    if advice := probe.advice():
        yield advice


def describe(ready: Ready, ports: Mapping[str, int]) -> str:
    """What is waited for, in words."""
    waits: dict[str, Callable[[], str]] = {
        "http": lambda: f"GET {_url(ready, ports)} to answer 2xx",
        "tcp": lambda: f"{HOST}:{ports.get(ready.port)} to accept connections",
        "log": lambda: f"its log to match /{ready.target}/",
        "started": lambda: "it to start",
    }
    return waits[ready.kind]()


def port_served(ready: Ready, ports: Mapping[str, int]) -> int | None:
    """The service's port on this machine; None if the settings name none."""
    asked = local_port(_url(ready, ports)) if ready.kind == "http" else None
    return ports.get(ready.port) if asked is None else asked


def _probe(child: KeptChild, ready: Ready, ports: Mapping[str, int]) -> Probe:
    if ready.kind == "http":
        url = _url(ready, ports)
        return OwnListener(child, local_port(url), HttpProbe(url))
    if ready.kind == "tcp":
        return OwnListener(child, ports[ready.port], TcpProbe(ports[ready.port]))
    # If there is nothing to wait for, the target is empty, and any log matches.
    return LogProbe(child, ready.target)


def _url(ready: Ready, ports: Mapping[str, int]) -> str:
    return ready.target if "://" in ready.target else f"http://{HOST}:{ports.get(ready.port)}{ready.target}"
