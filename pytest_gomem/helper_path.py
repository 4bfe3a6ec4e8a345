"""Owns where our own helper processes find the modules they import."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest_gomem


def helper_path(library: str) -> list[str]:
    """Folders of this package and of one library, to be put behind the standard library on sys.path.

    Not the test's sys.path: a tests/ folder stands at its front, and a file such as tests/queue.py would be taken for
    Python's own module.
    """
    spec = importlib.util.find_spec(library)
    assert spec is not None
    files = (pytest_gomem.__file__, spec.origin)
    return [str(Path(file).parents[1]) for file in files if file is not None]
