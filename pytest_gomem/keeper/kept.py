"""Owns a started process in the keeper's care: how it ended, and the signals that reach its whole family."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Sequence

from pytest_gomem.keeper.family import Family
from pytest_gomem.keeper.pipe import DrainedPipe
from pytest_gomem.keeper.protocol import ChildState, ExitRecord

FOREVER = float("inf")
_KILL_AGAIN, _KILL_AGAIN_AT_LAST = 0.02, 1.0  # seconds: who may not be killed, as of another user, is there for long


class Kept:
    """A process that we are told the end of."""

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
        """Kill if the grace after SIGTERM is over; when to come back."""
        if self.kill_at is not None and now >= self.kill_at:
            self.kill()
        return FOREVER if self.kill_at is None else self.kill_at

    def drain(self) -> int:
        """Move some of what waits in the pipes to where it belongs; the number of bytes."""
        return 0

    def reaped(self, pid: int, status: int, usage: resource.struct_rusage) -> None:
        """Record the end that wait4 reported, if it is of this process."""
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
        """SIGTERM to the whole family now, SIGKILL to what is left after `grace` seconds."""
        deadline = time.monotonic() + grace
        if self.kill_at is None:
            self.family.terminate()
        self.kill_at = min(deadline, self.kill_at or deadline)

    def kill(self) -> None:
        """SIGKILL to the whole family, again and again until none of it is left: new ones may appear meanwhile."""
        self._killed = True
        gone = self.family.kill(reaped=self.exit is not None)
        # Looking for the family reads all processes of the machine: at one rate it would take a tenth of a CPU.
        self.kill_at = None if gone else time.monotonic() + self._kill_again
        self._kill_again = min(1.5 * self._kill_again, _KILL_AGAIN_AT_LAST)

    def state(self) -> ChildState:
        """What the client may know."""
        return ChildState(self.pid, self.started, self.exit, log_end=0, stalls=0, stalled=0.0)

    def close(self) -> None:
        """Give the pipes back."""
        for pipe in self.pipes:
            pipe.close()
