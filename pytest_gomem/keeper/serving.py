"""Owns watching for the end of a process that serves in place of the one that was started."""

from __future__ import annotations

import os
import time

import psutil

from pytest_gomem.keeper.protocol import ExitRecord


class Serving:
    """A process of the family, mostly no child of the keeper's: how it ended is then known to its own parent alone.

    Raises psutil.NoSuchProcess.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.exit: ExitRecord | None = None
        self._process = psutil.Process(pid)

    def look(self) -> None:
        """Note its end, if it has ended and nobody will tell us how."""
        if self.exit is None and self._has_ended():
            self.exit = ExitRecord(time.monotonic(), code=None, signal=None, max_rss=None, cpu=0.0, oom="")

    def _has_ended(self) -> bool:
        try:
            if not self._process.is_running():
                return True
            # As an orphan it is the keeper's own by now, which reaps it and is told all.
            return self._process.status() == psutil.STATUS_ZOMBIE and self._process.ppid() != os.getpid()
        except psutil.NoSuchProcess:
            return True
