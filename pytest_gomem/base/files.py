"""Files and folders: written whole or not at all, private to a run, or kept from run to run."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_gomem.base.errors import ConfigError, ObserveError, Place


def from_here(file: str | Path) -> str:
    """A file relative to the current folder, if it is below that: as a person would name it here."""
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except (ValueError, OSError):  # it is not below, or the folder has been removed
        return str(file)


def write_whole(path: Path, content: str | bytes | Iterable[str]) -> None:
    """Replace a file at once: readers never see half of it, and it stays as it was where the disk is full.

    content: also in parts, which come one by one. Missing folders are made. A link keeps pointing to its file; a device
    or pipe (/dev/stdout) is written to directly. Raises OSError with the file's name.
    """
    parts = [content] if isinstance(content, (str, bytes)) else content
    try:
        _write_whole(path, (part.encode() if isinstance(part, str) else part for part in parts))
    except OSError as error:  # without a name from a write (full disk), with the temporary one from a rename
        raise OSError(error.errno, error.strerror, str(path)) from None


def check_beginning(path: Path, beginning: bytes, what: str) -> None:
    """Raise ObserveError if the service has not written there, as where it sees other files under that name.

    beginning: of each such file. what: it is, such as "heap dump".
    """
    try:
        with path.open("rb") as file:
            found = file.read(len(beginning))
    except OSError as error:
        raise ObserveError(f"the {what} cannot be read: {error}") from None
    if found != beginning:
        raise ObserveError(f"the service wrote no {what} to {path}: it may see other files there")


@contextlib.contextmanager
def output_asked_for(failed: str, path: Path, option: str, place: str = "file") -> Iterator[None]:
    """Turn an OSError while an output is written into the ConfigError that names it and the option that asked for it.

    failed: what went wrong, such as "the JUnit file cannot be written". place: what the option names, "file" or
    "folder".
    """
    try:
        yield
    except OSError as error:
        hint = "name a folder you may write to" if place == "folder" else "name a file in a folder you may write to"
        message = f"{failed} to {path}: {error.strerror or error}"
        raise ConfigError(message, Place(key=option), hint) from error


def _write_whole(path: Path, parts: Iterable[bytes]) -> None:
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            file.writelines(parts)
        return
    target = path.resolve()
    if not target.parent.exists():  # a parent that is a file gets a better message below
        target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.writelines(parts)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


_MARK = ".held"  # each process of the run holds a lock on it, which ends with the process


@contextlib.contextmanager
def run_folder(prefix: str, parent: str | None = None) -> Iterator[Path]:
    """A private folder among the temporary files, or in `parent`, removed at the end.

    First removes the folders of this prefix that killed runs have left there.
    """
    _remove_left(prefix, parent or tempfile.gettempdir())
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        file = stack.enter_context((folder / f"{_MARK}.new").open("w"))
        with contextlib.suppress(OSError):  # a file system without locks: left folders can't be recognised
            fcntl.flock(file, fcntl.LOCK_SH)
        # Renamed after it is locked: before, it would look like one that was left.
        (folder / f"{_MARK}.new").rename(folder / _MARK)
        yield folder


def is_here(folder: Path) -> bool:
    """Whether it is a run's folder on this machine."""
    return (folder / _MARK).exists()


@contextlib.contextmanager
def held(folder: Path) -> Iterator[Path]:
    """Keep the folder of a run that another process began, while this one needs it."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            file = stack.enter_context((folder / _MARK).open())
            fcntl.flock(file, fcntl.LOCK_SH)
        yield folder


def _remove_left(prefix: str, parent: str) -> None:
    """Remove the folders of this user that no process holds."""
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            # Not links, which lead anywhere, and not other users' folders, which root could remove.
            if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False) and _is_ours(entry):
                _remove_if_left(Path(entry.path))


def _is_ours(entry: os.DirEntry[str]) -> bool:
    return entry.stat(follow_symlinks=False).st_uid == os.getuid()


def _remove_if_left(folder: Path) -> None:
    # Without a mark it is not ours, or its run was killed at once.
    with contextlib.suppress(OSError), (folder / _MARK).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)


def cache_dir(kind: str, otherwise: Path) -> Path:
    """The folder `pytest-gomem/KIND` of the user's cache (XDG_CACHE_HOME, else ~/.cache), made if need be.

    If it belongs to another user, whose locks we can't hold, it is `KIND-UID` instead; if nothing can be written there,
    `pytest-gomem/KIND` below `otherwise`.
    """
    said = os.environ.get("XDG_CACHE_HOME", "")
    usual = Path(said) if said.startswith("/") else Path("~/.cache").expanduser()
    for name in (kind, f"{kind}-{os.geteuid()}"):
        folder = usual / "pytest-gomem" / name
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            if folder.stat().st_uid == os.geteuid() and os.access(folder, os.W_OK):
                return folder
    folder = otherwise / "pytest-gomem" / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder
