"""What a session needs to explain a failed window: the code that caused it, and the text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.launch.launched import Built
from pytest_gomem.pprof.model import Profile
from pytest_gomem.results.window_record import WindowRecord

if TYPE_CHECKING:
    from pytest_gomem.session.measurement import Measurement


@dataclass(frozen=True)
class BaseProfiles:
    """The heap profiles of the base of a comparison.

    there: its place, in words. close: the profile of its close for a metric; raises ObserveError with the reason if
    there is none. peak: that of its peak, or why there is none; None if none is ever kept.
    keeps_peak: whether there is one. built: what it was built from, if its sources are at hand.
    """

    there: str
    close: Callable[[str], Profile]
    peak: Callable[[], Profile | Unavailable] | None = None
    keeps_peak: bool = False
    built: Built | None = None


class Explanation(Protocol):
    """Finds what caused a failure, and writes its text."""

    def culprits(self, window: WindowRecord, measurement: Measurement) -> WindowRecord:
        """The window with the culprits of its broken limits, or why none can be named."""

    def culprits_between(
        self, window: WindowRecord, verdicts: tuple[Verdict, ...], head: Measurement, base: BaseProfiles
    ) -> WindowRecord:
        """The window with the culprits of the failed verdicts, from the profiles of both sides.

        head: the window in its last round.
        """

    def text(self, window: WindowRecord, nodeid: str) -> tuple[str, str]:
        """The failure in one line, and in full."""
