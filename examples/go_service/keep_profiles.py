"""Owns what demo.py wants of tests that pass, of which --gomem-artifacts keeps nothing: their heap profiles.

A pytest plugin, loaded by `-p keep_profiles`; it writes into the folder that GOMEM_DEMO_PROFILES names.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """The window is closed, and the service still runs."""
    service = getattr(item, "funcargs", {}).get("go_service")
    if service is not None:
        folder = Path(os.environ["GOMEM_DEMO_PROFILES"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{item.name}.pb.gz").write_bytes(service.heap_profile())
