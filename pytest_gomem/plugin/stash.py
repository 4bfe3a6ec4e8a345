"""The beginning of our work in a pytest run, whose config carries it from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_gomem.plugin.edge import Edge

_EDGE: pytest.StashKey[Edge] = pytest.StashKey()


def edge_of(config: pytest.Config) -> Edge:
    """The plugin's state of this pytest run, which begins with the first that asks for it.

    Raises UsageError with every mistake in options and gomem.yaml; where there are any of these, that is before any
    test is collected. Else it may be the first test of ours: what was collected before nobody asks for then.
    """
    edge = begun(config)
    if edge is None:
        from pytest_gomem.plugin.edge import Edge

        edge = config.stash[_EDGE] = Edge.configured(config)
    return edge


def begun(config: pytest.Config) -> Edge | None:
    """The same, None in a run that has used nothing of ours yet."""
    return config.stash.get(_EDGE, None)
