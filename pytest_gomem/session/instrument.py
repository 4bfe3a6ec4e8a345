"""Instruments: attached to a window, they act at named points of the reading order and report what they found."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum
from functools import reduce
from typing import TYPE_CHECKING, ClassVar, Protocol

from pytest_gomem.config.budgets import Budget
from pytest_gomem.config.services import ServiceConfig
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.measure.left_goroutines import Exempt

if TYPE_CHECKING:
    from pytest_gomem.base.unavailable import Unavailable
    from pytest_gomem.measure.left_goroutines import LeftGoroutines
    from pytest_gomem.measure.own_edges import OwnEdges
    from pytest_gomem.retention.model import Retention
    from pytest_gomem.session.capture import Captured, Profiles
    from pytest_gomem.session.life import EndedProgram
    from pytest_gomem.session.measurement import Measurement
    from pytest_gomem.session.own_readings import OwnReadings
    from pytest_gomem.session.readings import Calibrated, Readings
    from pytest_gomem.session.subject import Subject
    from pytest_gomem.tracing.found import TraceFound


class Opens(Enum):
    """When an instrument is opened."""

    BEFORE = "before the window"  # once, even if the window opens anew after a warm-up
    FIRST = "before the opening readings"  # each time the window opens
    LAST = "after the opening readings"  # once


class Closes(Enum):
    """When an instrument is closed."""

    FIRST = "before the closing readings"
    LAST = "after the closing readings"
    JUDGED = "after the verdicts on the test's budgets"
    AFTERWARDS = "after a body that went well"  # from now on the service's work is not in the window


class Target(Protocol):
    """The window that an instrument is attached to.

    own: what our own readings within it have done. profiles: of the window. opening: the runtime's figures at the
    opening, set from Opens.LAST on. measurement: figures and record, set from Closes.JUDGED on.
    """

    subject: Subject
    readings: Readings
    own: OwnReadings
    profiles: Profiles
    opening: Calibrated | Unavailable
    measurement: Measurement | None


@dataclass(frozen=True)
class Finding:
    """What an instrument found in one window.

    artifacts: by the names of the report; --gomem-artifacts keeps them. figures: by name, reported as they are.
    conditions: what must be equal for two windows to compare. retention: what a heap dump says, or why there is none.
    left: the goroutines that came to be and stayed, or why that is not known; None if nobody looked.
    own: what the pages of the service told, of the whole window as "" and of its phases by name; None if nobody read.
    trace: what came of an execution trace; None if none was taken.
    """

    artifacts: Mapping[str, Captured] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    conditions: Mapping[str, str] = field(default_factory=dict)
    retention: Retention | Unavailable | None = None
    left: LeftGoroutines | Unavailable | None = None
    own: Mapping[str, OwnEdges] | None = None
    trace: TraceFound | None = None


class Instrument:
    """Something attached to one window. Subclasses override the steps they need; the others do nothing.

    name: of its figures in reports. If it acts at several points, each step is an instrument of the same name.
    disturbs: why the window has no figures because of it, "" if it has.
    """

    name: ClassVar[str]
    opens: ClassVar[Opens] = Opens.FIRST
    closes: ClassVar[Closes] = Closes.LAST
    disturbs: ClassVar[str] = ""

    def launch(self) -> Overrides:
        """What it needs when the service is launched."""
        return Overrides()

    def started(self, program: Subject) -> None:
        """A program that ends by itself has just been started, in place of `open`."""

    def open(self, target: Target) -> None:
        """Begin, at the point `opens`."""

    def reopened(self, target: Target) -> None:
        """The window has opened anew, after a warm-up; its opening readings are taken."""

    def cycled(self, target: Target, number: int) -> None:
        """A cycle of the test's work has ended, and its settled reading is taken; the first one is number 1."""

    def answered(self, target: Target, seconds: float) -> None:
        """A request of the test has just been answered, or a load has ended whose slowest request took so long."""

    def phase_begins(self, target: Target, phase: str) -> None:
        """A phase of this name is about to begin; the first reading of its own comes next."""

    def phase_ended(self, target: Target, phase: str) -> None:
        """A phase has ended, and its last reading is taken; `name#2` is the second of that name."""

    def close(self, target: Target) -> Finding:
        """End, at the point `closes`."""
        return Finding()

    def ended(self, program: EndedProgram) -> Finding:
        """What it found of a program that has ended by itself, in place of `close`."""
        return Finding()

    def paused(self) -> AbstractContextManager[None]:
        """Inside the block the window's own readings force collections; they are not the service's."""
        return contextlib.nullcontext()


