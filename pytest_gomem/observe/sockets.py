"""Reads the sockets of processes: what they listen on, who holds them, and which connections are closing."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import psutil

# include/net/tcp_states.h: TCP that listens, and UDP that is bound and has no peer
_TCP = {"tcp": "0A", "tcp6": "0A"}
_TCP_AND_UDP = {**_TCP, "udp": "07", "udp6": "07"}
_UNIX_ACCEPTS = 0x10000  # __SO_ACCEPTCON of the flags in /proc/net/unix


@dataclass(frozen=True)
class Listener:
    """A listening socket.

    address: `127.0.0.1:8080`, `[::1]:8080`, `*:8080` for a wildcard, `unix:/run/api.sock`, `unix:@abstract`.
    port: of TCP, else None. inode: identifies the socket; 0 if unknown. pids: which of the processes asked about hold
    it open; several if a parent hands it to its children.
    """

    address: str
    port: int | None
    inode: int
    pids: tuple[int, ...]


def listeners(pids: Iterable[int]) -> tuple[Listener, ...]:
    """The sockets that these processes listen on, by address.

    A process that has ended, or cannot be read, has none. Outside of Linux only TCP is seen.
    """
    if sys.platform != "linux":
        return _by_psutil(pids)
    holders, found = defaultdict(set), {}
    tables: dict[int, dict[int, tuple[str, int | None]]] = {}
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended, or is not ours
            namespace = Path(f"/proc/{pid}/ns/net").stat().st_ino
            if namespace not in tables:
                tables[namespace] = dict(_listening(Path(f"/proc/{pid}/net")))
            for inode in socket_inodes(pid) & tables[namespace].keys():
                holders[inode].add(pid)
                found[inode] = tables[namespace][inode]
    found_listeners = (Listener(*found[inode], inode, tuple(sorted(who))) for inode, who in holders.items())
    return tuple(sorted(found_listeners, key=lambda listener: (listener.address, listener.inode)))


def answering(port: int, namespace_of: int | None = None) -> frozenset[int]:
    """The inodes of the sockets that answer on a port of the loopback interface, TCP or UDP; only on Linux.

    A socket bound to this address goes before those bound to all addresses. namespace_of: a process in the network that
    is meant; None = our own.
    """
    net = Path(f"/proc/{'self' if namespace_of is None else namespace_of}/net")
    found = defaultdict(set)
    with contextlib.suppress(OSError):  # the process has ended
        for inode, address, its_port in _inet(net, _TCP_AND_UDP):
            if its_port == port:
                found[address].add(inode)
    exact = found.get(f"127.0.0.1:{port}")
    return frozenset(exact or found[f"*:{port}"] | found[f"[::1]:{port}"])


def holders(inodes: Iterable[int]) -> tuple[int, ...]:
    """The processes of this machine that have one of these sockets open, if they can be read."""
    wanted, found = set(inodes), []
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if wanted & socket_inodes(pid):
                found.append(pid)
    return tuple(found)


def socket_inodes(pid: int) -> set[int]:
    """The inodes of all open sockets of the process; raises OSError (PermissionError if it cannot be read)."""
    return {int(inode) for _, inode in open_sockets(pid)}


def open_sockets(pid: int) -> Iterator[tuple[Path, str]]:
    """The process's open sockets, each as a descriptor's path below /proc and an inode; raises OSError."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        link = ""
        with contextlib.suppress(OSError):  # closed meanwhile
            link = str(descriptor.readlink())
        if link.startswith("socket:["):
            yield descriptor, link[8:-1]


def _listening(net: Path) -> Iterator[tuple[int, tuple[str, int | None]]]:
    """Inode, address and port of each socket that listens in this network namespace."""
    for number, address, port in _inet(net, _TCP):
        yield number, (address, port)
    for line in _lines(net / "unix"):
        _, _, _, flags, _, _, inode, *path = line.split(maxsplit=7)
        if int(flags, 16) & _UNIX_ACCEPTS:
            yield int(inode), (f"unix:{path[0].rstrip() if path else '(unnamed)'}", None)


def _inet(net: Path, states: Mapping[str, str]) -> Iterator[tuple[int, str, int]]:
    """Inode, address and port of each socket in these states by table."""
    for table, wanted in states.items():
        for line in _lines(net / table):
            _, local, _, state, *rest = line.split()
            if state == wanted:
                host, _, port = local.partition(":")
                yield int(rest[5]), _tcp_address(host, int(port, 16)), int(port, 16)


def _lines(table: Path) -> list[str]:
    """The table's lines without the head; none if the kernel has no such sockets."""
    try:
        return table.read_text(errors="replace").splitlines()[1:]
    except FileNotFoundError:
        return []


def _tcp_address(host: str, port: int) -> str:
    """An address from the kernel's form: 32-bit words, each in the machine's byte order."""
    words = [host[at : at + 8] for at in range(0, len(host), 8)]
    packed = b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words)
    return _written(IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed), port)


def _written(host: IPv4Address | IPv6Address, port: int) -> str:
    if host.is_unspecified:
        return f"*:{port}"
    return f"{host}:{port}" if host.version == 4 else f"[{host}]:{port}"


def _by_psutil(pids: Iterable[int]) -> tuple[Listener, ...]:
    holders = defaultdict(set)
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            for connection in psutil.Process(pid).net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    parsed = IPv6Address if ":" in connection.laddr.ip else IPv4Address
                    address = _written(parsed(connection.laddr.ip), connection.laddr.port)
                    holders[address, connection.laddr.port].add(pid)
    return tuple(Listener(address, port, 0, tuple(sorted(who))) for (address, port), who in sorted(holders.items()))


_TABLES = {"TCP": "tcp", "TCPv6": "tcp6"}  # by the protocol's name; reading one takes the kernel some 2 ms
_STATE, _INODE = 3, 9  # columns of /proc/PID/net/tcp
# include/net/tcp_states.h: established, SYN sent and received, listening. All others are closing, and so is no state:
# a socket that both sides have shut is in no table.
_OPEN = frozenset((b"01", b"02", b"03", b"0A"))


def closing(pid: int) -> int:
    """How many TCP sockets of the process are being closed, by the peer or by itself; 0 if unknown."""
    mine = dict(_sockets(pid))
    still_open = {inode for table in set(mine.values()) for inode in _open_ones(pid, table)}
    return len(mine.keys() - still_open)


def _sockets(pid: int) -> Iterator[tuple[bytes, str]]:
    """The inodes of its TCP sockets, each with its table."""
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
