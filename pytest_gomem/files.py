"""Owns writing files that others may read at the same time: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Replace a file at once: readers never see half of it, and it stays as it was where the disk is full.

    Missing folders are made. A link keeps pointing to its file; a device or pipe (/dev/stdout) is written to directly.
    Raises OSError, which names the file.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        _write_whole(path, data)
    except OSError as error:  # that of a write, as on a full disk, names none; that of a rename the temporary one
        raise OSError(error.errno, error.strerror, str(path)) from None


def _write_whole(path: Path, data: bytes) -> None:
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    target = path.resolve()
    if not target.parent.exists():  # a parent that is a file is refused below, in better words
        target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
