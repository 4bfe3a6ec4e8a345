"""The heap profile when a window opens: a budget on memory compares the closing profile with it."""

from __future__ import annotations

from pytest_gomem.attribution.culprits import SAMPLE_OF
from pytest_gomem.base.unavailable import Unavailable, known
from pytest_gomem.judge.conditions import OPENING_PROFILE
from pytest_gomem.judge.functions import rate_for
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.session.capture import NOT_ASKED, OPENING, Captured, heap_profile
from pytest_gomem.session.instrument import Finding, Instrument, Target, WindowPlan


class OpeningProfile(Instrument):
    """Taken if a budget needs a heap profile, also to find who holds or made the memory once it is broken.

    It raises the peak of a 10 MB service by 2.7 to 4.2%, so it is a condition of the window.
    """

    name = "opening_profile"

    def __init__(self, plan: WindowPlan) -> None:
        self._rate = rate_for(plan.budgets)
        self._is_asked = any(budget.metric in SAMPLE_OF for budget in plan.budgets)
        self._taken: bytes | Unavailable = NOT_ASKED

    def launch(self) -> Overrides:
        """The profile rate that budgets on functions need."""
        return Overrides(rate_of_budgets=self._rate)

    def open(self, target: Target) -> None:
        """Take it first: its allocations and forced collections stay outside the window."""
        self._taken = heap_profile(target.subject) if self._is_asked else NOT_ASKED

    def close(self, target: Target) -> Finding:
        """Give the profile, or why it failed."""
        conditions = {} if known(self._taken) is None else {OPENING_PROFILE: "taken for a budget"}
        return Finding({OPENING: Captured(self._taken)}, conditions=conditions)
