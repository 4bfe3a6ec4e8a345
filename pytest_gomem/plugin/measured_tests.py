"""Writes which tests measure something, for another process: a plugin for `-p`, used by `gomem doctor`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pytest_gomem.plugin.use import is_measured

FILE_VARIABLE = "PYTEST_GOMEM_MEASURED"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write each one's id, its file and the service that its markers name."""
    found = [
        {"nodeid": item.nodeid, "file": str(item.path), "service": _service(item)}
        for item in session.items
        if is_measured(item)
    ]
    Path(os.environ[FILE_VARIABLE]).write_text(json.dumps(found))


def _service(item: pytest.Item) -> str:
    named = (marker.kwargs.get("service") for marker in item.iter_markers("gomem"))
    return next((name for name in named if isinstance(name, str)), "")
