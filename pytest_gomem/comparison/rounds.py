"""The rounds of one test: which comes next, when to stop, and the merged windows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pytest_gomem.base.errors import GomemError, ObserveError
from pytest_gomem.comparison.base import KeptBaselines, from_baselines
from pytest_gomem.comparison.compare import Comparing, is_decided
from pytest_gomem.comparison.merged import last_measurements, merged
from pytest_gomem.comparison.other_side import ONE_PROCESS, from_other_side
from pytest_gomem.comparison.strategy import Looks, Strategy
from pytest_gomem.diagnosis.two_sides import closing_heap
from pytest_gomem.instruments.idle_watch import IdleWatch
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.pprof.model import Profile
from pytest_gomem.results.keys import Key, keys
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.gomem import Gomem
from pytest_gomem.session.instrument import Instrument, WindowPlan
from pytest_gomem.session.judging import Judging
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.plan import Role, RoundPlan, Side
from pytest_gomem.session.run import Run
from pytest_gomem.stats.decision import FEWEST


@dataclass(frozen=True)
class Round:
    """One round of a test, and its factories, the body's own first."""

    plan: RoundPlan
    gomems: list[Gomem] = field(default_factory=list)

    def measurements(self) -> list[Measurement]:
        """The measurements of closed windows."""
        return [m for gomem in self.gomems for m in gomem.measurements if m.closed]


def measured(rounds: Iterable[Round], side: Side) -> list[list[Measurement]]:
    """The measurements of each measured round of a side; observed rounds must not enter a metric."""
    return [one.measurements() for one in rounds if (one.plan.side, one.plan.role) == (side, Role.MEASURED)]


