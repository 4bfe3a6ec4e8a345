"""Owns locks between processes, on files and folders: each is waited for, and ends with the process that holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Be the only one of us to change files of a folder; waits for others, whose lock ends with their process.

    The folder itself is locked: a file that is replaced would take its lock along. Raises OSError.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked_file(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a file's lock, waiting for it; it ends with the process, whatever becomes of that.

    Who holds it alone may remove the file.
    """
    while True:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            if _is_at(file, path):
                yield
                return


@contextlib.contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Hold a file's lock if nobody does; False where somebody did."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield _is_at(file, path)


def _is_at(file: IO[str], path: Path) -> bool:
    """Whether an open file is still the one of that name: it may have been removed while its lock was waited for, and
    those that come now lock another one."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False
