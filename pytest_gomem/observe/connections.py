"""Owns which TCP connections of a process are being closed, while its goroutines that serve them are about to end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pytest_gomem.observe.listeners import open_sockets

_TABLES = {"TCP": "tcp", "TCPv6": "tcp6"}  # by the protocol's name; reading one takes the kernel some 2 ms
_STATE, _INODE = 3, 9  # columns of /proc/PID/net/tcp
# include/net/tcp_states.h: established, SYN sent and received, listening. All others lead to the end, and so does none:
# a socket that both sides have shut is in no table.
_OPEN = frozenset((b"01", b"02", b"03", b"0A"))


def closing(pid: int) -> int:
    """How many of its TCP sockets are on their way to be closed: by its peer, or by itself; 0 where nobody tells."""
    mine = dict(_sockets(pid))
    still_open = {inode for table in set(mine.values()) for inode in _open_ones(pid, table)}
    return len(mine.keys() - still_open)


def _sockets(pid: int) -> Iterator[tuple[bytes, str]]:
    """Inodes of its TCP sockets, each with the table that it stands in."""
    with contextlib.suppress(OSError):
        for descriptor, inode in open_sockets(pid):
            protocol = ""
            with contextlib.suppress(OSError):  # closed meanwhile
                protocol = os.getxattr(descriptor, "system.sockprotoname").rstrip(b"\0").decode()
            if protocol in _TABLES:
                yield inode.encode(), _TABLES[protocol]


def _open_ones(pid: int, table: str) -> Iterator[bytes]:
    with contextlib.suppress(OSError), Path(f"/proc/{pid}/net/{table}").open("rb") as rows:
        next(rows, None)
        for row in rows:
            columns = row.split(None, _INODE + 1)
            if columns[_STATE] in _OPEN:
                yield columns[_INODE]
