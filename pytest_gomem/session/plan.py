"""The plan of one round of a test: its side, measured or observed, and the instruments of its windows."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.session.instrument import Choice, no_instruments


class Side(Enum):
    """The head is the code under test, the base what it is compared with."""

    HEAD = "head"
    BASE = "base"


class Role(Enum):
    """A measured round is undisturbed and gives figures; an observed one is disturbed and explains them."""

    MEASURED = "measured"
    OBSERVED = "observed"


@dataclass(frozen=True)
class RoundPlan:
    """One round of a test. Sides differ only in what their services are started from; their windows are kept apart.

    overrides: replace options of every launch. instruments: of its windows, in addition to the run's.
    checks_finalizers: its services may die of what is looked for, and its windows are no evidence of anything else.
    ends_at_limit: its services are ended once they have shown what is looked for; its windows are good all the same.
    takes_trace: an execution trace is all that it takes.
    """

    side: Side = Side.HEAD
    role: Role = Role.MEASURED
    overrides: Overrides = field(default_factory=Overrides)
    instruments: Choice = no_instruments
    checks_finalizers: bool = False
    ends_at_limit: bool = False
    takes_trace: bool = False

    @property
    def is_judged(self) -> bool:
        """Whether its windows are judged, and its errors fail the test."""
        return self.side is Side.HEAD and self.role is Role.MEASURED
