"""Owns the keys under which pytest's objects carry ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_gomem.edge import Edge
    from pytest_gomem.items import Plan
    from pytest_gomem.measured import MeasuredItem

EDGE: pytest.StashKey[Edge] = pytest.StashKey()
PLAN: pytest.StashKey[Plan] = pytest.StashKey()
MEASURED: pytest.StashKey[MeasuredItem] = pytest.StashKey()


def edge_of(config: pytest.Config) -> Edge:
    """The plugin's state of this pytest run."""
    return config.stash[EDGE]
