"""Looks at processes, programs and sources that several tests take."""

from __future__ import annotations

import socket
import subprocess
import threading
from functools import lru_cache
from pathlib import Path

import psutil

from pytest_gomem.launch.toolchain import find_toolchain


def is_running(pid: int) -> bool:
    """Whether the process still runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def printed(binary: Path) -> str:
    """What a program that ends by itself writes to stderr."""
    return subprocess.run([binary], capture_output=True, text=True, check=True).stderr.strip()


def line_of(source: str, code: str) -> int:
    """The number of the one line that holds this code."""
    (number,) = [n for n, line in enumerate(source.splitlines(), 1) if code in line]
    return number


class Stranger:
    """Answers every HTTP request on a port of its own with 200, in a thread."""

    def __enter__(self):
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def _serve(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def __exit__(self, *exc):
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@lru_cache(maxsize=1)
def pprof_tool() -> str:
    """The program behind `go tool pprof`, which looks at each call whether it must be built anew."""
    tool = [find_toolchain().go, "tool"]
    subprocess.run([*tool, "pprof", "-help"], capture_output=True)  # builds it
    return subprocess.check_output([*tool, "-n", "pprof"], text=True).strip()
