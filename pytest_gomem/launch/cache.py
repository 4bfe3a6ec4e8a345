"""Owns the folder in which things are kept from run to run, and the locks that its users hold."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO


def cache_dir(kind: str, otherwise: Path) -> Path:
    """The folder `pytest-gomem/KIND` of the user's cache (XDG_CACHE_HOME, else ~/.cache), made if need be.

    Where nothing can be written there, the same below `otherwise`.
    """
    said = os.environ.get("XDG_CACHE_HOME", "")
    usual = Path(said) if said.startswith("/") else Path("~/.cache").expanduser()
    folder = usual / "pytest-gomem" / kind
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    folder = otherwise / "pytest-gomem" / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
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
