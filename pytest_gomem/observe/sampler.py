"""Takes cheap readings of a process again and again, through files that stay open."""

from __future__ import annotations

import contextlib
import os
import time

import psutil

from pytest_gomem.observe.kernel import descriptors, keeps_peak, peak_rss, sum_known
from pytest_gomem.observe.records import Sample

_STATUS_BYTES = 8192  # /proc/PID/status has some 1500, more on machines with many NUMA nodes


class Sampler:
    """Samples one process; a reading that fails yields None and never raises.

    psutil identifies the process and its descendants. RSS, peak and threads come from one read of /proc/PID/status,
    which stays open. Just after waking up that takes the supervisor 45 us, psutil's memory_info 115 us, for the same
    RSS. An open file of /proc never becomes that of another process. Without /proc, psutil gives the RSS.
    """

    FDS_EVERY = 1.0  # seconds: counting descriptors lists a folder, which is slow if there are many
    TREE_EVERY = 0.1  # seconds: finding descendants reads all processes of the machine, some 20 us each

    def __init__(self, pid: int, tree: bool) -> None:
        self._tree = tree
        self._root = _Member(psutil.Process(pid))
        self._descendants: dict[psutil.Process, _Member] = {}
        self._tree_due = 0.0
        self._fds_due = 0.0

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended, so that there are no more samples."""
        return self._root.has_ended

    def sample(self) -> Sample | None:
        """The next point of the timeline, summed over the tree if asked for."""
        t = time.monotonic()
        with_fds = t >= self._fds_due
        if with_fds:
            self._fds_due = t + self.FDS_EVERY
        if not self._tree:
            return self._root.sample(t, with_fds)
        return _summed([point for member in self._members(t) if (point := member.sample(t, with_fds)) is not None])

    def _members(self, now: float) -> list[_Member]:
        if now >= self._tree_due:
            self._tree_due = now + self.TREE_EVERY
            self._find_descendants()
        return [self._root, *self._descendants.values()]

    def _find_descendants(self) -> None:
        try:
            found = self._root.process.children(recursive=True)
        except psutil.Error:
            found = []
        for process in self._descendants.keys() - set(found):
            self._descendants.pop(process).close()
        for process in found:
            if process not in self._descendants:
                with contextlib.suppress(psutil.NoSuchProcess):
                    self._descendants[process] = _Member(process)

    def close(self) -> None:
        """Close the files."""
        for member in (self._root, *self._descendants.values()):
            member.close()


class _Member:
    """One of the processes that are summed; raises psutil.NoSuchProcess if it has ended."""

    def __init__(self, process: psutil.Process) -> None:
        self.process = process
        self.has_ended = False
        self._status: int | None = None
        if keeps_peak():
            with contextlib.suppress(OSError):  # no descriptor is left, or it is hidden
                self._status = os.open(f"/proc/{process.pid}/status", os.O_RDONLY | os.O_CLOEXEC)
            if not process.is_running():  # the file may be that of another process with the same pid
                self.close()
                raise psutil.NoSuchProcess(process.pid)

    def sample(self, t: float, with_fds: bool) -> Sample | None:
        """A sample; None for a zombie or an exiting process: its memory is gone, and 0 would be wrong."""
        fds = descriptors(self.process) if with_fds else None
        try:
            return self._from_psutil(t, fds) if self._status is None else self._from_file(self._status, t, fds)
        except (psutil.NoSuchProcess, ProcessLookupError):
            self.has_ended = True
        except (psutil.AccessDenied, OSError, ValueError):
            pass
        return None

    @staticmethod
    def _from_file(file: int, t: float, fds: int | None) -> Sample:
        status = os.pread(file, _STATUS_BYTES, 0)
        hwm, rss = _number(status, b"\nVmHWM:", b"kB"), _number(status, b"\nVmRSS:", b"kB")
        return Sample(t, rss * 1024, hwm * 1024, _number(status, b"\nThreads:", b"\n"), fds)

    def _from_psutil(self, t: float, fds: int | None) -> Sample | None:
        rss, hwm = int(self.process.memory_info().rss), peak_rss(self.process.pid)
        if rss == 0 or (hwm is None and keeps_peak()):
            return None
        return Sample(t, rss, hwm, self.process.num_threads(), fds)

    def close(self) -> None:
        """Close the file."""
        if self._status is not None:
            os.close(self._status)
            self._status = None


def _number(status: bytes, name: bytes, end: bytes) -> int:
    at = status.index(name) + len(name)  # ValueError where a process has no memory any more
    return int(status[at : status.index(end, at)])


def _summed(points: list[Sample]) -> Sample | None:
    if not points:
        return None
    return Sample(
        t=points[0].t,
        rss=sum(point.rss for point in points),
        hwm=sum_known([point.hwm for point in points]),
        threads=sum(point.threads for point in points),
        fds=sum_known([point.fds for point in points]),
    )
