"""What a flame graph calls its frames, and how it colours them: calls, holders, or the change of either."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from pytest_gomem.flame.frame import CHANGES, HELD, KINDS


class Wording(NamedTuple):
    """The texts and colours. fills: by theme and category; `legend` explains them.

    whole: what a frame is counted with. above: how a frame is related to the one above it. chart: what lies where.
    """

    fills: Mapping[str, Mapping[Enum, str]]
    legend: str
    whole: str
    above: str
    chart: str

    def of_change(self) -> Wording:
        """The same for a differential flame graph."""
        return self._replace(fills=CHANGES, legend="Width: now. Colour: change.")


CALLS = Wording(
    KINDS, "Width: value. Colour: whose code.", "with all it calls", "called by", "callers above what they call"
)
HOLDERS = Wording(
    HELD, "Width: value. Colour: whose types.", "with all it keeps", "held by", "holders above what they hold"
)
