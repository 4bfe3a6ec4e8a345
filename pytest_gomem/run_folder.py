"""Owns the private folder of a run: held while a process of it lives, removed at its end, or after it was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_MARK = ".held"  # locked by each process of the run, which ends with them, whatever becomes of them


@contextlib.contextmanager
def run_folder(prefix: str, parent: str | None = None) -> Iterator[Path]:
    """A private folder among the temporary files, or in `parent`, removed at the end.

    What runs of the same prefix have left there that were killed by SIGKILL is removed first: nobody else does.
    """
    _remove_left(prefix, parent or tempfile.gettempdir())
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        file = stack.enter_context((folder / f"{_MARK}.new").open("w"))
        with contextlib.suppress(OSError):  # a file system without locks: then nobody can tell that it was left
            fcntl.flock(file, fcntl.LOCK_SH)
        # Named when it is locked: between the two it would seem to have been left.
        (folder / f"{_MARK}.new").rename(folder / _MARK)
        yield folder


def is_here(folder: Path) -> bool:
    """Whether it is a run's folder that this process can use: one of another machine is not."""
    return (folder / _MARK).exists()


@contextlib.contextmanager
def held(folder: Path) -> Iterator[Path]:
    """The folder of a run that another process began, which stays while this one needs it."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            file = stack.enter_context((folder / _MARK).open())
            fcntl.flock(file, fcntl.LOCK_SH)
        yield folder


def _remove_left(prefix: str, parent: str) -> None:
    """Remove the folders of this user that no process holds."""
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            # A link may lead anywhere, and root may remove what is another user's.
            if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False) and _is_ours(entry):
                _remove_if_left(Path(entry.path))


def _is_ours(entry: os.DirEntry[str]) -> bool:
    return entry.stat(follow_symlinks=False).st_uid == os.getuid()


def _remove_if_left(folder: Path) -> None:
    # Without a mark it is somebody else's, or was killed in its first moment.
    with contextlib.suppress(OSError), (folder / _MARK).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
