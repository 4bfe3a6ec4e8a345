"""Owns waiting for a service: by HTTP, TCP or a line of its log, until it is ready, dead or out of time."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

from pytest_gomem.config.ready import Ready
from pytest_gomem.errors import LoadError
from pytest_gomem.keeper.client import KeptChild
from pytest_gomem.keeper.protocol import ChildState
from pytest_gomem.launch.ports import HOST, accepts, listens

_FIRST_LOOK, _LONGEST_LOOK = 0.002, 0.05
_LONGEST_PROBE = 2.0
_FOREIGN_LISTENER_PATIENCE = 2.0
_LOG_KEPT = 1 << 20  # characters in which a match is looked for, so that one in two pieces is found
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _Probe(Protocol):
    """One look at the service, which takes at most `patience` seconds."""

    def __call__(self, patience: float) -> bool: ...

    def close(self) -> None: ...


def wait_ready(child: KeptChild, ready: Ready, ports: Mapping[str, int]) -> ChildState | None:
    """Wait until ready and return None then; the child's last state when it died or time ran out."""
    deadline, look = time.monotonic() + ready.timeout, _FIRST_LOOK
    with contextlib.closing(_probe(child, ready, ports)) as probe:
        while True:
            left = deadline - time.monotonic()
            is_ready = probe(min(_LONGEST_PROBE, max(_FIRST_LOOK, left)))
            state = child.state()
            if state.exit is not None:
                return state if ready.kind != "started" else None
            if is_ready:
                return None
            if left <= 0:
                return state
            time.sleep(look)
            look = min(look * 1.5, _LONGEST_LOOK)


def describe(ready: Ready, ports: Mapping[str, int]) -> str:
    """What is waited for, in words."""
    waits: dict[str, Callable[[], str]] = {
        "http": lambda: f"GET {_url(ready, ports)} to answer 2xx",
        "tcp": lambda: f"{HOST}:{ports.get(ready.port)} to accept connections",
        "log": lambda: f"its log to match /{ready.target}/",
        "started": lambda: "it to start",
    }
    return waits[ready.kind]()


def _probe(child: KeptChild, ready: Ready, ports: Mapping[str, int]) -> _Probe:
    if ready.kind == "http":
        url = _url(ready, ports)
        return _OwnListener(child, _local_port(url), _HttpProbe(url))
    if ready.kind == "tcp":
        return _OwnListener(child, ports[ready.port], _TcpProbe(ports[ready.port]))
    # Where nothing is waited for the target is empty, and found in any log.
    return _LogProbe(child, ready.target)


def _url(ready: Ready, ports: Mapping[str, int]) -> str:
    return ready.target if "://" in ready.target else f"http://{HOST}:{ports.get(ready.port)}{ready.target}"


def _local_port(url: str) -> int | None:
    """The port on this machine that the URL names; None where it names another machine."""
    parts = urlsplit(url)
    return (parts.port or {"https": 443}.get(parts.scheme, 80)) if parts.hostname in _LOOPBACK else None


class _TcpProbe:
    def __init__(self, port: int) -> None:
        self._port = port

    def __call__(self, patience: float) -> bool:
        return accepts(self._port, patience)

    def close(self) -> None:
        pass


class _HttpProbe:
    def __init__(self, url: str) -> None:
        from pytest_gomem.drive.client import HttpClient

        parts = urlsplit(url)
        self._target = parts._replace(scheme="", netloc="").geturl() or "/"
        self._client = HttpClient(f"{parts.scheme}://{parts.netloc}")

    def __call__(self, patience: float) -> bool:
        with contextlib.suppress(LoadError):
            return 200 <= self._client.request("GET", self._target, timeout=patience).status < 300
        return False

    def close(self) -> None:
        # A kept connection would stay with the service, two goroutines and their buffers.
        self._client.close()


class _LogProbe:
    def __init__(self, child: KeptChild, pattern: str) -> None:
        self._child, self._pattern = child, re.compile(pattern, re.MULTILINE)
        self._text, self._read = "", 0

    def __call__(self, patience: float) -> bool:
        new, self._read = self._child.log(self._read)
        self._text += new
        found = self._pattern.search(self._text) is not None
        self._text = self._text[-_LOG_KEPT:]
        return found

    def close(self) -> None:
        pass


class _OwnListener:
    """A probe that also wants the port to be the service's own: a lost port race may look ready on a stranger's.

    A listener outside the family (a container's proxy) is believed after some patience, in which a service that
    lost its port has died.
    """

    def __init__(self, child: KeptChild, port: int | None, probe: _Probe) -> None:
        self._child, self._port, self._probe = child, port, probe
        self._foreign_since: float | None = None

    def __call__(self, patience: float) -> bool:
        if not self._probe(patience):
            return False
        if self._port is None or listens(self._child.members(), self._port):
            return True
        now = time.monotonic()
        self._foreign_since = self._foreign_since or now
        return now - self._foreign_since >= _FOREIGN_LISTENER_PATIENCE

    def close(self) -> None:
        self._probe.close()
