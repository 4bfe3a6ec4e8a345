"""Listening sockets: told by address as one would write them, with who holds each."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack

from pytest_gomem.observe.sockets import listeners


def test_every_kind_of_socket(tmp_path):
    """TCP over both families, a wildcard, and unix sockets with a path or an abstract name; a connection is none."""
    with ExitStack() as stack:
        v4 = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        v6 = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        wide = stack.enter_context(socket.create_server(("", 0)))
        wide6 = stack.enter_context(socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True))
        path = str(tmp_path / "an api.sock")
        abstract = f"gomem-{os.getpid()}"
        for name in (path, "\0" + abstract):
            unix = stack.enter_context(socket.socket(socket.AF_UNIX))
            unix.bind(name)
            unix.listen()
        stack.enter_context(socket.create_connection(v4.getsockname()))
        before = {listener.address: listener for listener in listeners([os.getpid()])}
        ports = {name: sock.getsockname()[1] for name, sock in (("v4", v4), ("v6", v6), ("*", wide), ("*6", wide6))}
        assert f"127.0.0.1:{ports['v4']}" in before
        assert f"[::1]:{ports['v6']}" in before
        assert {f"*:{ports['*']}", f"*:{ports['*6']}", f"unix:{path}", f"unix:@{abstract}"} <= set(before)
        assert before[f"127.0.0.1:{ports['v4']}"].port == ports["v4"]
        assert before[f"127.0.0.1:{ports['v4']}"].inode == os.fstat(v4.fileno()).st_ino
        assert before[f"unix:{path}"].port is None
    after = {listener.address for listener in listeners([os.getpid()])}
    assert not after & {f"127.0.0.1:{ports['v4']}", f"unix:{path}"}


def test_who_holds_it():
    """A socket that a child was given has two holders; an ended process has none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with subprocess.Popen(
            [sys.executable, "-c", "input()"], pass_fds=[server.fileno()], stdin=subprocess.PIPE
        ) as child:
            both = {listener.address: listener.pids for listener in listeners([os.getpid(), child.pid, 2**22 + 1])}
            alone = {listener.address: listener.pids for listener in listeners([child.pid])}
            child.communicate()
        assert both[address] == tuple(sorted((os.getpid(), child.pid)))
        assert alone == {address: (child.pid,)}
        assert listeners([child.pid]) == ()
