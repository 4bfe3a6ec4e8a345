"""Owns which TCP connections of a process are being closed, while its goroutines that serve them are about to end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_TABLES = ("tcp", "tcp6")
_STATE, _INODE = 3, 9  # columns of /proc/PID/net/tcp
# include/net/tcp_states.h: established, SYN sent and received, listening. All others lead to the end, and so does none:
# a socket that both sides have shut is in no table.
_OPEN = frozenset((b"01", b"02", b"03", b"0A"))


def closing(pid: int) -> int:
    """How many of its TCP sockets are on their way to be closed: by its peer, or by itself; 0 where nobody tells."""
    mine = frozenset(_sockets(pid))
    return len(mine - _open_ones(pid)) if mine else 0


def _sockets(pid: int) -> Iterator[bytes]:
    """Inodes of its TCP sockets."""
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                kind, _, inode = str(descriptor.readlink()).partition(":[")
                if kind == "socket" and os.getxattr(descriptor, "system.sockprotoname").startswith(b"TCP"):
                    yield inode[:-1].encode()


def _open_ones(pid: int) -> set[bytes]:
    found = set()
    for table in _TABLES:
        with contextlib.suppress(OSError), Path(f"/proc/{pid}/net/{table}").open("rb") as rows:
            next(rows, None)
            for row in rows:
                columns = row.split(None, _INODE + 1)
                if columns[_STATE] in _OPEN:
                    found.add(columns[_INODE])
    return found
