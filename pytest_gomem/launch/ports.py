"""Free TCP ports on the loopback interface, and who listens on one."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

import psutil

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.launch.serving import has_own_network, may_look_at, named
from pytest_gomem.observe.sockets import listeners

HOST = "127.0.0.1"
_LOOPBACK = (HOST, "localhost", "::1")


def free_ports(names: Iterable[str]) -> dict[str, int]:
    """A distinct free port for each name; another program may still take one before the service does."""
    with contextlib.ExitStack() as held:
        ports = {}
        for name in names:
            sock = held.enter_context(socket.socket())
            sock.bind((HOST, 0))
            ports[name] = sock.getsockname()[1]
        return ports


def local_port(url: str) -> int | None:
    """The port on this machine that the URL names; None where it names another machine."""
    parts = urlsplit(url)
    return (parts.port or {"https": 443}.get(parts.scheme, 80)) if parts.hostname in _LOOPBACK else None


def accepts(port: int, timeout: float = 1.0) -> bool:
    """Whether something accepts TCP connections there."""
    try:
        with socket.create_connection((HOST, port), timeout=timeout) as sock:
            # A connection to a free port can get that same port as its own, and then connect to itself.
            return bool(sock.getsockname() != sock.getpeername())
    except OSError:
        return False


def bases(pid: int, hint: str) -> tuple[str, ...]:
    """The address of each TCP port that the process listens on: `http://HOST:PORT`.

    hint: what to do if there is none; the ObserveError says why, and gives the hint.
    """
    if has_own_network(pid):
        raise ObserveError(f"pid {pid} has a network of its own, as in a container: {hint}")
    if not psutil.pid_exists(pid):
        raise ObserveError(f"there is no process {pid}")
    if not may_look_at(pid):
        raise ObserveError(f"the sockets of pid {pid} cannot be read: {hint}")
    found = _addresses(pid)
    if not found:
        raise ObserveError(f"pid {pid} listens on no TCP port{_listening_below(pid)}: {hint}")
    return tuple(f"http://{address}" for address in found)


def _addresses(pid: int) -> list[str]:
    """HOST:PORT of each TCP socket that the process listens on; loopback for a wildcard."""
    tcp = (listener.address for listener in listeners([pid]) if listener.port is not None)
    return sorted({address.replace("*", HOST) for address in tcp})


def _listening_below(pid: int) -> str:
    """Which of its descendants listen, in case the pid is that of a wrapper."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            if found := _addresses(child.pid):
                return f", but {named(child.pid)} below it does, on {', '.join(found)}"
    return ""


def listens(pids: Iterable[int], port: int) -> bool:
    """Whether one of these processes listens on that TCP port."""
    return any(listener.port == port for listener in listeners(pids))
