"""Locks between processes, on files and folders. Each has a longest wait, and ends with its holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pytest_gomem.base.clock import Deadline
from pytest_gomem.base.errors import LockedError

_LONGEST_FOR_A_FILE = 600.0  # seconds; a build or a checkout is made under it
_LONGEST_FOR_A_FOLDER = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.1


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Be the only one of us to change files of a folder; waits for others, whose lock ends with their process.

    The folder itself is locked: a file that is replaced would take its lock along. Raises OSError; after a minute
    LockedError, which is an OSError.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, folder, fcntl.LOCK_EX, Deadline(_LONGEST_FOR_A_FOLDER))
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked_file(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Wait for a file's lock and hold it; it ends with the process.

    The holder of an exclusive lock may remove the file. Raises LockedError after 10 minutes.
    """
    deadline = Deadline(_LONGEST_FOR_A_FILE)
    while True:
        with path.open("w") as file:
            _lock(file.fileno(), path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, deadline)
            if _is_at(file, path):
                yield
                return


@contextlib.contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Hold a file's lock if it is free; yields False if it is not."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield _is_at(file, path)


def _lock(descriptor: int, path: Path, kind: int, deadline: Deadline) -> None:
    """Ask again and again: the kernel would wait without end for a holder that is stopped."""
    pause = _FIRST_PAUSE
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            return
        try:
            time.sleep(min(pause, deadline.left()))
        except TimeoutError:
            raise LockedError(str(path), deadline.seconds, _holders(os.fstat(descriptor).st_ino)) from None
        pause = min(2 * pause, _LONGEST_PAUSE)


def _holders(inode: int) -> list[str]:
    """Who holds a lock on the inode, from /proc/locks; [] where nobody does."""
    import psutil

    found = []
    with contextlib.suppress(OSError):
        for line in Path("/proc/locks").read_text().splitlines():
            # "3: FLOCK  ADVISORY  WRITE 4711 fd:01:1234 0 EOF"; those that wait have a "->" after the number.
            _, kind, _, _, pid, place, *_ = line.split()
            if kind == "FLOCK" and place.endswith(f":{inode}"):
                with contextlib.suppress(psutil.Error, ValueError):
                    process = psutil.Process(int(pid))
                    found.append(f"process {pid} ({process.name()}, {process.status()})")
    return found


def _is_at(file: IO[str], path: Path) -> bool:
    """Whether an open file is still the one of that name: it may have been removed while we waited for its lock, and
    later processes lock another one."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False
