"""Owns the folder in which things are kept from run to run, and the locks that its users hold."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


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
    """Hold a file's lock, waiting for it; it ends with the process, whatever becomes of that."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Hold a file's lock if nobody does; False where somebody did."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
