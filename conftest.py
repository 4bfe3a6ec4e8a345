"""Owns what every test of this repository shares: pytester, and a settled hypothesis."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

settings.register_profile(
    "gomem",
    deadline=None,
    # CI machines stall: a slow or large example is no fault of the property.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    # CI repeats the same examples, so that a commit is judged by what it changed; a developer's runs look for new ones.
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("gomem")


@pytest.fixture(autouse=True)
def _not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test starts pytest as a developer does, wherever it runs: in CI pytest prints more, and so do we."""
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
