"""Judges one metric of all tests without a tolerance: a plugin for `-p`, used by `gomem bisect` for its answer.

A change that the limit on regressions would let pass then has its cause looked for too.
"""

from __future__ import annotations

import os

import pytest

METRIC_VARIABLE = "PYTEST_GOMEM_COMPARED_CLOSELY"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """As the marker that is closest to the test, it counts instead of what the user says about the metric."""
    for item in items:
        item.add_marker(pytest.mark.gomem(**{os.environ[METRIC_VARIABLE]: {"regression": "0%"}}), append=False)
