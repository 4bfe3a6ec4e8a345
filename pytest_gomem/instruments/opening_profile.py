"""The heap profile when a window opens: what is live and made at the close counts from there."""

from __future__ import annotations

from pytest_gomem.base.unavailable import Unavailable, known
from pytest_gomem.judge.conditions import OPENING_PROFILE
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.observe.agent.unasked import Kept
from pytest_gomem.session.capture import NOT_TAKEN, OPENING, Captured, heap_profile
from pytest_gomem.session.instrument import Finding, Instrument, Target


class OpeningProfile(Instrument):
    """Sets the profile rate at the launch, and takes the profile.

    It raises the peak of a 10 MB service by 2.7 to 4.2%, so a window that is measured with it has it as a condition.
    rate: bytes per sample; None leaves the service's own.
    """

    name = "opening_profile"

    def __init__(self, rate: int | None) -> None:
        self._rate = rate
        self._taken: bytes | Unavailable = NOT_TAKEN

    def launch(self) -> Overrides:
        """The profile rate; of a program that ends by itself, the heap profile of its end."""
        return Overrides(profile_rate=self._rate, kept=frozenset({Kept.HEAP}))

    def open(self, target: Target) -> None:
        """Take it first: its allocations and forced collections stay outside the window."""
        self._taken = heap_profile(target.subject)

    def close(self, target: Target) -> Finding:
        """Give the profile, or why it failed."""
        conditions = {} if known(self._taken) is None else {OPENING_PROFILE: "taken for a budget"}
        return Finding({OPENING: Captured(self._taken)}, conditions=conditions)
