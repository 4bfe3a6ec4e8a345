"""Appends an entry to gomem_accepted.yaml; not a byte that people wrote changes."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pytest_gomem.base import clock
from pytest_gomem.base.errors import ConfigError, ConfigErrors, Place
from pytest_gomem.base.locks import locked_folder
from pytest_gomem.base.units import Unit
from pytest_gomem.config.accepted import VERSION, Acceptance, Entry, read_accepted
from pytest_gomem.config.known_leaks import KnownLeak

_HEAD = f"""\
# What is accepted for a time, with a reason and someone who answers for it; `gomem accept` adds to it.
version: {VERSION}
accepted:
"""


Added = TypeVar("Added", Acceptance, KnownLeak)


def add(path: Path, entry: Added, units: Mapping[str, Unit]) -> Added:
    """Append an entry to the file, which is made if need be; returns the entry as it was read back.

    One writer at a time; the file is written whole or not at all. Raises ConfigErrors for mistakes in the file, and
    ConfigError if the entry is there already, or cannot be appended or written.
    """
    try:
        with locked_folder(path.parent):
            known = read_accepted(path, units).entries
            _refuse_twice(entry, known)
            written = path.read_bytes() if path.exists() else _HEAD.encode()
            return _appended(path, written, entry, known, units)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror or error}", Place(str(path))) from None


def _refuse_twice(entry: Entry, known: tuple[Entry, ...]) -> None:
    for other in known:
        if other.key == entry.key:
            over = other.has_expired(clock.today())
            until = f"until {other.expires} by {other.owner}" + (" (over)" if over else "")
            what = f"{entry.subject} is accepted already, {until}"
            raise ConfigError(what, other.place, "change that entry, or remove it")


def _appended(path: Path, written: bytes, entry: Added, known: tuple[Entry, ...], units: Mapping[str, Unit]) -> Added:
    text = entry_text(entry, _indent(written.decode("utf-8-sig")))
    line_end = b"\r\n" if b"\r\n" in written else b"\n"
    gap = b"" if written.endswith(b"\n") else line_end
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(written + gap + text.encode().replace(b"\n", line_end))
        found = _read_back(part, units)
        if _without_places(found) != _without_places((*known, entry)):
            raise ConfigError(
                "the entry cannot be added at the end of the file",
                Place(str(path)),
                f"write it under accepted: yourself\n{text}",
            )
        part.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        part.replace(path.resolve())
    finally:
        part.unlink(missing_ok=True)
    return replace(entry, place=found[-1].place._replace(file=str(path)))


def _read_back(part: Path, units: Mapping[str, Unit]) -> tuple[Entry, ...]:
    try:
        return read_accepted(part, units).entries
    except ConfigErrors:
        return ()


def _without_places(entries: tuple[Entry, ...]) -> list[Entry]:
    return [replace(entry, place=Place()) for entry in entries]


def _indent(text: str) -> str:
    """The indent of the file's last list item, or ours."""
    found = re.findall(r"^( *)- ", text, re.MULTILINE)
    return found[-1] if found else "  "


def entry_text(entry: Entry, indent: str) -> str:
    """The entry as YAML, with texts quoted as in JSON."""
    what = (f"{entry.kind}: {_quoted(entry.glob)}",) if isinstance(entry, KnownLeak) else _limit(entry)
    rows = (
        f"- test: {_quoted(entry.test)}",
        *(f"  {row}" for row in what),
        f"  reason: {_quoted(entry.reason)}",
        f"  owner: {_quoted(entry.owner)}",
        f"  expires: {entry.expires}",
    )
    return "".join(f"{indent}{row}\n" for row in rows)


def _limit(entry: Acceptance) -> tuple[str, ...]:
    return (
        f"metric: {_quoted(entry.metric) if set(entry.metric) & set('[:') else entry.metric}",
        *([f"limit: {entry.limit}"] if entry.limit else []),
        "muted: true" if entry.amount is None else f"amount: {entry.amount}",
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
