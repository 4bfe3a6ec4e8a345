"""What a round of a test is to be: which side it runs, measured or observed, and what is attached to its windows."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.session.instrument import Choice, no_instruments


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
    """One round of a test. A side differs in what its services are started from alone; its windows are kept apart.

    overrides: laid over the options of every launch. instruments: those of its windows beside the run's.
    """

    side: Side = Side.HEAD
    role: Role = Role.MEASURED
    overrides: Overrides = field(default_factory=Overrides)
    instruments: Choice = no_instruments

    @property
    def is_judged(self) -> bool:
        """Whether its windows are judged, and what goes wrong in it fails the test."""
        return self.side is Side.HEAD and self.role is Role.MEASURED