@dataclass(frozen=True)
class WindowPlan:
    """What decides which instruments a window gets.

    config: None for an attached process. nodeid, window: "" at a launch, when they are not yet known.
    is_profiled: budgets on functions are judged from profiles of this very window, since it can't be observed.
    outlives_round: see `session.service`. is_observed: it is of an observed round. exempt: goroutines that are no leak.
    """

    service: str
    config: ServiceConfig | None
    budgets: tuple[Budget, ...]
    nodeid: str = ""
    window: str = ""
    is_profiled: bool = False
    outlives_round: bool = False
    is_observed: bool = False
    exempt: Exempt = field(default_factory=Exempt)


Choice = Callable[[WindowPlan], Sequence[Instrument]]


def no_instruments(plan: WindowPlan) -> tuple[Instrument, ...]:
    """Choose no instruments."""
    return ()


def at_launch(instruments: Iterable[Instrument]) -> Overrides:
    """What all instruments need at a launch."""
    return reduce(lambda said, instrument: instrument.launch().over(said), instruments, Overrides())


class Attached:
    """The instruments of one window; those of one point act in this order."""

    def __init__(self, instruments: Sequence[Instrument] = ()) -> None:
        self._instruments = instruments
        self._found: list[tuple[str, Finding]] = []

    def open(self, when: Opens, target: Target) -> None:
        """Open those of this point."""
        for instrument in self._instruments:
            if instrument.opens is when:
                instrument.open(target)

    def reopened(self, target: Target) -> None:
        """Tell all of them that the window has opened anew."""
        for instrument in self._instruments:
            instrument.reopened(target)

    def cycled(self, target: Target, number: int) -> None:
        """Tell all of them that a cycle has ended."""
        for instrument in self._instruments:
            instrument.cycled(target, number)

    def answered(self, target: Target, seconds: float) -> None:
        """Tell all of them how long a request, or the slowest of a load, took."""
        for instrument in self._instruments:
            instrument.answered(target, seconds)

    def phase_begins(self, target: Target, phase: str) -> None:
        """Tell all of them that a phase is about to begin."""
        for instrument in self._instruments:
            instrument.phase_begins(target, phase)

    def phase_ended(self, target: Target, phase: str) -> None:
        """Tell all of them that a phase has ended."""
        for instrument in self._instruments:
            instrument.phase_ended(target, phase)

    def close(self, when: Closes, target: Target) -> None:
        """Close those of this point, and add their profiles to the window."""
        for instrument in self._instruments:
            if instrument.closes is when:
                self._add(instrument, instrument.close(target), target.profiles)

    def ended(self, program: EndedProgram) -> None:
        """Have each tell what it found of a program that has ended by itself."""
        for instrument in self._instruments:
            self._add(instrument, instrument.ended(program), program.profiles)

    def _add(self, instrument: Instrument, finding: Finding, profiles: Profiles) -> None:
        profiles.add(finding.artifacts)
        self._found.append((instrument.name, finding))

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Pause all of them inside the block."""
        with contextlib.ExitStack() as stack:
            for instrument in self._instruments:
                stack.enter_context(instrument.paused())
            yield

    @property
    def disturbs(self) -> str:
        """Why the window has no figures because of one of them; "" if it has."""
        return next((one.disturbs for one in self._instruments if one.disturbs), "")

    @property
    def left(self) -> LeftGoroutines | Unavailable | None:
        """The goroutines that came to be and stayed, as the last instrument found them that looked."""
        return next((found.left for _, found in reversed(self._found) if found.left is not None), None)

    @property
    def own(self) -> Mapping[str, OwnEdges]:
        """What the pages of the service told, of the whole window as "" and of its phases by name."""
        return next((found.own for _, found in reversed(self._found) if found.own is not None), {})

    def findings(self) -> list[tuple[str, Finding]]:
        """The findings since the last call, each with the name of its instrument."""
        found, self._found = self._found, []
        return found
