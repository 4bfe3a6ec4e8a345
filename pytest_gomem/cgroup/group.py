"""A memory cgroup of one launch: its limit, its figures through files that stay open, and its removal."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from pathlib import Path

from pytest_gomem.cgroup.reading import STAT, V1, V2, FileNames, GroupReading, figure, kernel_part

_STAT_BYTES = 16384  # memory.stat has some 1500 on v2, 2000 on v1
_NUMBER_BYTES = 64
_REMOVE_LOOKS, _REMOVE_PAUSE = 20, 0.005  # the kernel takes a moment to let go of a process that was reaped
_KILL_PATIENCE = 10.0  # seconds for the kernel to end killed processes
PROCESSES = "cgroup.procs"


class Group:
    """A limit set on a group that was just made, which removes it in the end; raises OSError if it cannot be set.

    path: its folder. by: how it came to be, if not simply by making the folder.
    swap: what was done about swap, in words; a limit bites only if the group cannot swap. above: see `lowest_above`.
    evidence: that we have killed at the limit, in words; here the kernel does.
    """

    evidence = ""

    def __init__(self, path: Path, limit: int, names: FileNames, by: str = "") -> None:
        self.path, self.limit, self.by = path, limit, by or names.by
        self._names = names
        self._files: dict[str, int] = {}
        try:
            self._set_limit(limit)
            self.swap = self._forbid_swap()
            self._kill_whole_family()
            self._open_files()
        except BaseException:
            self.close()
            raise
        self.above = lowest_above(path, names)
        self.peak_since = self._sampled_since = time.monotonic()
        self._anon_peak: int | None = None
        self._cache_peak: int | None = None
        self._mapped_peak: int | None = None

    def _set_limit(self, limit: int) -> None:
        write(self.path / self._names.limit, str(limit))

    def _forbid_swap(self) -> str:
        file = self.path / self._names.swap
        value = self.limit if self._names is V1 else 0  # v1 limits memory and swap together
        try:
            write(file, str(value))
        except FileNotFoundError:
            return f"swap is not limited, {file.name} is missing: the limit is reached later" if has_swap() else ""
        return f"no swap ({file.name} is {value})" if has_swap() else ""

    def _kill_whole_family(self) -> None:
        """Let an OOM kill end all processes of the group, as Kubernetes does since 1.28; v1 kills one."""
        if self._names is V2:
            with contextlib.suppress(FileNotFoundError):  # before Linux 4.19
                write(self.path / "memory.oom.group", "1")

    def _open_files(self) -> None:
        names = self._names
        needed = [PROCESSES, STAT, names.events, names.current]
        wanted = [names.peak] + ([names.kernel] if names is V1 else [])
        for name in needed:
            self._files[name] = os.open(self.path / name, _flags(name))
        for name in wanted:
            with contextlib.suppress(FileNotFoundError):  # memory.peak came with Linux 5.19
                self._files[name] = self._open_to_reset(name)

    def _open_to_reset(self, name: str) -> int:
        """A descriptor that can reset the peak: on v2, from Linux 6.12, the reset holds for this descriptor alone."""
        try:
            return os.open(self.path / name, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise
        except OSError:
            return os.open(self.path / name, os.O_RDONLY | os.O_CLOEXEC)

    def join(self) -> None:
        """Move the calling process, which is about to become the service, into the group."""
        os.write(self._files[PROCESSES], b"0")

    def sample(self) -> None:
        """Note the anonymous pages, the page cache and the mapped part of it at this moment."""
        self._note(self._text(STAT))

    def _note(self, stat: bytes | None) -> None:
        anon, file, shmem = (figure(stat, name) for name in (self._names.anon, self._names.file, self._names.shmem))
        if anon:  # a process that lives has some: 0 is what is left at the end
            self._anon_peak = max(anon, self._anon_peak or 0)
        if file is not None:
            self._cache_peak = max(file - (shmem or 0), self._cache_peak or 0)
        if (mapped := figure(stat, self._names.mapped)) is not None:
            self._mapped_peak = max(mapped, self._mapped_peak or 0)

    def read(self, *, reset_peak: bool = False) -> GroupReading:
        """All figures; reset_peak: and let both peaks begin anew afterwards, where the kernel can."""
        names, stat = self._names, self._text(STAT)
        self._note(stat)
        reading = GroupReading(
            t=time.monotonic(),
            limit=self.limit,
            current=self._number(names.current),
            peak=self._number(names.peak),
            anon=figure(stat, names.anon),
            file=figure(stat, names.file),
            kernel=self._number(names.kernel) if names is V1 else kernel_part(stat),
            anon_peak=self._anon_peak,
            oom_kills=self.oom_kills(),
            peak_since=self.peak_since,
            shmem=figure(stat, names.shmem),
            cache_peak=self._cache_peak,
            sampled_since=self._sampled_since,
            mapped=figure(stat, names.mapped),
            mapped_peak=self._mapped_peak,
        )
        if reset_peak:
            self._anon_peak = self._cache_peak = self._mapped_peak = None
            self._sampled_since = reading.t
            self._note(stat)
            self.peak_since = reading.t if self._reset_peak() else self.peak_since
        return reading

    def _reset_peak(self) -> bool:
        try:
            os.pwrite(self._files[self._names.peak], b"0", 0)
        except (KeyError, OSError):
            return False
        return True

    def oom_kills(self) -> int | None:
        """How many of its processes the kernel has killed at the limit."""
        return figure(self._text(self._names.events), "oom_kill")

    @property
    def events(self) -> Path:
        """The file that counts OOM kills."""
        return self.path / self._names.events

    def raise_limit(self, limit: int) -> None:
        """Set a higher limit; raises OSError."""
        if self._names is V1:
            with contextlib.suppress(FileNotFoundError):
                write(self.path / self._names.swap, str(limit))  # never below the limit itself
        self._set_limit(limit)
        self.limit = limit

    def processes(self) -> list[int]:
        """Pids of its living processes."""
        return processes(self.path)

    def remove(self) -> bool:
        """Remove it if no process is left; returns whether it is gone."""
        if self.processes():
            return False
        gone = _removed(self.path)
        if gone:
            self.close()
        return gone

    def clear(self) -> None:
        """Kill what is left in it, and remove it."""
        clear(self.path)
        self.close()

    def close(self) -> None:
        """Close the files."""
        while self._files:
            os.close(self._files.popitem()[1])

    def _text(self, name: str) -> bytes | None:
        try:
            return os.pread(self._files[name], _STAT_BYTES, 0)
        except (KeyError, OSError):
            return None

    def _number(self, name: str) -> int | None:
        try:
            return int(os.pread(self._files[name], _NUMBER_BYTES, 0))
        except (KeyError, OSError, ValueError):
            return None


def processes(path: Path) -> list[int]:
    """Pids of the living processes of a group; [] if it is gone."""
    try:
        return [int(pid) for pid in (path / PROCESSES).read_text().split()]
    except OSError:
        return []


def clear(path: Path) -> None:
    """Kill what is left in a group of ours and in those below it, and remove them all."""
    for below in groups_below(path):
        clear(below)
    deadline = time.monotonic() + _KILL_PATIENCE
    while path.exists() and time.monotonic() < deadline:
        for pid in processes(path):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if _removed(path):
            return
        time.sleep(_REMOVE_PAUSE)


def lowest_above(path: Path, names: FileNames) -> int | None:
    """The lowest limit of the groups that a group lies in, bytes; None if none of them has one."""
    found = []
    for parent in path.parents:
        try:
            written = (parent / names.limit).read_text().strip()
        except OSError:  # the root of v2 has none, and beyond a mount there is nothing
            break
        found += [int(written)] if written.isdecimal() else []
    return min(found, default=None)


def groups_below(path: Path) -> list[Path]:
    """The groups directly below one."""
    try:
        with os.scandir(path) as entries:
            return [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def has_swap() -> bool:
    """Whether the machine has swap in use, by /proc/swaps."""
    try:
        return len(Path("/proc/swaps").read_text().splitlines()) > 1
    except OSError:
        return False


def _removed(path: Path) -> bool:
    for _ in range(_REMOVE_LOOKS):
        try:
            path.rmdir()
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno != errno.EBUSY or processes(path):
                return False
            time.sleep(_REMOVE_PAUSE)
        else:
            return True
    return False


def _flags(name: str) -> int:
    return (os.O_WRONLY if name == PROCESSES else os.O_RDONLY) | os.O_CLOEXEC


def write(file: Path, value: str) -> None:
    """One write, as the kernel's files want it; never makes a file."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        error.filename = str(file)
        raise
