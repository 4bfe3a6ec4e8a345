"""The heap profile when a window opens: what a budget on memory compares the profile after its close with."""

from __future__ import annotations

from pytest_gomem.attribution.culprits import SAMPLE_OF
from pytest_gomem.base.unavailable import Unavailable, known
from pytest_gomem.judge.conditions import OPENING_PROFILE
from pytest_gomem.judge.functions import rate_for
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.session.capture import NOT_ASKED, OPENING, Captured, heap_profile
from pytest_gomem.session.instrument import Finding, Instrument, Target, WindowPlan


class OpeningProfile(Instrument):
    """Taken where a budget needs a heap profile, or would, broken, ask who holds or made the memory.

    It raises the peak of a service of 10 MB by 2.7 to 4.2%, so that it is a condition of the window.
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
        """Take it first: what it allocates, and the collections that it forces, are none of the window's."""
        self._taken = heap_profile(target.subject) if self._is_asked else NOT_ASKED

    def close(self, target: Target) -> Finding:
        """What was taken, or why that failed."""
        conditions = {} if known(self._taken) is None else {OPENING_PROFILE: "taken for a budget"}
        return Finding({OPENING: Captured(self._taken)}, conditions=conditions)
