"""Runs a test several times as one: further rounds inside its call phase, each with fresh function fixtures.

Every plugin that runs pytest's protocol, such as pytest-rerunfailures or xdist, runs the call phase. To each of them
all rounds are one call with one report.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import pytest

from pytest_gomem.base.errors import BudgetBroken, KilledAtLimit
from pytest_gomem.comparison.observation import Purpose
from pytest_gomem.comparison.strategy import RECORDED, HeadAlone, InTurns, Looks, as_needed, fixed
from pytest_gomem.instruments.kept_heap import kept_heap
from pytest_gomem.plugin import progress
from pytest_gomem.plugin.items import test_id
from pytest_gomem.plugin.options import OFF
from pytest_gomem.plugin.use import SESSION_FIXTURE
from pytest_gomem.session.plan import Role
from pytest_gomem.stats.decision import FEWEST

if TYPE_CHECKING:
    from pytest_gomem.baseline.lookup import Baselines
    from pytest_gomem.config.marker import Rounds
    from pytest_gomem.plugin.items import Plan
    from pytest_gomem.plugin.measured import MeasuredItem
    from pytest_gomem.plugin.settings import Settings
    from pytest_gomem.session.plan import RoundPlan


def strategy_of(item: pytest.Item, plan: Plan, settings: Settings, baselines: Baselines | None) -> HeadAlone | InTurns:
    """The rounds that the marker asks for, else the option; one for a service that other tests share.

    If a marker asks for too few to fail any comparison, the test gets as many as that takes. By default a compared
    test runs as many as its comparisons need, a recorded one as many as a baseline should have, any other test one.
    """
    if settings.no_measure or SESSION_FIXTURE in getattr(item, "fixturenames", ()):
        return HeadAlone(Looks(1))
    marked, nodeid = plan.rounds, test_id(item)
    can_fail = settings.has_base_side or (baselines is not None and baselines.can_fail(nodeid))
    is_raised = isinstance(marked, int) and marked < FEWEST and can_fail
    rounds = FEWEST if is_raised else marked or settings.rounds
    is_kept = baselines is not None and baselines.exists(nodeid)
    strategy = _strategy(rounds, settings, is_kept=is_kept)
    if is_raised:
        strategy = replace(
            strategy, note=f"rounds={marked} of its marker could fail no comparison: it was raised to {FEWEST}"
        )
    # A test that must not run again is profiled at its close.
    compares = not plan.diagnose and (is_kept or settings.has_base_side)
    return replace(strategy, instruments=kept_heap) if compares else strategy


def purpose_of(
    item: pytest.Item,
    plan: Plan,
    settings: Settings,
    strategy: HeadAlone | InTurns,
    refusal: Callable[[float], str],
) -> Purpose | None:
    """What the test may be observed for; None if it must not run again, or measures nothing."""
    fixtures = getattr(item, "fixturenames", ())
    if settings.no_measure or not plan.diagnose or SESSION_FIXTURE in fixtures:
        return None
    budgets = HeadAlone(Looks(strategy.looks.most)) if settings.update and not settings.has_base_side else strategy
    # What other tests leave in a process depends on which of them ran.
    keeps = settings.update and settings.baseline_profiles != OFF and "gomem_session" not in fixtures
    return Purpose(budgets, refusal, keeps_profile=keeps)


def _strategy(rounds: Rounds | None, settings: Settings, *, is_kept: bool) -> HeadAlone | InTurns:
    """is_kept: the test has a baseline."""
    enough = settings.enough
    if settings.update and not isinstance(rounds, int):
        # One if other tests share the process: a look after the first round sees that.
        return InTurns(fixed(RECORDED, enough)) if settings.has_base_side else HeadAlone(Looks(RECORDED, {1}))
    if settings.has_base_side:
        return InTurns(fixed(rounds, enough) if isinstance(rounds, int) else as_needed(enough, first=FEWEST))
    if isinstance(rounds, int):
        return HeadAlone(fixed(rounds, enough) if is_kept else Looks(rounds))
    return HeadAlone(as_needed(enough) if rounds == "auto" or is_kept else Looks(1))


def call(item: pytest.Item, measured: MeasuredItem) -> Generator[None, Any, Any]:
    """The call phase of a measured test: all its rounds, then the verdicts.

    An error in a further measured round ends the rounds and is the outcome of the test.
    """
    if measured.rounds.in_further_round:
        return (yield from measured.body())
    with _one_benchmark(item), progress.shown(item, measured) as begun:
        return (yield from _rounds(item, measured, begun))


def _rounds(item: pytest.Item, measured: MeasuredItem, begun: Callable[[], None]) -> Generator[None, Any, Any]:
    result: Any = None
    broken: BudgetBroken | KilledAtLimit | None = None
    try:
        result = yield from measured.body()
    except (BudgetBroken, KilledAtLimit) as error:
        broken = _to_explain(error, measured)
    while not measured.has_failed_subtest:
        before = measured.rounds.current.plan
        if broken is not None:
            measured.rounds.end_measuring()
        if not measured.rounds.begin_round():
            break
        measured.announce()
        begun()
        try:
            _further_round(item, measured, before)
        except (BudgetBroken, KilledAtLimit) as error:
            broken = _to_explain(error, measured)
        except KeyboardInterrupt:
            if not measured.has_failed():
                raise
            # What the test has shown so far is reported before the run ends.
            item.session.shouldstop = "interrupted while gomem looked for the cause of a failure"
            break
    measured.judge(broken)
    return result


def _to_explain(error: BudgetBroken | KilledAtLimit, measured: MeasuredItem) -> BudgetBroken | KilledAtLimit:
    """The error, whose cause further rounds look for; raises it if no window knows of a kill."""
    if isinstance(error, KilledAtLimit) and not measured.rounds.is_killed:
        raise error
    return error


def _further_round(item: pytest.Item, measured: MeasuredItem, before: RoundPlan) -> None:
    # If the last round's fixtures fail at teardown, its side is at fault, not the next one.
    with measured.tearing_down(before), measured.during("between rounds"):
        _tear_down(item)
    with measured.sparing_the_test(measured.rounds.current.plan):
        with measured.during("between rounds"):
            _set_up_anew(item)
        item.ihook.pytest_runtest_call(item=item)


def tear_down_observed(item: pytest.Item, measured: MeasuredItem) -> None:
    """Before pytest tears the test down: what belongs to this function, if its last round was observed."""
    plan = measured.rounds.current.plan
    if plan.role is Role.OBSERVED and not measured.stage:
        with measured.tearing_down(plan):
            item.session._setupstate.teardown_exact(copy.copy(item))


@contextlib.contextmanager
def _one_benchmark(item: pytest.Item) -> Iterator[None]:
    """Leave pytest-benchmark only the first round's timing, the head's: it lists a line for each."""
    listed = getattr(getattr(item.config, "_benchmarksession", None), "benchmarks", [])
    known = len(listed)
    try:
        yield
    finally:
        del listed[known + 1 :]


def _tear_down(item: pytest.Item) -> None:
    """Tear down what belongs to this function alone; other plugins see a whole test each time."""
    _phase(item, "call", lambda: None)  # it ran and passed
    # A copy as the next item shares every collector: only what the item itself has is torn down.
    neighbour = copy.copy(item)
    kept = dict(item.stash._storage)
    try:
        _phase(item, "teardown", lambda: item.ihook.pytest_runtest_teardown(item=item, nextitem=neighbour))
    except BaseException:
        # pytest tears it down once more, and its logging plugin then needs what it has just removed.
        item.stash._storage.update({key: kept[key] for key in kept if key not in item.stash})
        raise


def _set_up_anew(item: pytest.Item) -> None:
    item._initrequest()  # type: ignore[attr-defined]
    _phase(item, "setup", lambda: item.ihook.pytest_runtest_setup(item=item))


def _phase(item: pytest.Item, when: Literal["setup", "call", "teardown"], run: Callable[[], Any]) -> None:
    """Run a phase and make its report, for fixtures and plugins; it is not shown."""
    call = pytest.CallInfo.from_call(run, when=when, reraise=BaseException)
    item.ihook.pytest_runtest_makereport(item=item, call=call)
