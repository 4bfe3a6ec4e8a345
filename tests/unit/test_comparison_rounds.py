"""The rounds of a test: which side comes next, when they are over, and what they come to together."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass, replace
from typing import Any

import pytest

from pytest_gomem.base.errors import GomemError, Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.comparison.base import Base
from pytest_gomem.comparison.rounds import AllRounds
from pytest_gomem.comparison.strategy import RECORDED, HeadAlone, InTurns, Looks, Results, Strategy, as_needed, fixed
from pytest_gomem.config.budgets import parse_budget
from pytest_gomem.config.gomem_yaml import load_config
from pytest_gomem.diagnosis.explanation import ByProfiles
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.attached import AttachedProcess
from pytest_gomem.session.instrument import Instrument
from pytest_gomem.session.judging import Judging
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.plan import Role, RoundPlan, Side
from pytest_gomem.session.run import Run, RunSettings
from pytest_gomem.session.service import Service
from pytest_gomem.stats.decision import Status
from pytest_gomem.testing import fake_window_record

MB = 1e6
REGISTRY = Registry(builtin_metrics())
JUDGING = Judging("test_it.py::test_a")
STEADY = tuple(60 * MB + at * 1e3 for at in range(8))
GROWN = tuple(90 * MB + at * 1e3 for at in range(8))
RESTLESS = (61 * MB, 60 * MB, 61.1 * MB, 60 * MB, 61.2 * MB, 60 * MB, 61.3 * MB, 60 * MB)


@dataclass(frozen=True)
class Kept:
    """A baseline of these rounds; of none there is nothing."""

    rounds: tuple[float, ...] = ()
    broken: bool = False

    def exists(self, nodeid: str) -> bool:
        return bool(self.rounds)

    def find(self, nodeid: str, key: object, window: WindowRecord) -> Base | None:
        if self.broken:
            raise GomemError("the baseline cannot be read")
        if not self.rounds:
            return None
        record = replace(window, rounds=tuple({"live_heap": value} for value in self.rounds), verdicts=())
        return Base(record, "the baseline", is_kept=True)


def budgets(**written: str):
    return tuple(
        budget
        for name, limit in written.items()
        for budget in parse_budget(name, limit, units=REGISTRY.units(), scope="marker", place=Place())
    )


def measure(
    run: Run, rounds: AllRounds, live_heap: float | str, *, shared: bool = False, incomparable: str = ""
) -> None:
    """A window of the round that runs."""
    process = AttachedProcess(None, None, None, 50.0, reset_peak=False, url=f"http://{rounds.current.plan.side.value}")
    service = Service(process, lambda: run.load_driver)
    service.is_shared = shared
    gomem = rounds.current.gomems[0]
    measurement = Measurement("test", service, REGISTRY, gomem.judging, run.settings.explanation)
    record = fake_window_record({"live_heap": live_heap})
    if incomparable:
        (found,) = record.metrics
        assert isinstance(found.result, Reading)
        found = replace(found, result=replace(found.result, incomparable=incomparable))
        record = replace(record, metrics=(found,))
    measurement.fill({"live_heap": record.metrics[0].result}, record)
    gomem.measurements.append(measurement)


def rounds_of(run: Run, rounds: AllRounds, head=STEADY, base=STEADY, **measured: Any) -> str:
    """Run the test to its end; the sides of its rounds by their first letters."""
    figures = {Side.HEAD: itertools.cycle(head), Side.BASE: itertools.cycle(base)}
    ran = ""
    while True:
        ran += rounds.current.plan.side.value[0]
        measure(run, rounds, next(figures[rounds.current.plan.side]), **measured)
        if not rounds.begin_round():
            return ran


def status(rounds: AllRounds) -> Status:
    (window,) = rounds.windows()
    (verdict,) = (verdict for verdict in window.verdicts if verdict.budget.metric == "live_heap")
    return verdict.status


def test_so_many_rounds_make_one_window_of_their_medians(run):
    """Each counts, and none is judged by itself: budgets are judged on the median."""
    judging = replace(JUDGING, markers=(budgets(live_heap="5MB"),))
    rounds = AllRounds(run, judging, HeadAlone(Looks(3), note="asked for by --gomem-rounds"), None)
    assert (rounds.position, rounds.in_further_round) == ("round 1 of 3", False)
    assert rounds_of(run, rounds, head=(1 * MB, 9 * MB, 2 * MB)) == "hhh"
    assert (rounds.position, rounds.in_further_round) == ("round 3 of 3", True)
    (window,) = rounds.windows()
    assert isinstance(window.metrics[0].result, Reading)
    assert window.metrics[0].result.value == 2 * MB
    assert [one["live_heap"] for one in window.rounds] == [1 * MB, 9 * MB, 2 * MB]
    assert [verdict.status for verdict in window.verdicts] == [Status.PASS]
    assert window.notes[-1] == "asked for by --gomem-rounds"


def test_one_round_is_the_window_itself(run):
    rounds = AllRounds(run, JUDGING, HeadAlone(Looks(1)), None)
    assert rounds_of(run, rounds) == "h"
    assert rounds.position == ""
    assert rounds.windows() == (rounds.current.measurements()[0].record,)


def test_after_trouble_no_round_begins(run):
    rounds = AllRounds(run, JUDGING, HeadAlone(Looks(3)), None)
    measure(run, rounds, 1 * MB)
    assert rounds.begin_round()
    rounds.troubles.append("round 2 of 3: the service died")
    assert not rounds.begin_round()
    assert rounds.position == "round 2 of 3"


@pytest.mark.parametrize(
    ("strategy", "head", "count", "outcome"),
    [
        (HeadAlone(as_needed()), STEADY, 1, Status.PASS),
        (HeadAlone(as_needed()), RESTLESS, 5, Status.NOISY),
        (HeadAlone(as_needed()), GROWN, 8, Status.FAIL),
        (HeadAlone(as_needed(3)), GROWN, 3, Status.FAIL),
        (HeadAlone(fixed(3)), STEADY, 3, Status.PASS),
        (HeadAlone(fixed(3)), RESTLESS, 3, Status.NOISY),
        (HeadAlone(fixed(3)), GROWN, 8, Status.FAIL),
        (HeadAlone(fixed(8)), STEADY, 8, Status.PASS),
        (HeadAlone(Looks(2)), GROWN, 2, Status.NOISY),
    ],
)
def test_against_a_baseline_they_end_at_a_look_or_confirm_what_is_worse(run, strategy, head, count, outcome):
    """As soon as all is decided, or more rounds could not decide it; a test that fails has run them all."""
    judging = replace(JUDGING, enough=max(3, strategy.looks.most))
    rounds = AllRounds(run, judging, strategy, Kept(STEADY))
    assert rounds_of(run, rounds, head=head) == "h" * count
    assert status(rounds) is outcome


def test_a_figure_that_does_not_compare_fails_nothing(run, run_against):
    """As the live heap of a program's last GC cycle, which ends earlier or later; a budget judges it all the same."""
    judging = replace(JUDGING, markers=(budgets(live_heap="70MB"),))
    for one, baselines in ((run, Kept(STEADY)), (run_against, None)):
        strategy: Strategy = InTurns(as_needed(first=3)) if baselines is None else HeadAlone(as_needed())
        rounds = AllRounds(one, judging, strategy, baselines)
        assert len(rounds_of(one, rounds, head=GROWN, incomparable="it is of the last GC cycle")) < 8
        (window,) = rounds.windows()
        limit, compared = window.verdicts
        assert (limit.status, compared.status) == (Status.FAIL, Status.NO_BASELINE)
        assert "it is of the last GC cycle" in compared.reason


