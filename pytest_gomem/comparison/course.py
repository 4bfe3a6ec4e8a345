"""The rounds of one test: which comes next, when they are over, and the windows of all of them as one."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace

from pytest_gomem.base.errors import GomemError, ObserveError
from pytest_gomem.comparison.base import Finder, FromBaselines, KeptBaselines
from pytest_gomem.comparison.compare import Comparing
from pytest_gomem.comparison.other_side import ONE_PROCESS, FromOtherSide
from pytest_gomem.comparison.rounds import last_measurements, merged
from pytest_gomem.comparison.schedule import Schedule, Side, is_decided
from pytest_gomem.diagnosis.reasons import built_from
from pytest_gomem.diagnosis.two_sides import closing_heap
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.pprof.model import Profile
from pytest_gomem.results.keys import Key, keys
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.gomem import Gomem
from pytest_gomem.session.judging import Judging
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.run import Run
from pytest_gomem.stats.decision import FEWEST


@dataclass(frozen=True)
class Round:
    """One round of a test: the side it runs, and the factories whose windows belong to it, the body's own first."""

    side: Side
    gomems: list[Gomem]

    def measurements(self) -> list[Measurement]:
        """The measurements whose windows are closed."""
        return [m for gomem in self.gomems for m in gomem.measurements if m.closed]


