"""Owns the core's run that unit tests of rounds work with; it starts no process unless one is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_gomem.diagnosis.explanation import ByProfiles
from pytest_gomem.launch.sides import Against
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.session.run import Run, RunSettings


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """One that compares with no other side."""
    one = Run(RunSettings(None, Registry(builtin_metrics()), tmp_path, ByProfiles()))
    yield one
    one.close()


@pytest.fixture
def run_against(tmp_path: Path) -> Iterator[Run]:
    """One that compares with a binary."""
    registry = Registry(builtin_metrics())
    one = Run(RunSettings(None, registry, tmp_path, ByProfiles(), against=Against(binary=Path("old"))))
    yield one
    one.close()