@pytest.mark.parametrize(("kept", "shared", "count"), [((), False, 8), ((), True, 1)])
def test_a_recording_runs_as_many_rounds_as_a_baseline_should_have(run, kept, shared, count):
    """One, where the process is other tests' as well: a second round of it would be no first one."""
    rounds = AllRounds(run, JUDGING, HeadAlone(Looks(RECORDED, {1})), Kept(kept))
    assert rounds_of(run, rounds, shared=shared) == "h" * count


@pytest.mark.parametrize("baselines", [None, Kept(), Kept(STEADY, broken=True)])
def test_with_nothing_to_compare_three_rounds_tell_the_scatter(run, baselines):
    """What cannot be read ends them at once, and fails the test at its end."""
    rounds = AllRounds(run, JUDGING, HeadAlone(as_needed()), baselines)
    broken = baselines is not None and baselines.broken
    assert rounds_of(run, rounds) == "h" * (1 if broken else 3)
    if broken:
        with pytest.raises(GomemError, match="cannot be read"):
            rounds.windows()


@pytest.mark.parametrize(
    ("strategy", "head", "ran", "outcome"),
    [
        (InTurns(as_needed(first=3)), STEADY, "hbbhhb", Status.PASS),
        (InTurns(as_needed(first=3)), GROWN, "hbbhhbbh" * 2, Status.FAIL),
        (InTurns(fixed(3)), STEADY, "hbbhhb", Status.PASS),
        (InTurns(fixed(3)), GROWN, "hbbhhbbh" * 2, Status.FAIL),
        (InTurns(fixed(8)), STEADY, "hbbhhbbh" * 2, Status.PASS),
        (InTurns(fixed(2)), GROWN, "hbbh", Status.NOISY),
    ],
)
def test_two_sides_take_turns(run_against, strategy: Strategy, head, ran, outcome):
    """And end after equally many rounds of each, at a look that decides all or once they have run them all."""
    rounds = AllRounds(run_against, JUDGING, strategy, None)
    assert rounds_of(run_against, rounds, head=head) == ran
    (window,) = rounds.windows()
    assert window.base is not None
    assert len(window.rounds) == len(window.base.rounds) == len(ran) / 2
    assert status(rounds) is outcome


