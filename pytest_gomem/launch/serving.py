"""Finds the process to measure: the one that serves, which may not be the one that was started.

`go run`, a shell script or a daemon starts another process; a stranger may have the port. The heap is that of the
process that listens, so the kernel must be asked for the memory of that same process.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from pytest_gomem.base.errors import LaunchError
from pytest_gomem.base.printable import printable
from pytest_gomem.observe import kernel
from pytest_gomem.observe.sockets import answering, holders, listeners, socket_inodes
from pytest_gomem.supervisor.client import KeptChild

_PATIENCE = 0.5  # seconds for a service to listen, and for a fork to close inherited sockets
_LOOK = 0.02
_MOST_NAMED = 3
_LONGEST_COMMAND = 80
_APART = 0.3  # seconds between two starts that make gctrace lines distinct by their clocks


@dataclass(frozen=True)
class Serving:
    """The process to measure, and notes on how it was found.

    is_checked: whether it is known to be the one that answers. no_gctrace: why the gctrace lines on the common stderr
    may not be its own, "" if they are.
    """

    pid: int
    notes: tuple[str, ...] = ()
    is_checked: bool = True
    no_gctrace: str = ""


def named(pid: int) -> str:
    """A process as messages name it: "pid 12 (python3 -m http.server)"."""
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        words = []
    command = printable(_shortened(words))
    return f"pid {pid} ({command})" if command else f"pid {pid}"


def _shortened(words: Sequence[str]) -> str:
    """The first words of a command, whole and unquoted: a secret that is cut or quoted would not be hidden."""
    for count in range(len(words), 1, -1):
        shown = " ".join(words[:count]) + " ..." * (count < len(words))
        if len(shown) <= _LONGEST_COMMAND:
            return shown
    return " ".join(words[:1]) + " ..." * (len(words) > 1)


def program_of(pid: int, started: str) -> str:
    """The path of the process's program; the name it was started by, if that is the same file."""
    try:
        running = str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:  # ended, another user's, or no Linux
        return started
    return started if os.path.realpath(started) == running else running


def several(pids: Sequence[int]) -> str:
    """Several processes as messages name them."""
    more = f" and {len(pids) - _MOST_NAMED} more" if len(pids) > _MOST_NAMED else ""
    return ", ".join(map(named, pids[:_MOST_NAMED])) + more


def left_behind(pids: Sequence[int]) -> str:
    """The message for a program that ended while processes of its family are still running; "" if none is."""
    if not pids:
        return ""
    return (
        f", and left {several(pids)} running: start the service in the foreground, or say  follow: true  to measure "
        "the process that it leaves"
    )


@dataclass(frozen=True)
class _Look:
    """Who answers on one port: members of the family, and sockets that none of them holds.

    hidden: members with sockets that we may not read. is_empty: no member lives.
    """

    owners: tuple[int, ...]
    foreign: frozenset[int]
    hidden: tuple[int, ...]
    is_empty: bool


