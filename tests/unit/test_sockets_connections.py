"""Connections that are being closed, told from those that are open, on real sockets of this process."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from pytest_gomem.observe.sockets import closing

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the tables are Linux's")


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_connection_is_closing_from_its_first_end_to_its_last(family, host):
    """Neither a listener, an open connection nor a unix socket is; one that a side has shut is, until it is closed."""
    me, before = os.getpid(), closing(os.getpid())
    with socket.socket(family) as listener, socket.socket(socket.AF_UNIX):
        try:
            listener.bind((host, 0))
        except OSError:
            pytest.skip(f"{host} is not there")
        listener.listen()
        client = socket.create_connection(listener.getsockname()[:2])
        server, _ = listener.accept()
        assert closing(me) == before
        client.close()
        assert closing(me) == before + 1  # the server's side waits for its close
        server.shutdown(socket.SHUT_RDWR)
        assert closing(me) == before + 1  # in no table any more
        server.close()
        assert closing(me) == before


def test_nobody_to_ask_has_none():
    """A process that has ended has no connections."""
    assert closing(2**22 + 1) == 0
