"""Owns the evidence that tests of explanations are given: profiles by kind, without a service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from test_attribution_culprits import MODULE

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.launch.launched import Built
from pytest_gomem.pprof.model import Profile
from pytest_gomem.retention.model import Retention
from pytest_gomem.session.capture import Captured
from pytest_gomem.tracing.found import TraceFound


@dataclass(frozen=True)
class Seen:
    """What one observed round has recorded, see `session.explanation.Evidence`; it raises for a kind that it lacks."""

    kinds: Mapping[str, Profile]
    modules: Mapping[str, str] = field(default_factory=dict)
    there: str = ""
    is_kept: bool = False
    rounds: int = 1
    profile_rate: int | None = None
    built: Built | None = None
    module: GoModule = MODULE
    goroutines: tuple[Captured, ...] = ()
    goroutines_before: tuple[Captured, ...] = ()
    came_to_limit: bool | None = None
    retention: Retention | Unavailable | None = None
    trace: TraceFound | None = None

    def cycles(self, kind: str) -> int | None:
        """Not known."""
        return None

    def profiles(self, kind: str, metric: str) -> tuple[Profile, ...]:
        """One for each round."""
        if kind not in self.kinds:
            raise ObserveError(f"there is no {kind}")
        return (self.kinds[kind],) * self.rounds
