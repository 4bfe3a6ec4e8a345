"""The protocol between pytest and its supervisor: one JSON object per line, over a socket pair."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_gomem.cgroup.reading import GroupReading

Message = dict[str, Any]
_READ = 1 << 18


@dataclass(frozen=True)
class LaunchRequest:
    """A program to start. log_bytes: how much of its output to keep. gctrace: whether stderr has GC lines.

    split_stderr: give it another pipe, to which the agent moves what is written to os.Stderr.
    memory_limit: {"max": bytes, "mode": "auto", "cgroup" or "simulated"}, for a memory cgroup of its own.
    """

    argv: list[str]
    env: dict[str, str]
    cwd: str
    tree: bool = False
    sample_rate: float = 50.0
    log_bytes: int = 4 << 20
    gctrace: bool = True
    split_stderr: bool = False
    memory_limit: dict[str, Any] | None = None


@dataclass(frozen=True)
class HelperRequest:
    """A command to run to its end; stdout, stderr: the files for its output."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    stdout: str
    stderr: str


@dataclass(frozen=True)
class ExitRecord:
    """How a process ended: status and resources from wait4, and evidence of an OOM kill ("" if none).

    code: exit status, or None after a signal. signal: its number, or None. Both are None if only the process's own
    parent knows.
    max_rss: ru_maxrss in bytes, or None if it includes the forker's memory. cpu: user + system seconds. Both include
    children that the process waited for, as in wait4(2).
    killed: whether we sent SIGKILL.
    """

    t: float
    code: int | None
    signal: int | None
    max_rss: int | None
    cpu: float
    oom: str
    killed: bool = False

    @property
    def is_known(self) -> bool:
        """Whether it is known how the process ended."""
        return self.code is not None or self.signal is not None


@dataclass(frozen=True)
class GroupState:
    """The memory cgroup of a launch. by: "cgroup v2", "cgroup v1", "systemd scope" or "simulated"; limit: bytes.

    path: the folder of the group, "" if simulated. swap: what was done about the machine's swap, "" if it has none.
    above: the lowest limit of the groups that it lies in, such as that of a container; None if they have none.
    """

    by: str
    path: str
    limit: int
    swap: str = ""
    above: int | None = None


@dataclass(frozen=True)
class ChildState:
    """What the supervisor knows about a child now; `log_end` is the offset after its last log byte.

    serving_exit: how the process ended that serves instead of the child, if there is one.
    group: its memory cgroup, if it has a memory limit; group_last: its figures at the reap, before it is removed.
    """

    pid: int
    started: float
    exit: ExitRecord | None
    log_end: int
    stalls: int
    stalled: float
    serving_exit: ExitRecord | None = None
    group: GroupState | None = None
    group_last: GroupReading | None = None

    @classmethod
    def from_message(cls, message: Message) -> ChildState:
        """Rebuild from `asdict`."""
        parts = {name: message.get(name) for name in _PARTS}
        return cls(**{**message, **{name: part and _PARTS[name](**part) for name, part in parts.items()}})


_PARTS: dict[str, Callable[..., Any]] = {
    "exit": ExitRecord,
    "serving_exit": ExitRecord,
    "group": GroupState,
    "group_last": GroupReading,
}


class _Lines:
    """Splits received bytes into messages. A message torn by an interrupt is dropped: newlines surround messages."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        self._rest += data
        if b"\n" not in data:
            return []
        *lines, self._rest = self._rest.split(b"\n")
        return [message for line in lines if (message := _parsed(line)) is not None]


def _parsed(line: bytes | bytearray) -> Message | None:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _line(message: Message) -> bytes:
    return b"\n" + json.dumps(message, separators=(",", ":")).encode() + b"\n"


class Channel:
    """pytest's end, which may wait; raises OSError if the other end is gone or reads nothing for `timeout` s."""

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        sock.settimeout(timeout)
        self._sock = sock
        self._lines = _Lines()

    def send(self, message: Message) -> None:
        """Send one message."""
        self._sock.sendall(_line(message))

    def has_come(self, seconds: float) -> bool:
        """Wait for something to receive, at most that long; returns whether there is."""
        waiting = select.poll()
        waiting.register(self._sock, select.POLLIN)
        return bool(waiting.poll(1e3 * seconds))

    def receive(self) -> list[Message]:
        """Wait for bytes; returns the messages that they complete, perhaps none."""
        data = self._sock.recv(_READ)
        if not data:
            raise ConnectionResetError("it has closed the connection")
        return self._lines.feed(data)

    def shutdown(self) -> None:
        """End the connection, even if a forked copy of this process holds it open."""
        self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


class ServingChannel:
    """The supervisor's end, which never waits: pytest may stop or die in the middle of a message."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._lines = _Lines()
        self._unsent = bytearray()

    @property
    def is_sending(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._unsent)

    def post(self, message: Message) -> None:
        """Queue one message; `flush` sends it."""
        self._unsent += _line(message)

    def flush(self) -> None:
        """Send what the socket takes; raises OSError if the other end is gone."""
        try:
            while self._unsent:
                del self._unsent[: self.sock.send(self._unsent)]
        except BlockingIOError:
            return

    def receive(self) -> list[Message]:
        """The complete messages so far; raises OSError if the other end is gone."""
        try:
            data = self.sock.recv(_READ)
        except BlockingIOError:
            return []
        if not data:
            raise ConnectionResetError("the other end has closed the connection")
        return self._lines.feed(data)
