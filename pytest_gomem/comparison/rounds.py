"""The rounds of one test: which comes next, when to stop, and the merged and explained windows."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import median

from pytest_gomem.base.errors import GomemError
from pytest_gomem.comparison.base import KeptBaselines, from_baselines
from pytest_gomem.comparison.compare import Comparing, is_decided
from pytest_gomem.comparison.explained import explained
from pytest_gomem.comparison.merged import last_measurements, merged
from pytest_gomem.comparison.observation import Observation, Purpose, observation
from pytest_gomem.comparison.observed import with_observed
from pytest_gomem.comparison.other_side import ONE_PROCESS, from_other_side
from pytest_gomem.comparison.ran import Ran, Round, has_oom
from pytest_gomem.comparison.strategy import Looks, Strategy
from pytest_gomem.diagnosis.evidence import Observed
from pytest_gomem.diagnosis.finalizers import is_unheld
from pytest_gomem.instruments.execution_trace import add_traces
from pytest_gomem.instruments.idle_watch import IdleWatch
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.measure.own_metrics import with_own
from pytest_gomem.results.keys import Key, keys
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.gomem import Gomem
from pytest_gomem.session.instrument import Instrument, WindowPlan
from pytest_gomem.session.judging import Judging
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.plan import Role, RoundPlan, Side
from pytest_gomem.session.run import Run
from pytest_gomem.stats.decision import FEWEST


class AllRounds:
    """The rounds of one test: measured ones as its strategy plans them, then observed ones; the first one has begun.

    shares_process: the test shares its process with other tests, so it runs on the head only. purpose: what observed
    rounds are for; None for a test that has none. troubles: errors on the head that fail the test; after one, no
    further round begins.
    """

    def __init__(
        self,
        run: Run,
        judging: Judging,
        strategy: Strategy,
        baselines: KeptBaselines | None,
        *,
        shares_process: bool = False,
        purpose: Purpose | None = None,
    ) -> None:
        self._run = run
        self._judging = judging
        self._strategy = strategy
        self._shares_process = shares_process
        self._baselines = baselines
        self._purpose = purpose
        self._observation: Observation | None = None
        self._ran = Ran()
        self._notes = [strategy.note] if strategy.note else []
        self._seconds: list[float] = []
        self.base_lost = ""
        self.troubles: list[str] = []
        self.begin_round()

    def begin_round(self) -> bool:
        """Begin the next round; False if there is none, or if one failed."""
        plan = None if self.troubles else self._next()
        if plan is None:
            return False
        for one in self.current.measurements() if len(self._ran) else ():
            one.keep_log()
        self._ran.add(Round(plan))
        self.factory()
        return True

    def _next(self) -> RoundPlan | None:
        """The strategy plans measured rounds until the comparison is decided; its verdicts plan the observed ones."""
        if self._observation is None:
            if len(self._ran):
                self._seconds.append(time.monotonic() - self.current.began)
            if not self.is_killed and (plan := self._strategy.next(self)):
                return plan
            self._observation = self._planned()
        return self._observation.next(ObservedSoFar(self, self._ran))

    @property
    def is_killed(self) -> bool:
        """Whether the last measured round of the head ended at a memory limit: no other would be like it."""
        return bool(len(self._ran)) and has_oom(self.last_of_head)

    def end_measuring(self) -> None:
        """Plan no more measured rounds: a check() has failed the test, or its service was killed at its limit."""
        if self._observation is None:
            self._seconds.append(time.monotonic() - self.current.began)
            self._observation = self._planned()

    def end_observing(self) -> None:
        """Plan no more rounds at all."""
        self._observation = Observation()

    def _planned(self) -> Observation:
        """The observed rounds of this test."""
        if self._purpose is None:
            return Observation()
        try:
            last = self._ran.last(Side.HEAD).values()
            able = [pair for pair in zip(self.compared(), last, strict=True) if not pair[1].takes_profiles]
        except GomemError:  # the baseline cannot be read: the end of the test says so
            return Observation()
        has_base_side = self._run.settings.against is not None and not self.base_lost
        return observation(able, self._purpose, median(self._seconds), has_base_side=has_base_side)

    def count(self, side: Side) -> int:
        """How many measured rounds of a side there were."""
        return self._ran.count(side)

    @property
    def current(self) -> Round:
        """The round that runs, or the last one."""
        return self._ran.current

    @property
    def last_of_head(self) -> list[Measurement]:
        """The windows of the head's last measured round."""
        return self._ran.measured(Side.HEAD)[-1]

    def with_files(self) -> list[tuple[Measurement, Measurement, Measurement | None]]:
        """The last measurement of each window, with those that have its profiles: on the head, and on the base."""
        head, base = self._ran.last(Side.HEAD), self._ran.last(Side.BASE)
        profiled, compared = dict(head), dict(base)
        for one in self._ran.observed(Side.HEAD):
            profiled.update(one)
        for one in self._ran.observed(Side.BASE):
            compared.update(one)
        add_traces(profiled, self._ran.traced(Side.HEAD))
        add_traces(compared, self._ran.traced(Side.BASE))
        return [(one, profiled[key], compared.get(key)) for key, one in head.items()]

    @property
    def in_further_round(self) -> bool:
        """Whether the current round is not the first."""
        return len(self._ran) > 1

    @property
    def position(self) -> str:
        """Which round runs: "round 2 of 3"; "" for a test with one round."""
        ran = self.count(Side.HEAD) + self.count(Side.BASE)
        count = self._strategy.expected(ran)
        return f"round {ran} of {count}" if count > 1 else ""

    def search(self) -> str:
        """What the current round is for, if it looks for a cause: "round 1 of 2, some 12 s"; "" otherwise."""
        plan = self._observation
        if plan is None or not plan.is_diagnosis or self.current.plan.role is not Role.OBSERVED:
            return ""
        if self.current.plan.checks_finalizers:
            return f"finalizers and cleanups, about {max(plan.seconds, 1):.0f} s"
        at = sum(self._ran.count(side, Role.OBSERVED) + self._ran.count_traced(side) for side in Side)
        # More rounds than that are those of budgets on functions.
        return f"round {at} of {plan.expected}, about {max(plan.seconds, 1):.0f} s" if at <= plan.expected else ""

    def factory(self, base: Overrides | None = None, service: str | None = None) -> Gomem:
        """A new factory for windows of this round."""
        plan = self.current.plan
        is_observed = plan.role is Role.OBSERVED
        judging = self._judging
        if not plan.is_judged:
            judging = replace(judging, only_measures=True, takes_profiles=judging.takes_profiles or is_observed)

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
        """Go on without a round that is not judged: without the base (its first reason is kept) or an observation.

        plan: of the current round, or of the one before, whose fixtures may fail when they are torn down.
        """
        if plan.role is Role.OBSERVED:
            where = "" if plan.side is Side.HEAD else "on the base side: "
            self._ran.last_of(plan).end(f"an observed round came to nothing: {where}{why}")
        else:
            self.base_lost = self.base_lost or f"on the base side: {why}"

    def lost_observations(self) -> str:
        """Why observed rounds came to nothing; "" if none did."""
        return "; ".join(self._ran.troubles())

    def windows(self) -> tuple[WindowRecord, ...]:
        """The merged windows of all rounds, judged, compared and explained; raises GomemError."""
        comparing, found = self._comparing(), list[WindowRecord]()
        for window, (key, last) in zip(self._compared(comparing), self._ran.last(Side.HEAD).items(), strict=True):
            base = comparing.find(key, window, last) if comparing is not None else None
            explanation = self._run.settings.explanation
            found.append(explained(window, key, last, self._ran, base, self._observation, explanation))
        return tuple(replace(one, notes=(*one.notes, *self._notes)) for one in found)

    def compared(self) -> tuple[WindowRecord, ...]:
        """The same, not explained."""
        return self._compared(self._comparing())

    def _compared(self, comparing: Comparing | None) -> tuple[WindowRecord, ...]:
        rounds = self._ran.measured(Side.HEAD)
        windows = tuple(m.record for m in rounds[0])
        if self._measured_rounds > 1:
            windows = merged([[m.record for m in one] for one in rounds], self._judging)
        found = list[WindowRecord]()
        for merged_window, (key, last) in zip(windows, last_measurements(rounds).items(), strict=True):
            window = merged_window if self._observation is None else self._with_observed(merged_window, key, last)
            found.append(window if comparing is None else comparing.compared(key, window, last))
        return tuple(found)

    def _with_observed(self, window: WindowRecord, key: Key, last: Measurement) -> WindowRecord:
        if not last.observed_budgets:
            return window
        seen = [one[key] for one in self._ran.observed(Side.HEAD) if key in one]
        return with_observed(window, last.observed_budgets, seen, self._judging, self._ran.why_unseen())

    def _comparing(self) -> Comparing | None:
        """The comparison with the base from the rounds so far; None if nothing is compared."""
        if self.is_killed:
            return None
        if self._run.settings.against is not None:
            lost = ONE_PROCESS if self._shares_process else self.base_lost
            seen = self._ran.observed(Side.BASE)
            find = from_other_side(self._ran.measured(Side.BASE), self._judging, lost, observed=seen)
        elif self._baselines is not None:
            find = from_baselines(self._baselines, self._judging.nodeid)
        else:
            return None
        return Comparing(find, self._judging, self._run.settings.registry)

    def kept_evidence(self) -> dict[Key, Observed]:
        """What is kept with the baselines of the windows of launched processes."""
        found = {key: self._ran.evidence(key, Side.HEAD) for key in self._ran.last(Side.HEAD)}
        return {key: one for key, one in found.items() if one is not None and one.built is not None}

    def is_decided(self, looks: Looks) -> bool:
        """Whether more rounds would not help: no comparison is open."""
        try:
            windows = self.compared()
        except GomemError:  # the baseline cannot be read: the end of the test says so
            return True
        if not any(window.base or window.no_base for window in windows):
            # With nothing to compare, only the scatter is of interest.
            return self._measured_rounds >= FEWEST or self._is_new_window() or self._serves_others()
        return self.are_decided(windows, looks)

    def are_decided(self, windows: Iterable[WindowRecord], looks: Looks) -> bool:
        """Whether the comparisons of these windows are decided."""
        windows = tuple(windows)
        judged = (verdict.budget.metric for window in windows for verdict in window.verdicts)
        metrics = {metric.name: metric for metric in with_own(self._run.settings.registry, judged)}
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
        return self._ran.hidden()


@dataclass(frozen=True)
class ObservedSoFar:
    """What the observed rounds so far have shown, for the strategy that plans those for budgets."""

    rounds: AllRounds
    ran: Ran

    @property
    def base_lost(self) -> str:
        """Why the base side failed, "" if it did not."""
        return self.rounds.base_lost

    def count(self, side: Side) -> int:
        """How many observed rounds of a side there were."""
        return self.ran.count(side, Role.OBSERVED)

    def count_traced(self, side: Side) -> int:
        """How many rounds of a side took an execution trace."""
        return self.ran.count_traced(side)

    @property
    def wants_check(self) -> bool:
        """Whether a heap dump shows no holder of what its window holds most, and nobody has looked into that yet."""
        seen = (one for windows in self.ran.observed(Side.HEAD) for one in windows.values())
        return self.ran.check is None and any(is_unheld(one.retention) for one in seen)

    def is_decided(self, looks: Looks) -> bool:
        """Whether more rounds would change no comparison of functions and types."""
        windows = self.rounds.compared()
        of_globs = [tuple(v for v in window.verdicts if v.budget.glob) for window in windows]
        return self.rounds.are_decided(
            (replace(window, verdicts=found) for window, found in zip(windows, of_globs, strict=True)), looks
        )
