"""A process started by the supervisor: its pipes, its end, and the signals to its family."""

from __future__ import annotations

import fcntl
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pytest_gomem.supervisor.family import Family
from pytest_gomem.supervisor.protocol import ChildState, ExitRecord, HelperRequest
from pytest_gomem.supervisor.spawn import LAUNCH_MARK

PIPE_BYTES = 1 << 20
# At most this much in one read: 1 MiB of lines that look like gctrace would stop sampling for 70 ms.
READ_BYTES = 1 << 17


class DrainedPipe:
    """Both ends of a pipe; `write_fd` is for the service, and kept here to see when the pipe is full.

    stalls: how often the pipe was full, so that the service may have been blocked in write(2).
    stalled: upper bound of the time it was blocked, in seconds, counted from when the pipe last had room.
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
        """The bytes in the pipe, at most READ_BYTES; b"" if there are none.

        looked: when the pipe was last read or found empty.
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
        """Close both ends; processes that still write get EPIPE."""
        os.close(self.fd)
        os.close(self.write_fd)


def _enlarged(fd: int) -> int:
    """Ask for PIPE_BYTES, which the kernel may refuse (fs.pipe-user-pages-soft); returns the capacity in bytes."""
    if sys.platform != "linux":
        return 65536
    try:
        return fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        return fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)


FOREVER = float("inf")
_KILL_AGAIN, _KILL_AGAIN_AT_LAST = (
    0.02,
    1.0,
)  # seconds: a process that we may not kill, as of another user, stays for long


class Kept:
    """A process of the supervisor, with its end once it has ended."""

    pipes: Sequence[DrainedPipe] = ()

    def __init__(self, pid: int, mark: str, started: float) -> None:
        self.pid = pid
        self.started = started
        self.family = Family(pid, mark)
        self.exit: ExitRecord | None = None
        self.kill_at: float | None = None
        self._killed = False
        self._kill_again = _KILL_AGAIN

    def tick(self, now: float) -> float:
        """Kill if the grace after SIGTERM is over; returns when to call again."""
        if self.kill_at is not None and now >= self.kill_at:
            self.kill()
        return FOREVER if self.kill_at is None else self.kill_at

    def drain(self) -> int:
        """Move some of the bytes in the pipes to where they belong; returns how many."""
        return 0

    def reaped(self, pid: int, status: int, usage: resource.struct_rusage) -> None:
        """Record the end that wait4 reported, if it is that of this process."""
        if pid == self.pid and self.exit is None:
            self.exit = self._ended(status, usage, own_peak=False)

    def _ended(self, status: int, usage: resource.struct_rusage, *, own_peak: bool) -> ExitRecord:
        by_signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        max_rss = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return ExitRecord(
            t=time.monotonic(),
            code=None if by_signal is not None else os.WEXITSTATUS(status),
            signal=by_signal,
            max_rss=max_rss if own_peak else None,
            cpu=usage.ru_utime + usage.ru_stime,
            oom="",
            killed=by_signal == signal.SIGKILL and self._killed,
        )

    def terminate(self, grace: float) -> None:
        """Send SIGTERM to the whole family now, and SIGKILL to what is left after `grace` seconds."""
        deadline = time.monotonic() + grace
        if self.kill_at is None:
            self.family.terminate()
        self.kill_at = min(deadline, self.kill_at or deadline)

    def kill(self) -> None:
        """Send SIGKILL to the whole family, again and again until nothing is left: new ones may appear."""
        self._killed = True
        gone = self.family.kill(reaped=self.exit is not None)
        # To find the family reads all processes of the machine, so it is done less and less often.
        self.kill_at = None if gone else time.monotonic() + self._kill_again
        self._kill_again = min(1.5 * self._kill_again, _KILL_AGAIN_AT_LAST)

    def state(self) -> ChildState:
        """The state for the client."""
        return ChildState(self.pid, self.started, self.exit, log_end=0, stalls=0, stalled=0.0)

    def close(self) -> None:
        """Close the pipes."""
        for pipe in self.pipes:
            pipe.close()


class Helper(Kept):
    """A running command in a session of its own, with empty stdin; raises OSError if it cannot be started."""

    def __init__(self, request: HelperRequest, mark: str) -> None:
        started = time.monotonic()
        with Path(request.stdout).open("wb") as out, Path(request.stderr).open("wb") as err:
            process = subprocess.Popen(
                request.argv,
                env={**request.env, LAUNCH_MARK: mark},
                cwd=request.cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        process.returncode = 0  # the supervisor's own wait4 reaps it
        super().__init__(process.pid, mark, started)