def test_the_base_side_is_judged_by_nothing(run_against):
    judging = replace(JUDGING, markers=(budgets(live_heap="1kB"),))
    rounds = AllRounds(run_against, judging, InTurns(as_needed(first=3)), None)
    while True:
        (gomem,) = rounds.current.gomems
        assert gomem.plan.side is rounds.current.plan.side
        assert gomem.judging.only_measures == (gomem.plan.side is Side.BASE)
        measure(run_against, rounds, 60 * MB)
        judged = gomem.measurements[0].record.verdicts
        assert [verdict.status for verdict in judged] == ([] if gomem.plan.side is Side.BASE else [Status.FAIL])
        if not rounds.begin_round():
            break
    assert [compared is not None for _, _, compared in rounds.with_files()] == [True]


class Heavy(Instrument):
    name = "heavy"

    def launch(self) -> Overrides:
        return Overrides(env={"GOMEM_HEAVY": "1"})


@dataclass(frozen=True)
class Once:
    """One round of this plan."""

    plan: RoundPlan
    note: str = ""

    def next(self, results: Results) -> RoundPlan | None:
        return self.plan

    def expected(self, at: int) -> int:
        return 1


def test_a_plan_says_what_its_services_are_launched_with(tmp_path, monkeypatch):
    """Its overrides lie over what the test asks for, and its instruments say what they need."""
    (tmp_path / "gomem.yaml").write_text("version: 1\nservices: {api: {command: [./api]}}\n")
    settings = RunSettings(load_config(tmp_path / "gomem.yaml", REGISTRY.units()), REGISTRY, tmp_path, ByProfiles())
    launched = []

    def launch(run: Run, name: str, overrides: Overrides, side: Side) -> Service:
        launched.append((overrides, side))
        return Service(AttachedProcess(None, None, None, 50.0, reset_peak=False), lambda: run.load_driver)

    monkeypatch.setattr(Run, "launch", launch)
    plan = RoundPlan(Side.BASE, Role.OBSERVED, Overrides(args=("--slow",)), lambda window: (Heavy(),))
    with contextlib.closing(Run(settings)) as run:
        AllRounds(run, JUDGING, Once(plan), None).factory().launch(args=["--fast"], gogc=50)
    ((overrides, side),) = launched
    assert (overrides.args, dict(overrides.env), overrides.gc.gogc, side) == (
        ("--slow",),
        {"GOMEM_HEAVY": "1"},
        50,
        Side.BASE,
    )


def test_a_base_side_that_is_lost_is_not_run_again(run_against):
    """The head goes on alone, and the window says by the first reason why it is not compared."""
    rounds = AllRounds(run_against, JUDGING, InTurns(fixed(3)), None)
    measure(run_against, rounds, 60 * MB)
    assert rounds.begin_round()
    rounds.give_up(rounds.current.plan, "the old binary does not start")
    rounds.give_up(rounds.current.plan, "another reason")
    ran = rounds.current.plan.side.value[0]
    while rounds.begin_round():
        ran += rounds.current.plan.side.value[0]
        measure(run_against, rounds, 60 * MB)
    assert ran == "bhh"
    (window,) = rounds.windows()
    assert (window.base, window.no_base) == (None, "on the base side: the old binary does not start")
    assert len(window.rounds) == 3


def test_a_shared_process_runs_on_one_side_alone(run_against):
    rounds = AllRounds(run_against, JUDGING, HeadAlone(Looks(1)), None, shares_process=True)
    assert rounds_of(run_against, rounds) == "h"
    assert "shared by many tests" in rounds.windows()[0].no_base


def test_a_process_of_several_tests_is_compared_with_a_baseline_by_its_first_round_alone(run):
    """What a second round finds in it depends on which tests have run; the first may be worse for that, too."""
    rounds = AllRounds(run, JUDGING, HeadAlone(Looks(1)), Kept(STEADY))
    assert rounds_of(run, rounds, head=GROWN, shared=True) == "h"
    (verdict,) = rounds.windows()[0].verdicts
    assert (verdict.status, verdict.rounds_needed) == (Status.NOISY, None)
    assert "its process serves other tests too" in verdict.reason
    rounds = AllRounds(run, JUDGING, HeadAlone(Looks(2)), Kept(STEADY))
    assert rounds_of(run, rounds, shared=True) == "hh"
    (window,) = rounds.windows()
    assert (window.base, window.verdicts) == (None, ())
    assert window.no_base.startswith("its process serves other tests too")


def test_a_window_that_the_base_side_did_not_open_says_so(run_against):
    rounds = AllRounds(run_against, JUDGING, InTurns(Looks(1)), None)
    measure(run_against, rounds, 60 * MB)
    measure(run_against, rounds, 60 * MB)
    assert rounds.begin_round()
    measure(run_against, rounds, 60 * MB)
    first, second = rounds.windows()
    assert (first.base is not None, second.base) == (True, None)
    assert second.no_base.endswith("was not opened on the base side")


def test_what_one_round_did_not_measure_is_unavailable_in_all(run):
    rounds = AllRounds(run, JUDGING, HeadAlone(Looks(3)), None)
    assert rounds_of(run, rounds, head=(1 * MB, "no answer", 2 * MB)) == "hhh"
    assert rounds.windows()[0].metrics[0].result == Unavailable("in round 2 of 3: no answer")
