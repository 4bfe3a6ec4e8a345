"""Owns telling another process which tests pytest has collected: a plugin for `-p`, used by `gomem baseline prune`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the ids into the file that the environment names."""
    Path(os.environ["PYTEST_GOMEM_COLLECTED"]).write_text("\0".join(item.nodeid for item in session.items))