class ServingSearch:
    """Finds the process of a family that serves. tree: the figures of all processes are summed.

    ours: the path of the agent's socket, which does not count as serving.
    """

    def __init__(self, service: str, child: KeptChild, *, tree: bool, ours: str = "") -> None:
        self._service, self._child, self._tree, self._ours = service, child, tree, ours

    def find(self, port: int | None) -> Serving:
        """The process that listens on the port, or else the one that listens anywhere. Raises LaunchError.

        port: the service's port on this machine, if it has one.
        """
        if sys.platform != "linux":
            return self._unchecked("this system does not show who holds a socket")
        look = self._settled(port) if port is not None else None
        if look is not None and (look.owners or look.foreign):
            assert port is not None
            return self._by_port(port, look)
        return self._by_any_listener()

    def _settled(self, port: int) -> _Look:
        """The look that shows one process alone, or the last one."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            look = _look(self._child.members(), port)
            is_clear = bool(look.owners) and not look.foreign and (self._tree or len(look.owners) == 1)
            if is_clear or look.hidden or look.is_empty or time.monotonic() >= deadline:
                return look
            time.sleep(_LOOK)

    def _by_port(self, port: int, look: _Look) -> Serving:
        if look.foreign:
            if look.hidden:
                return self._unchecked(f"the sockets of {several(look.hidden)} cannot be read")
            raise LaunchError(self._service, _stranger(port, look.foreign))
        return self._chosen(look.owners, f"listens on port {port}")

    def _by_any_listener(self) -> Serving:
        members = self._child.members()
        if hidden := [pid for pid in members if not may_look_at(pid)]:
            return self._unchecked(f"the sockets of {several(hidden)} cannot be read")
        found: dict[int, str] = {}
        for listener in listeners(members):
            for pid in listener.pids if listener.address != f"unix:{self._ours}" else ():
                found.setdefault(pid, listener.address)
        if found:
            pids = (self._child.pid,) if self._child.pid in found else tuple(found)
            return self._chosen(pids, f"listens on {found[pids[0]]}")
        if self._child.pid not in members and len(members) == 1:
            return Serving(
                members[0], (f"{named(members[0])} is measured, the only process that the started program left",)
            )
        return self._unchecked("it listens on no port and on no unix socket")

    def _chosen(self, pids: tuple[int, ...], why: str) -> Serving:
        if self._tree and (members := self._child.members()):
            # The eldest, whose descendants are summed with it; it may be a daemon that has left its parent.
            pids = (members[0],)
        if len(pids) > 1:
            raise LaunchError(
                self._service,
                f"{len(pids)} processes of it serve, {several(pids)}: the figures of one of them would say little. "
                "Say  tree: true  to measure all of them together, or start a single one",
            )
        (pid,) = pids
        if pid == self._child.pid:
            return Serving(pid)
        started = named(self._child.pid) if psutil.pid_exists(self._child.pid) else f"pid {self._child.pid}"
        return Serving(pid, (f"{named(pid)} is measured, because it {why}, and not {started}, which was started",))

    def _unchecked(self, why: str) -> Serving:
        pid = self._child.pid
        return Serving(pid, (f"it was not checked that {named(pid)} is the process that serves: {why}",), False)


def no_gctrace(pid: int, members: Iterable[int], is_go: Callable[[int], bool]) -> str:
    """Why gctrace lines may be another member's and not this process's; "" if they are its own.

    is_go: whether a process is a Go program, which prints such lines too.
    """
    for other in members:
        try:
            apart = kernel.started(pid) - kernel.started(other)
        except OSError:  # ended: it prints nothing more
            continue
        if other != pid and abs(apart) < _APART and is_go(other):
            return f"the gctrace lines of pid {pid} and {named(other)} cannot be separated: they started together"
    return ""


def _look(members: Iterable[int], port: int) -> _Look:
    held: dict[int, set[int]] = {}
    hidden: list[int] = []
    namespaces: dict[str, int | None] = {_network_of(os.getpid()): None}
    for pid in members:
        try:
            held[pid] = socket_inodes(pid)
        except PermissionError:
            hidden.append(pid)
        except OSError:  # it has ended
            continue
        else:
            namespaces.setdefault(_network_of(pid), pid)
    found = frozenset[int]().union(*(answering(port, pid) for pid in namespaces.values()))
    owners = tuple(pid for pid, theirs in held.items() if found & theirs)
    return _Look(owners, found.difference(*held.values()), tuple(hidden), is_empty=not held and not hidden)


def may_look_at(pid: int) -> bool:
    """Whether we may read its sockets; a process that has ended has none."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        try:
            socket_inodes(pid)
        except PermissionError:
            return False
    return True


def has_own_network(pid: int) -> bool:
    """Whether the process is known to have a network of its own, as in a container."""
    return _network_of(pid) not in ("", _network_of(os.getpid()))


def _network_of(pid: int) -> str:
    """The network namespace of a process, "" if unknown."""
    with contextlib.suppress(OSError):
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    return ""


def who_answers(port: int) -> str:
    """Who answers on the port of this machine."""
    return _who(answering(port))


def _who(sockets: Iterable[int]) -> str:
    pids = holders(sockets)
    return several(pids) if pids else "a process of another user"


def _stranger(port: int, foreign: Iterable[int]) -> str:
    return (
        f"port {port} is held by {_who(foreign)}, which is not a process of this service: what "
        "answers there is not what would be measured. End it, or give the service a {port} of its own; what runs in a "
        "container, or behind a proxy, is measured by attach(pid)"
    )


def holds_port(pids: Iterable[int], port: int) -> bool | None:
    """Whether one of the processes answers on the port of this machine; None if that is not known.

    It is not if one has a network of its own, as in a container: another process forwards our port to it.
    """
    pids = tuple(pids)
    if any(map(has_own_network, pids)):
        return None
    look = _look(pids, port)
    if look.owners:
        return True
    return None if look.hidden or not look.foreign else False
