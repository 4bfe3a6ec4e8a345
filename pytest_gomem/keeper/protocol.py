"""Owns the talk between pytest and its keeper: one JSON object a line, over a socket pair."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass, field
from typing import Any

Message = dict[str, Any]


@dataclass(frozen=True)
class LaunchRequest:
    """A program to start; `log_bytes` is how much of its output is kept, `gctrace` whether stderr carries GC lines."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    tree: bool = False
    sample_rate: float = 50.0
    log_bytes: int = 4 << 20
    gctrace: bool = True


@dataclass(frozen=True)
class ExitRecord:
    """How a process ended: wait4's status and resources, and proof of an OOM kill ("" if none).

    code: exit status, or None after a signal. signal: its number, or None.
    max_rss: ru_maxrss in bytes, or None where it holds the forker's memory as well. cpu: user + system seconds.
    """

    t: float
    code: int | None
    signal: int | None
    max_rss: int | None
    cpu: float
    oom: str


@dataclass(frozen=True)
class ChildState:
    """What the keeper knows of a child right now; `log_end` is the offset behind its last log byte."""

    pid: int
    started: float
    exit: ExitRecord | None
    log_end: int
    stalls: int
    stalled: float
    members: list[int] = field(default_factory=list)

    @classmethod
    def from_message(cls, message: Message) -> ChildState:
        """Rebuild from `asdict`."""
        ended = message["exit"]
        return cls(**{**message, "exit": None if ended is None else ExitRecord(**ended)})


class Channel:
    """Sends and receives messages on a connected socket; `receive` yields None when the other side is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._reader = sock.makefile("rb")

    def send(self, message: Message) -> None:
        """Send one message; raises OSError when the other side is gone."""
        self.sock.sendall(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def receive(self) -> Message | None:
        """Wait for one whole message; None at end of file."""
        line = self._reader.readline()
        if not line.endswith(b"\n"):
            return None
        message: Message = json.loads(line)
        return message

    def close(self) -> None:
        """Close the socket."""
        self._reader.close()
        self.sock.close()


def to_message(record: LaunchRequest | ExitRecord | ChildState) -> Message:
    """A record as plain JSON data."""
    return asdict(record)