class AllRounds:
    """The rounds of one test, as its strategy plans them; the first one has begun.

    shares_process: the test shares its process with other tests, so it runs on the head only.
    troubles: errors on the head that fail the test; after one, no further round begins.
    """

    def __init__(
        self,
        run: Run,
        judging: Judging,
        strategy: Strategy,
        baselines: KeptBaselines | None,
        *,
        shares_process: bool = False,
    ) -> None:
        self._run = run
        self._judging = judging
        self._strategy = strategy
        self._shares_process = shares_process
        self._baselines = baselines
        self._rounds: list[Round] = []
        self._notes = [strategy.note] if strategy.note else []
        self.base_lost = ""
        self.troubles: list[str] = []
        self.begin_round()

    def begin_round(self) -> bool:
        """Begin the next round; False if there is none, if one failed, or if the comparison is decided."""
        plan = None if self.troubles else self._strategy.next(self)
        if plan is None:
            return False
        self._rounds.append(Round(plan))
        self.factory()
        return True

    def count(self, side: Side) -> int:
        """How many measured rounds of a side there were."""
        return len(measured(self._rounds, side))

    @property
    def current(self) -> Round:
        """The round that runs, or the last one."""
        return self._rounds[-1]

    @property
    def last_of_head(self) -> list[Measurement]:
        """The windows of the head's last measured round."""
        return measured(self._rounds, Side.HEAD)[-1]

    def last_pairs(self) -> list[tuple[Measurement, Measurement | None]]:
        """The same, each with its counterpart on the base side, if any."""
        base = last_measurements(measured(self._rounds, Side.BASE))
        return [(one, base.get(key)) for key, one in last_measurements([self.last_of_head]).items()]

    @property
    def in_further_round(self) -> bool:
        """Whether the current round is not the first."""
        return len(self._rounds) > 1

    @property
    def position(self) -> str:
        """Which round runs: "round 2 of 3"; "" for a test with one round."""
        count = self._strategy.expected(len(self._rounds))
        return f"round {len(self._rounds)} of {count}" if count > 1 else ""

    def factory(self, base: Overrides | None = None, service: str | None = None) -> Gomem:
        """A new factory for windows of this round."""
        plan = self.current.plan
        judging = self._judging if plan.is_judged else replace(self._judging, only_measures=True)

        def instruments(window: WindowPlan) -> tuple[Instrument, ...]:
            return *plan.instruments(window), IdleWatch(self._seconds_to_watch)

        gomem = Gomem(self._run, judging, base, service, replace(plan, instruments=instruments))
        self.current.gomems.append(gomem)
        return gomem

    def _seconds_to_watch(self, measurement: Measurement) -> float:
        """How long to watch the idle service after a closed window; with two sides there is no need to.

        0 while another window of the test is open, since it would include the wait.
        """
        is_beside = any(gomem.has_open_window for gomem in self.current.gomems)
        is_compared_alone = self.current.plan.is_judged and self._run.settings.against is None
        comparing = self._comparing() if is_compared_alone and not is_beside else None
        if comparing is None:
            return 0.0
        closed = self.current.measurements()
        key = list(keys(one.record for one in closed))[closed.index(measurement)]
        return comparing.seconds_to_watch(key, measurement)

    def give_up(self, plan: RoundPlan, why: str) -> None:
        """Go on without a round that is not judged: without the base (its first reason is kept) or an observation."""
        if plan.role is Role.OBSERVED:
            self._notes.append(f"an observed round came to nothing: {why}")
        else:
            self.base_lost = self.base_lost or f"on the base side: {why}"

    def windows(self) -> tuple[WindowRecord, ...]:
        """The merged windows of all rounds, judged and compared; raises GomemError."""
        return tuple(replace(one, notes=(*one.notes, *self._notes)) for one in self._compared(names_culprits=True))

    def _compared(self, *, names_culprits: bool) -> tuple[WindowRecord, ...]:
        """The same. names_culprits: whether to look for culprits; an early look does not need them."""
        rounds = measured(self._rounds, Side.HEAD)
        windows = tuple(m.record for m in rounds[0])
        if self._measured_rounds > 1:
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
        """The comparison with the base from the rounds so far; None if nothing is compared."""
        if self._run.settings.against is not None:
            lost = ONE_PROCESS if self._shares_process else self.base_lost
            find = from_other_side(measured(self._rounds, Side.BASE), self._judging, lost)
        elif self._baselines is not None:
            find = from_baselines(self._baselines, self._judging.nodeid)
        else:
            return None
        return Comparing(find, self._judging, self._run.settings.registry, self._run.settings.explanation)

    def heaps(self) -> dict[Key, tuple[Profile, GoModule]]:
        """The heap profile of each window of launched processes in the last round, with its service's module."""
        found: dict[Key, tuple[Profile, GoModule]] = {}
        for key, measurement in last_measurements(measured(self._rounds, Side.HEAD)).items():
            if measurement.service.process.built is not None:
                with contextlib.suppress(ObserveError):
                    found[key] = closing_heap(measurement), measurement.service.module
        return found

    def is_decided(self, looks: Looks) -> bool:
        """Whether more rounds would not help: no comparison is open."""
        try:
            windows = self._compared(names_culprits=False)
        except GomemError:  # the baseline cannot be read: the end of the test says so
            return True
        if not any(window.base or window.no_base for window in windows):
            # With nothing to compare, only the scatter is of interest.
            return self._measured_rounds >= FEWEST or self._is_new_window() or self._serves_others()
        metrics = {metric.name: metric for metric in self._run.settings.registry}
        return is_decided(windows, metrics, looks, base_grows=self._run.settings.against is not None)

    @property
    def _measured_rounds(self) -> int:
        return sum(map(self.count, Side))

    def _is_new_window(self) -> bool:
        """Whether the test is compared, but not these windows: it runs as many rounds as comparisons need."""
        return self._baselines is not None and self._baselines.exists(self._judging.nodeid)

    def _serves_others(self) -> bool:
        """Whether all windows share their process with other tests, so that a second round is unlike a first."""
        windows = self.last_of_head
        return bool(windows) and all(measurement.service.is_shared for measurement in windows)

    def hidden(self) -> dict[str, str]:
        """The values of variables in the services' settings, and what is shown in their place."""
        every = (measurement for one in self._rounds for measurement in one.measurements())
        return {value: name for measurement in every for value, name in measurement.service.hidden.items()}
