"""What the supervisor and the load driver share: their import path, and whether they are stopped."""

from __future__ import annotations

import contextlib
import importlib.util
from pathlib import Path

import pytest_gomem


def helper_path(library: str) -> list[str]:
    """Folders of this package and of one library, to be put after the standard library on sys.path.

    Not the test's sys.path: it begins with a tests/ folder, where a file such as tests/queue.py would hide Python's own
    module.
    """
    spec = importlib.util.find_spec(library)
    assert spec is not None
    files = (pytest_gomem.__file__, spec.origin)
    return [str(Path(file).parents[1]) for file in files if file is not None]


def is_stopped(pid: int) -> bool:
    """Whether it is stopped, by SIGSTOP or a debugger, and so answers nobody."""
    import psutil

    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    return False
