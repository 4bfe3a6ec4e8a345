"""Owns the folder in which things are kept from run to run."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def cache_dir(kind: str, otherwise: Path) -> Path:
    """The folder `pytest-gomem/KIND` of the user's cache (XDG_CACHE_HOME, else ~/.cache), made if need be.

    Where that is another user's, whose locks we could not hold, `KIND-UID` beside it is ours; where nothing can be
    written there, `pytest-gomem/KIND` below `otherwise`.
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