class Course:
    """The rounds of one test, in the order of its schedule; the first one has begun.

    shares_process: the test's process is other tests' as well, so that it runs on the new side alone.
    keeps_heap: each window's heap profile is taken at its close, in all rounds alike, so that all measure the same.
    troubles: what went wrong on the new side and fails the test; with one of them no further round begins.
    """

    def __init__(
        self,
        run: Run,
        judging: Judging,
        schedule: Schedule,
        baselines: KeptBaselines | None,
        *,
        shares_process: bool = False,
        keeps_heap: bool = False,
    ) -> None:
        self._run = run
        self._judging = judging
        self._schedule = schedule
        self._shares_process = shares_process
        self._keeps_heap = keeps_heap
        self._baselines = baselines
        self._rounds: list[Round] = []
        self._turn = 0
        self._base_lost = ""
        self.troubles: list[str] = []
        self.begin_round()

    def begin_round(self) -> bool:
        """Begin the next round; False when there is none, when one went wrong, or when what is known decides."""
        finished = self._turn
        while self._base_lost and self._schedule.sides[self._turn : self._turn + 1] == ("base",):
            self._turn += 1
        if self.troubles or self._turn == len(self._schedule):
            return False
        is_look = any(finished <= look <= self._turn for look in self._schedule.looks)
        if is_look and self._is_decided():
            return False
        side = self._schedule.sides[self._turn]
        self._turn += 1
        self._rounds.append(Round(side, []))
        self.factory()
        return True

    @property
    def round(self) -> Round:
        """The round that runs, or the last one."""
        return self._rounds[-1]

    @property
    def last_new(self) -> Round:
        """The last round of the new side."""
        return next(one for one in reversed(self._rounds) if one.side == "new")

    def last_pairs(self) -> list[tuple[Measurement, Measurement | None]]:
        """The windows of the last round of the new side, each with its like on the base side, if that has one."""
        base = last_measurements(self._measured("base"))
        return [(one, base.get(key)) for key, one in last_measurements([self.last_new.measurements()]).items()]

    @property
    def in_further_round(self) -> bool:
        """Whether the round that runs is not the first."""
        return len(self._rounds) > 1

    @property
    def position(self) -> str:
        """Which round of how many runs, "" of a test that has one: "round 2 of 3"."""
        count = self._schedule.expected(len(self._rounds))
        return f"round {len(self._rounds)} of {count}" if count > 1 else ""

    def factory(self, base: Overrides | None = None, service: str | None = None) -> Gomem:
        """A new factory whose windows belong to this round."""
        is_compared = self._run.settings.against is not None
        side = self.round.side
        keeps_heap = self._keeps_heap or (is_compared and self._schedule.may_be_last(self._turn - 1))
        judging, watching = self._judging_of(side), self._seconds_to_watch
        gomem = Gomem(self._run, judging, base, service, side, keeps_heap=keeps_heap, watching=watching)
        self.round.gomems.append(gomem)
        return gomem

    def _seconds_to_watch(self, measurement: Measurement) -> float:
        """How long the service of a window that has closed is watched without work; two sides need no such excuse.

        Not while another window of the test is open, of which the wait would be a part.
        """
        is_beside = any(gomem.has_open_window for gomem in self.round.gomems)
        comparing = None if is_beside or self._run.settings.against is not None else self._comparing()
        if comparing is None:
            return 0.0
        closed = self.round.measurements()
        key = list(keys(one.record for one in closed))[closed.index(measurement)]
        return comparing.seconds_to_watch(key, measurement)

    def lose_base(self, why: str) -> None:
        """Give up the comparison: the base side came to nothing. The first reason is kept."""
        self._base_lost = self._base_lost or f"on the base side: {why}"

    def windows(self) -> tuple[WindowRecord, ...]:
        """The windows of all rounds as one, judged with what they are compared with; raises GomemError."""
        note = (self._schedule.note,) if self._schedule.note else ()
        return tuple(replace(one, notes=(*one.notes, *note)) for one in self._compared(names_culprits=True))

    def _compared(self, *, names_culprits: bool) -> tuple[WindowRecord, ...]:
        """The same; names_culprits: what is worse is searched for its lines, which an early look need not know."""
        rounds = self._measured("new")
        windows = tuple(m.record for m in rounds[0])
        if self.in_further_round:
            windows = merged([[m.record for m in one] for one in rounds], self._judging)
        comparing = self._comparing()
        if comparing is None:
            return windows
        last = last_measurements(rounds).items()
        return tuple(
            comparing.compared(key, window, measurement, names_culprits=names_culprits)
            for window, (key, measurement) in zip(windows, last, strict=True)
        )

    def _comparing(self) -> Comparing | None:
        """The comparison with what the rounds so far give as a base; None where nothing is compared."""
        finder: Finder
        if self._run.settings.against is not None:
            lost = ONE_PROCESS if self._shares_process else self._base_lost
            finder = FromOtherSide.of(self._measured("base"), self._judging_of("base"), lost)
        elif self._baselines is not None:
            finder = FromBaselines(self._baselines, self._judging.nodeid)
        else:
            return None
        return Comparing(finder, self._judging, self._run.settings.registry, self._run.reasons)

    def heaps(self) -> dict[Key, tuple[Profile, GoModule]]:
        """The heap profile of each window of our own processes, with the module of its service, of the last round."""
        found: dict[Key, tuple[Profile, GoModule]] = {}
        for key, measurement in last_measurements(self._measured("new")).items():
            if built_from(measurement.service) is not None:
                with contextlib.suppress(ObserveError):
                    found[key] = closing_heap(measurement), measurement.service.module
        return found

    def _is_decided(self) -> bool:
        """Whether more rounds could tell no more: nothing that is compared is open."""
        try:
            windows = self._compared(names_culprits=False)
        except GomemError:  # what is kept cannot be read: the end of the test says so
            return True
        if not any(window.base or window.no_base for window in windows):
            # With nothing to compare, the scatter is all that there is to know.
            return len(self._rounds) >= FEWEST or self._is_new_window() or self._serves_others()
        metrics = {metric.name: metric for metric in self._run.settings.registry}
        two_sides = self._run.settings.against is not None
        most = len(self._schedule) // (2 if two_sides else 1)
        confirms_only = self._schedule.confirms_only
        return is_decided(windows, metrics, most, base_grows=two_sides, confirms_only=confirms_only)

    def _is_new_window(self) -> bool:
        """Whether the test is compared, if not these windows of it: its rounds are as many as comparisons need."""
        return self._baselines is not None and self._baselines.exists(self._judging.nodeid)

    def _serves_others(self) -> bool:
        """Whether all windows are of processes of other tests as well, in which a second round is no first one."""
        measured = self._rounds[-1].measurements()
        return bool(measured) and all(measurement.service.is_shared for measurement in measured)

    def _judging_of(self, side: Side) -> Judging:
        return replace(self._judging, is_base=True) if side == "base" else self._judging

    def hidden(self) -> dict[str, str]:
        """The values of variables in the settings of the services measured, and what is shown in their place."""
        measured = (measurement for one in self._rounds for measurement in one.measurements())
        return {value: name for measurement in measured for value, name in measurement.service.hidden.items()}

    def _measured(self, side: Side) -> list[list[Measurement]]:
        """The measurements of each round of a side."""
        return [one.measurements() for one in self._rounds if one.side == side]
