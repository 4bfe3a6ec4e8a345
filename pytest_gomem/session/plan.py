"""What a round of a test is to be: which side it runs, and whether it is measured or observed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Side(Enum):
    """The head is what is tested now, the base what it is compared with."""

    HEAD = "head"
    BASE = "base"


class Role(Enum):
    """A measured round is left alone and gives figures; an observed one is disturbed, and explains them."""

    MEASURED = "measured"
    OBSERVED = "observed"


@dataclass(frozen=True)
class RoundPlan:
    """One round of a test. A side differs in how its services are launched alone; its windows are kept apart.

    keeps_heap: the heap profile of each window is taken at its close, since its service may end before it is needed.
    """

    side: Side = Side.HEAD
    role: Role = Role.MEASURED
    keeps_heap: bool = False

    @property
    def is_judged(self) -> bool:
        """Whether its windows are judged, and what goes wrong in it fails the test."""
        return self.side is Side.HEAD and self.role is Role.MEASURED
