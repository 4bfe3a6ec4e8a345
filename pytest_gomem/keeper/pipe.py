"""Owns one output pipe of a service: large, drained without blocking, its stalls measured."""

from __future__ import annotations

import fcntl
import os
import select
import sys
import time

PIPE_BYTES = 1 << 20
# A look takes at most this much: 1 MiB of look-alikes of gctrace lines would keep the keeper from sampling for 70 ms.
READ_BYTES = 1 << 17


class DrainedPipe:
    """Both ends of a pipe; `write_fd` is for the service, and kept here so that a full pipe can be told.

    stalls: how often the pipe was found full, when the service may have been blocked in write(2).
    stalled: upper bound of the time it was blocked, seconds: since the pipe was last seen with room.
    """

    def __init__(self) -> None:
        self.fd, self.write_fd = os.pipe()
        os.set_blocking(self.fd, False)
        self.capacity = _enlarged(self.fd)
        self.stalls = 0
        self.stalled = 0.0
        self._room = select.poll()
        self._room.register(self.write_fd, select.POLLOUT)
        self._read_at = time.monotonic()

    def read(self, looked: float) -> bytes:
        """What is waiting, at most READ_BYTES; b"" when nothing is.

        looked: when the pipe was last looked at, and found empty or read.
        """
        now = time.monotonic()
        if not self._room.poll(0):
            self.stalls += 1
            self.stalled += now - max(looked, self._read_at)
        self._read_at = now
        try:
            return os.read(self.fd, READ_BYTES)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Close both ends; who still writes then gets EPIPE."""
        os.close(self.fd)
        os.close(self.write_fd)


def _enlarged(fd: int) -> int:
    """Capacity in bytes after asking for PIPE_BYTES, which the kernel refuses above fs.pipe-user-pages-soft."""
    if sys.platform != "linux":
        return 65536
    try:
        return fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        return fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)
