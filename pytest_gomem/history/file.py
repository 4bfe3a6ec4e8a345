"""The history's file. Lines are only appended; a damaged one is reported, skipped and kept."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.locks import locked_folder
from pytest_gomem.history.entry import Entry, from_line, to_line

OPTION = "--gomem-history"


class Damaged(NamedTuple):
    """A line that could not be read: its number, counted from 1, and why."""

    line: int
    why: str


class History(NamedTuple):
    """What a file holds: its entries in order, and its damaged lines."""

    entries: tuple[Entry, ...]
    damaged: tuple[Damaged, ...]


def append(path: Path, entries: Iterable[Entry]) -> None:
    """Append the entries, all of them or none; missing folders are made.

    If the last line has no end, because its writer was killed, it is ended first.
    Raises ConfigError when the file cannot be written.
    """
    lines = (to_line(entry).encode() for entry in entries)
    first = next(lines, None)
    if first is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked_folder(path.parent):
            _append(path, chain([first], lines))
    except OSError as error:
        message = f"the history cannot be written to {path}: {error.strerror or error}"
        raise ConfigError(message, Place(key=OPTION), "name a file in a folder that you may write to") from error


def _append(path: Path, lines: Iterable[bytes]) -> None:
    with path.open("a+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        is_torn = file.read(1) not in (b"", b"\n")
        try:
            for line in chain([b"\n"] if is_torn else [], lines):
                _write(file.fileno(), line)
        except BaseException:
            os.ftruncate(file.fileno(), size)  # or half a run would be taken for a whole one
            raise


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def read(path: Path) -> History:
    """Everything that a file holds, also while it is written to; raises ConfigError when it cannot be read."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        hint = f"pytest {OPTION}={path} writes it; or name another: --file PATH"
        raise ConfigError(f"cannot be read: {error.strerror}", Place(str(path)), hint) from None
    entries, damaged = [], []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                entries.append(from_line(line.decode()))
            except ValueError as error:  # UnicodeDecodeError too
                damaged.append(Damaged(number, str(error)))
    return History(tuple(entries), tuple(damaged))
