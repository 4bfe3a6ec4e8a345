"""What a look at a URL finds, and what is advised by it."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from pytest_gomem.launch.readiness import HttpProbe


@pytest.fixture
def answers_once():
    """The port of a server that answers the first connection by other bytes than HTTP/1.1, and then no other."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with server.accept()[0] as connection:
                connection.recv(1024)
                connection.sendall(b"\x00\x00\x12\x04\x00\x00\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_last_look_that_was_too_short_takes_back_no_advice(answers_once):
    """What is said of the port and what is advised are of the same look."""
    with contextlib.closing(HttpProbe(f"http://127.0.0.1:{answers_once}/healthz")) as probe:
        found = probe.look(2.0)
        assert found == "there was no answer: no HTTP/1.1 came back"
        assert probe.look(0.01) == found
        assert "For gRPC wait with  ready: {tcp: true}" in probe.advice()
