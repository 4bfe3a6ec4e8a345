"""The rounds of a test that have run, and what they leave: measurements, or evidence of a cause."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from pytest_gomem.base.errors import SupervisorError
from pytest_gomem.comparison.merged import last_measurements
from pytest_gomem.diagnosis.evidence import Observed
from pytest_gomem.instruments.peak_profile import PEAK
from pytest_gomem.results.keys import Key
from pytest_gomem.retention.finalizers import SelfHeld, in_log
from pytest_gomem.session.gomem import Gomem
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.plan import Role, RoundPlan, Side

_NAMES = {Side.HEAD: "", Side.BASE: "on the base side"}
_NOT_OPENED = "no observed round has opened this window again"


@dataclass(frozen=True)
class Round:
    """One round of a test, and its factories, the body's own first.

    troubles: why it came to nothing. self_held: what finalizers of its services keep, if it looked for that. began:
    monotonic seconds.
    """

    plan: RoundPlan
    gomems: list[Gomem] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    self_held: list[SelfHeld] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def measurements(self) -> list[Measurement]:
        """The measurements of closed windows."""
        return [m for gomem in self.gomems for m in gomem.measurements if m.closed]

    def end(self, why: str) -> None:
        """It comes to nothing, unless it has found what its services died of."""
        if self.plan.checks_finalizers and not self.self_held:
            for service in (service for gomem in self.gomems for service in gomem.services):
                with contextlib.suppress(SupervisorError):  # gone with its log
                    self.self_held.extend(in_log(service.shown_log()))
        if not self.self_held and not self.has_ended_at_limit():
            self.troubles.append(why)

    def has_ended_at_limit(self) -> bool:
        """Whether a service of it was ended because its profile was taken at the memory limit."""
        of_windows = (one.profiles for one in self.measurements() if self.plan.ends_at_limit)
        return any(profiles is not None and profiles.of(PEAK).is_whole for profiles in of_windows)


def has_oom(measurements: Iterable[Measurement]) -> bool:
    """Whether a service was killed at its memory limit in one of these windows."""
    return any(one.record.oom is not None for one in measurements)


class Ran:
    """The rounds so far, in order."""

    def __init__(self) -> None:
        self._rounds: list[Round] = []

    def __len__(self) -> int:
        return len(self._rounds)

    def add(self, one: Round) -> None:
        """Add one that begins."""
        self._rounds.append(one)

    @property
    def current(self) -> Round:
        """The round that runs, or the last one."""
        return self._rounds[-1]

    def last_of(self, plan: RoundPlan) -> Round:
        """The last round of this very plan."""
        return next(one for one in reversed(self._rounds) if one.plan is plan)

    def _of(self, side: Side, role: Role) -> list[Round]:
        found = (one for one in self._rounds if not (one.plan.checks_finalizers or one.plan.takes_trace))
        return [one for one in found if (one.plan.side, one.plan.role) == (side, role)]

    def _tracing(self, side: Side) -> list[Round]:
        return [one for one in self._rounds if one.plan.takes_trace and one.plan.side is side]

    def count_traced(self, side: Side) -> int:
        """How many rounds of a side took an execution trace, with those that came to nothing."""
        return len(self._tracing(side))

    @property
    def check(self) -> Round | None:
        """The round that looked for finalizers that keep their own objects, if there was one."""
        return next((one for one in self._rounds if one.plan.checks_finalizers), None)

    def count(self, side: Side, role: Role = Role.MEASURED) -> int:
        """How many there were, with those that came to nothing."""
        return len(self._of(side, role))

    def measured(self, side: Side) -> list[list[Measurement]]:
        """The measurements of each measured round of a side; observed rounds must not enter a metric.

        Of the head only those of the round in which a service was killed at its memory limit, if there was one.
        """
        rounds = [one.measurements() for one in self._of(side, Role.MEASURED)]
        return rounds[-1:] if side is Side.HEAD and rounds and has_oom(rounds[-1]) else rounds

    def last(self, side: Side) -> dict[Key, Measurement]:
        """The last measurement of each window in measured rounds of a side."""
        return last_measurements(self.measured(side))

    def observed(self, side: Side) -> list[dict[Key, Measurement]]:
        """The windows of each observed round of a side that went well, without those that took a trace."""
        return _windows(self._of(side, Role.OBSERVED))

    def traced(self, side: Side) -> list[dict[Key, Measurement]]:
        """The windows of each round of a side that took an execution trace and went well."""
        return _windows(self._tracing(side))

    def evidence(self, key: Key, side: Side) -> Observed | None:
        """What the observed rounds of a side recorded of a window; None if none did."""
        found = tuple(one[key] for one in self.observed(side) if key in one)
        traced = tuple(one[key] for one in self.traced(side) if key in one)
        return Observed(found or traced, _NAMES[side], traced) if found or traced else None

    def profiled(self, key: Key, side: Side) -> Observed | None:
        """The same of a window that is profiled in measured rounds, because its test must not run again."""
        last = self.last(side).get(key)
        return None if last is None else Observed((last,), _NAMES[side])

    def troubles(self) -> list[str]:
        """Why observed rounds came to nothing."""
        return [why for one in self._rounds for why in one.troubles]

    def why_unseen(self) -> str:
        """Why no observed round of a side has recorded a window, although there were some; "" if there were none."""
        ran = any(one.plan.role is Role.OBSERVED for one in self._rounds)
        return "; ".join(self.troubles()) or (_NOT_OPENED if ran else "")

    def hidden(self) -> dict[str, str]:
        """The values of variables in the services' settings, and what is shown in their place."""
        every = (measurement for one in self._rounds for measurement in one.measurements())
        return {value: name for measurement in every for value, name in measurement.service.hidden.items()}


def _windows(rounds: Iterable[Round]) -> list[dict[Key, Measurement]]:
    return [last_measurements([one.measurements()]) for one in rounds if not one.troubles]
