"""Owns waiting for a service: by HTTP, TCP or a line of its log, until it is ready, dead or out of time."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

from pytest_gomem.config.services import Ready
from pytest_gomem.errors import LoadError
from pytest_gomem.keeper.client import KeptChild
from pytest_gomem.keeper.protocol import ChildState
from pytest_gomem.launch.ports import HOST, accepts, listens

_FIRST_LOOK, _LONGEST_LOOK = 0.002, 0.05
_FOREIGN_LISTENER_PATIENCE = 0.5


class _Probe(Protocol):
    def __call__(self) -> bool: ...


def wait_ready(child: KeptChild, ready: Ready, ports: Mapping[str, int]) -> ChildState | None:
    """Wait until ready and return None then; the child's last state when it died or time ran out."""
    probe = _probe(child, ready, ports)
    deadline, look = time.monotonic() + ready.timeout, _FIRST_LOOK
    while True:
        is_ready = probe()
        state = child.state()
        if state.exit is not None:
            return state if ready.kind != "started" else None
        if is_ready:
            return None
        if time.monotonic() >= deadline:
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
        return _OwnListener(child, ports.get(ready.port), _http_probe(_url(ready, ports)))
    if ready.kind == "tcp":
        return _OwnListener(child, ports[ready.port], lambda: accepts(ports[ready.port]))
    if ready.kind == "log":
        pattern = re.compile(ready.target, re.MULTILINE)
        return lambda: pattern.search(child.log()[0]) is not None
    return lambda: True


def _url(ready: Ready, ports: Mapping[str, int]) -> str:
    return ready.target if "://" in ready.target else f"http://{HOST}:{ports.get(ready.port)}{ready.target}"


def _http_probe(url: str) -> _Probe:
    from pytest_gomem.drive.client import HttpClient

    parts = urlsplit(url)
    client = HttpClient(f"{parts.scheme}://{parts.netloc}", timeout=2.0)
    target = parts._replace(scheme="", netloc="").geturl() or "/"

    def answers() -> bool:
        with contextlib.suppress(LoadError):
            return 200 <= client.request("GET", target).status < 300
        return False

    return answers


class _OwnListener:
    """A probe that also wants the port to be the service's own: a lost port race may look ready on a stranger's.

    A listener outside the family (a container's proxy) is believed after some patience, in which a service that
    lost its port has died.
    """

    def __init__(self, child: KeptChild, port: int | None, probe: _Probe) -> None:
        self._child, self._port, self._probe = child, port, probe
        self._foreign_since: float | None = None

    def __call__(self) -> bool:
        if not self._probe():
            return False
        if self._port is None or listens(self._child.members(), self._port):
            return True
        now = time.monotonic()
        self._foreign_since = self._foreign_since or now
        return now - self._foreign_since >= _FOREIGN_LISTENER_PATIENCE
