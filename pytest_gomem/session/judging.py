"""What the windows of one test are judged by: its budgets and the accepted regressions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from pytest_gomem.base import clock
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.config.accepted import Acceptance
from pytest_gomem.config.budgets import HEADROOM, Budget
from pytest_gomem.config.gomem_yaml import BudgetTable
from pytest_gomem.config.known_leaks import HOLDER
from pytest_gomem.config.memory_limit import MEMORY_LIMIT
from pytest_gomem.config.services import ServiceConfig
from pytest_gomem.judge.acceptances import with_accepted
from pytest_gomem.judge.death_spiral import spiral_verdicts
from pytest_gomem.judge.decide import judge, judge_phase, without_result
from pytest_gomem.judge.figures import Asked, asked_by
from pytest_gomem.judge.functions import FunctionValue, judge_function
from pytest_gomem.judge.known_leaks import KnownLeaks
from pytest_gomem.judge.objects import TypeValue, judge_type
from pytest_gomem.judge.oom import oom_verdicts
from pytest_gomem.judge.over_limit import over_limit_verdicts
from pytest_gomem.judge.precedence import resolve
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.left_goroutines import Exempt
from pytest_gomem.measure.metric import Reading
from pytest_gomem.results.window_record import PhaseRecord, WindowRecord
from pytest_gomem.stats.decision import ENOUGH

CHECK_SCOPE = "check()"


@dataclass(frozen=True)
class Judging:
    """The budgets for the windows of one test: its markers' (closest first) and gomem.yaml's.

    report_only: broken budgets are shown and do not fail the test. strict: a glob of a budget must match some.
    only_measures: the windows are of the base or of an observed round; no budget judges them.
    takes_profiles: the windows are profiled: in an observed round, or because the test must not run again.
    accepted: what gomem_accepted.yaml accepts, on the day `today`.
    enough: rounds of each side that confirm a regression. ignore_goroutines: globs of goroutines that are no leak.
    known_leaks: what gomem_accepted.yaml accepts of its leaks.
    """

    nodeid: str
    markers: tuple[tuple[Budget, ...], ...] = ()
    table: BudgetTable = field(default_factory=BudgetTable)
    report_only: bool = False
    strict: bool = False
    only_measures: bool = False
    takes_profiles: bool = False
    accepted: tuple[Acceptance, ...] = ()
    today: date = field(default_factory=clock.today)
    enough: int = ENOUGH
    ignore_goroutines: tuple[str, ...] = ()
    known_leaks: KnownLeaks = field(default_factory=KnownLeaks)

    def budgets(self, service: str) -> tuple[Budget, ...]:
        """The declared budgets of the test's windows on that service; raises ConfigErrors for rivals of equal rank."""
        return resolve(self.nodeid, service, self.markers, self.table)

    def exempt(self, service: ServiceConfig | None) -> Exempt:
        """The goroutines of a service that are no leak; None: it is in no gomem.yaml."""
        own = () if service is None else service.ignore_goroutines
        return Exempt(tuple(dict.fromkeys((*own, *self.ignore_goroutines))), self.known_leaks.accepted_goroutines())

    def verdicts(
        self,
        budgets: Sequence[Budget],
        results: Mapping[str, Reading | Unavailable],
        counted: Mapping[Asked, FunctionValue | TypeValue | Unavailable],
        phases: Sequence[PhaseRecord] = (),
    ) -> tuple[Verdict, ...]:
        """The verdicts of these budgets, in order, on a window's results, its phases, and what was counted for globs.

        What is accepted becomes a warning.
        """
        if self.only_measures:
            return ()
        by_phase = {phase.name: {metric.name: metric.result for metric in phase.metrics} for phase in phases}
        found = (
            verdict
            for budget in budgets
            for verdict in (
                _judge_glob(budget, counted[asked_by(budget)], strict=self.strict)
                if budget.glob
                else judge_phase(budget, by_phase)
                if budget.phase
                else judge(budget, results.get(budget.metric, without_result(budget.metric)))
            )
        )
        return self.with_accepted(found)

    def unasked(self, window: WindowRecord, rounds: Sequence[WindowRecord] = ()) -> tuple[Verdict, ...]:
        """The verdicts that no budget asks for. rounds: of the window, if the test ran in several.

        Most of them must tell a death spiral; one above a memory limit is enough, as one kill is.
        """
        if self.only_measures:
            return ()
        every = rounds or (window,)
        fallen = [one.death_spiral for one in every if spiral_verdicts(one.death_spiral)]
        spirals = spiral_verdicts(fallen[-1]) if 2 * len(fallen) > max(len(rounds), 1) else ()
        left = [metric.result for one in every for metric in one.metrics if metric.name == HEADROOM]
        over = over_limit_verdicts(left, window.gc.effective.get(MEMORY_LIMIT, ""))
        return self.with_accepted((*oom_verdicts(window.oom), *over, *spirals))

    def with_known_holders(self, window: WindowRecord) -> WindowRecord:
        """The window with its known holders marked, behind the others; as it is if nobody looked for holders."""
        if not window.holders:
            return window
        holders, found = self.known_leaks.among_holders(window.holders)
        others = (leak for leak in window.known_leaks if leak.kind != HOLDER)
        return replace(window, holders=holders, known_leaks=(*others, *found))

    def with_accepted(self, verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
        """The verdicts, with the accepted ones turned into warnings."""
        return with_accepted(verdicts, self.nodeid, self.accepted, self.today)


def _judge_glob(budget: Budget, value: FunctionValue | TypeValue | Unavailable, *, strict: bool) -> tuple[Verdict, ...]:
    if isinstance(value, FunctionValue):
        return judge_function(budget, value, strict=strict)
    return judge_type(budget, value, strict=strict)
