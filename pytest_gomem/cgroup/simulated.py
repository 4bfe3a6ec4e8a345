"""A memory limit without a cgroup: the anonymous pages of a family of processes, looked at again and again."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import psutil

from pytest_gomem.base.errors import GroupError
from pytest_gomem.cgroup.reading import SIMULATED, GroupReading

EVERY = 0.01  # seconds between looks, 80 us each: at 1 GB/s a process gets 10 MB above the limit before it is killed
_FAMILY_EVERY = 1.0  # seconds: finding descendants reads all processes of the machine, some 3 ms
_STATUS_BYTES = 8192


class SimulatedGroup:
    """The sum of RssAnon over a process and its descendants, held against a limit by whoever asks `exceeded`.

    Neither page cache nor kernel memory is known, a spike between two looks is missed, and a page that two processes
    share counts twice. Raises GroupError on a system where RssAnon cannot be read.
    """

    by = SIMULATED
    swap = ""
    above = None

    def __init__(self, limit: int) -> None:
        if not Path("/proc/self/status").exists():
            raise GroupError("a simulated memory_limit needs /proc, which this system has not")
        self.limit = limit
        self.peak_since = time.monotonic()
        self.evidence = ""
        self._anon: int | None = None
        self._anon_peak: int | None = None
        self._mapped = self._mapped_peak = 0
        self._root: psutil.Process | None = None
        self._statuses: dict[psutil.Process, int] = {}
        self._family_due = 0.0

    def watch(self, pid: int) -> None:
        """Look at this process and its descendants from now on, and at those that are known already."""
        with contextlib.suppress(psutil.Error):
            self._root = psutil.Process(pid)
            self._open(self._root)
            self._family_due = 0.0

    def exceeded(self) -> bool:
        """Look; whether the processes hold more than the limit now. `evidence` says so afterwards."""
        self.sample()
        if self._anon is None or self._anon <= self.limit:
            return False
        self.evidence = (
            f"simulated limit: RssAnon was {self._anon >> 20} MiB at a limit of {self.limit >> 20} MiB; "
            "pytest-gomem killed it"
        )
        return True

    def sample(self) -> None:
        """Note the anonymous pages and those of files of this moment."""
        if time.monotonic() >= self._family_due:
            self._family_due = time.monotonic() + _FAMILY_EVERY
            self._find_family()
        known = [pages for process in list(self._statuses) if (pages := self._pages_of(process)) is not None]
        if known:
            self._anon, self._mapped = (sum(kind) for kind in zip(*known, strict=True))
            self._anon_peak = max(self._anon, self._anon_peak or 0)
            self._mapped_peak = max(self._mapped, self._mapped_peak)

    def read(self, *, reset_peak: bool = False) -> GroupReading:
        """What is known of it; reset_peak: and let the sampled peak begin anew afterwards."""
        self.sample()
        reading = GroupReading(
            t=time.monotonic(),
            limit=self.limit,
            current=None,
            peak=None,
            anon=self._anon,
            file=None,
            kernel=None,
            anon_peak=self._anon_peak,
            oom_kills=int(bool(self.evidence)),
            peak_since=self.peak_since,
            sampled_since=self.peak_since,
            mapped=self._mapped,
            mapped_peak=self._mapped_peak,
        )
        if reset_peak:
            self._anon_peak, self._mapped_peak, self.peak_since = self._anon, self._mapped, reading.t
        return reading

    def raise_limit(self, limit: int) -> None:
        """Kill above a higher limit."""
        self.limit = limit

    def close(self) -> None:
        """Close the files."""
        while self._statuses:
            os.close(self._statuses.popitem()[1])

    def _find_family(self) -> None:
        if self._root is None:
            return
        with contextlib.suppress(psutil.Error):
            for process in self._root.children(recursive=True):
                self._open(process)

    def _open(self, process: psutil.Process) -> None:
        if process in self._statuses:
            return
        with contextlib.suppress(OSError):
            self._statuses[process] = os.open(f"/proc/{process.pid}/status", os.O_RDONLY | os.O_CLOEXEC)

    def _pages_of(self, process: psutil.Process) -> tuple[int, int] | None:
        """RssAnon and RssFile, bytes; None for one that has ended, which is looked at no more."""
        try:
            status = os.pread(self._statuses[process], _STATUS_BYTES, 0)
            return _bytes(status, b"\nRssAnon:"), _bytes(status, b"\nRssFile:")
        except (OSError, IndexError):
            os.close(self._statuses.pop(process))
            return None


def _bytes(status: bytes, name: bytes) -> int:
    return int(status.split(name, 1)[1].split(b"kB", 1)[0]) * 1024
