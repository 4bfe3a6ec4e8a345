"""The observed rounds of a test: when there are some, of which sides, how fine, and what they come to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from test_attribution_culprits import HANDLE, KIB, heap, retained
from test_comparison_rounds import GROWN, JUDGING, MB, REGISTRY, STEADY, Kept, budgets
from test_finalizers import CLEANUP, UNHELD
from trace_samples import REPORT

from pytest_gomem.base.errors import Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.comparison.base import Base
from pytest_gomem.comparison.observation import Purpose
from pytest_gomem.comparison.rounds import AllRounds
from pytest_gomem.comparison.strategy import HeadAlone, InTurns, Looks, as_needed
from pytest_gomem.config.fields import located
from pytest_gomem.config.services import ServiceConfig, parse_service
from pytest_gomem.diagnosis.excess import MOST_SAMPLES
from pytest_gomem.instruments.heap_dump import HeapDump, HeapGrowth
from pytest_gomem.judge.functions import rate_for
from pytest_gomem.measure.oom_kill import OomKill
from pytest_gomem.observe.effective import GO_PROFILE_RATE
from pytest_gomem.pprof.write import compressed
from pytest_gomem.results.window_record import DiagnosisRecord, WindowRecord
from pytest_gomem.session.attached import AttachedProcess
from pytest_gomem.session.capture import HEAP, OPENING, Captured, Profiles
from pytest_gomem.session.instrument import WindowPlan, at_launch
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.plan import Role, Side
from pytest_gomem.session.run import Run
from pytest_gomem.session.service import Service
from pytest_gomem.stats.decision import Status
from pytest_gomem.testing import FakeProcess, fake_window_record
from pytest_gomem.tracing.found import TraceFound

ONCE = HeadAlone(Looks(1))
TURNS = InTurns(as_needed(first=3))
PARSE = ("main.parse", "/srv/app/parse.go", 31)
BROKEN = budgets(live_heap="59MB")  # of STEADY, by 1 MB


KILL = OomKill(8 << 20, "cgroup v1", 1.0, "GET /leak", 12)


@dataclass
class Gate:
    """Answers whether a test is diagnosed, and notes that it was asked."""

    answer: str = ""
    asked: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> str:
        self.asked.append(seconds)
        return self.answer


@dataclass
class Script:
    """Runs a test to its end. Its windows hold `head` or `base` by measured round; observed ones have a profile.

    seen: KiB that a line holds in the profiles of each side. fails: the observed rounds that come to nothing. killed:
    the round whose service is killed at its memory limit, from 1.
    """

    run: Run
    rounds: AllRounds
    head: tuple[float, ...] = STEADY
    base: tuple[float, ...] = STEADY
    seen: dict[Side, int] = field(default_factory=lambda: {Side.HEAD: 2000, Side.BASE: 10})
    allocated: int = 10_000_000
    written: dict[str, object] = field(default_factory=dict)
    fails: tuple[int, ...] = ()
    made: dict[str, float] = field(default_factory=dict)
    ran: str = ""
    instruments: list[tuple[list[str], int | None]] = field(default_factory=list)
    searches: list[str] = field(default_factory=list)
    grown: float = 0.0
    no_agent: str = ""
    killed: int = -1

    def to_its_end(self) -> Script:
        figures = {Side.HEAD: iter(self.head), Side.BASE: iter(self.base)}
        while True:
            plan = self.rounds.current.plan
            if plan.role is Role.MEASURED:
                self.ran += plan.side.value[0]
                self.measure(next(figures[plan.side]))
            else:
                self.ran += plan.side.value[0].upper()
                self.observe()
            if not self.rounds.begin_round():
                return self

    @property
    def config(self) -> ServiceConfig:
        return parse_service(located({"binary": "/bin/api", **self.written}, Place("gomem.yaml")), "api", Path("/"))

    def observe(self) -> None:
        window = WindowPlan("api", self.config, (), window="test")
        found = self.rounds.current.plan.instruments(window)
        self.instruments.append(([one.name for one in found], at_launch(found).profile_rate))
        self.searches.append(self.rounds.search())
        if len(self.instruments) in self.fails:
            self.rounds.give_up(self.rounds.current.plan, "the service did not start")
            return
        self.measure(900 * MB, self.profiles(at_launch(found).profile_rate or GO_PROFILE_RATE))

    def profiles(self, rate: int) -> Profiles:
        profiles = Profiles(FakeProcess())
        for kind, count in ((OPENING, 1), (HEAP, self.seen[self.rounds.current.plan.side])):
            sampled = round(count * -math.expm1(-KIB / rate))
            profiles.add({kind: Captured(compressed(heap(retained(KIB, sampled, PARSE, HANDLE), rate=rate)))})
        return profiles

    def measure(self, live_heap: float, profiles: Profiles | None = None) -> None:
        process = AttachedProcess(None, None, None, 50.0, reset_peak=False, url=f"http://{len(self.ran)}")
        process.config, process.no_agent = self.config, self.no_agent
        service = Service(process, lambda: self.run.load_driver)
        service.name = "api"
        (gomem,) = self.rounds.current.gomems
        measurement = Measurement("test", service, REGISTRY, gomem.judging, self.run.settings.explanation)
        record = fake_window_record({"live_heap": live_heap, "peak_heap": live_heap, **self.made})
        record = replace(record, oom=KILL if len(self.ran) == self.killed else None)
        measurement.fill(
            {m.name: m.result for m in record.metrics}, record, profiles, self.allocated, round(self.grown)
        )
        gomem.measurements.append(measurement)

    def window(self) -> WindowRecord:
        (window,) = self.rounds.windows()
        return window


def observed(run, strategy=ONCE, marker=BROKEN, kept=None, gate=None, *, keeps=False, **script) -> Script:
    judging = replace(JUDGING, markers=(marker,))
    purpose = Purpose(strategy, gate or Gate(), keeps_profile=keeps)
    return Script(run, AllRounds(run, judging, strategy, kept, purpose=purpose), **script).to_its_end()


def named(window: WindowRecord) -> list[str]:
    return [culprit.function for culprit in window.culprits]


def test_a_passing_test_does_not_run_again(run):
    gate = Gate()
    assert observed(run, marker=budgets(live_heap="70MB"), gate=gate).ran == "h"
    assert gate.asked == []


def test_a_failed_budget_is_explained_by_one_more_round(run):
    """At the rate that its excess needs; what it measures enters no metric, and no budget judges it."""
    script = observed(run)
    assert script.ran == "hH"
    ((names, rate),) = script.instruments
    assert names == ["opening_profile", "kept_heap", "goroutines", "heap_dump"]
    assert rate == 900  # 1 MB x 0.0009
    assert script.searches == ["round 1 of 1, about 1 s"]
    assert script.rounds.count(Side.HEAD) == 1
    assert script.rounds.current.measurements()[0].record.verdicts == ()
    window = script.window()
    assert [metric.result.value for metric in window.metrics] == [60 * MB] * 2
    assert ([verdict.status for verdict in window.verdicts], named(window)) == ([Status.FAIL], ["main.parse"])
    assert window.diagnosis == DiagnosisRecord(1, rate, reproduced=True)


@pytest.mark.parametrize(("objects", "seconds"), [(1e6, 4), (100e3, 1)])
def test_the_seconds_of_a_round_count_its_samples(run, objects, seconds):
    """393 000 of 9 us each; an object is sampled once at most, however large it is."""
    made = {"total_alloc": 1e9, "allocs": objects}
    script = observed(run, marker=budgets(live_heap="59.9MB"), allocated=10**9, made=made)
    assert script.searches[0].endswith(f", about {seconds} s")


def test_a_comparison_with_a_base_side_is_explained_by_a_round_of_each(run_against):
    """After the measured ones, and as many as they are."""
    script = observed(run_against, TURNS, (), head=GROWN)
    assert script.ran == "hbbhhbbh" * 2 + "HB"
    assert script.searches == ["round 1 of 2, about 1 s", "round 2 of 2, about 1 s"]
    window = script.window()
    assert window.base is not None
    assert len(window.rounds) == len(window.base.rounds) == 8
    assert all(one["live_heap"] < 100 * MB for one in (*window.rounds, *window.base.rounds))
    assert window.diagnosis is not None
    assert (window.diagnosis.rounds, window.diagnosis.reproduced) == (1, False)  # 30 MB are worse, and 2 are seen


def test_a_kill_at_the_memory_limit_ends_the_comparison(run_against):
    """No other round would be like it; a further one shows who filled the memory."""
    script = observed(run_against, TURNS, (), killed=4)
    assert script.ran == "hbbh" + "H"
    assert script.instruments[0][0] == ["at_limit", "opening_profile"]
    window = script.window()
    assert ([verdict.kind for verdict in window.verdicts], named(window)) == (["oom"], ["main.parse"])
    assert (window.base, len(window.rounds)) == (None, 1)
    assert observed(run_against, TURNS, (), killed=4, gate=Gate("the diagnosis is off")).ran == "hbbh"


def test_a_broken_budget_of_a_compared_test_needs_the_head_alone(run_against):
    assert observed(run_against, TURNS).ran == "hbbhhb" + "H"


def test_a_baseline_is_no_side_to_run(run):
    script = observed(run, HeadAlone(as_needed()), (), Kept(STEADY), head=GROWN)
    assert script.ran == "h" * 8 + "H"


def test_what_one_round_leaves_uncertain_is_looked_at_in_two(run_against):
    """The samples of a service that allocates much would cost too much at the rate that is needed."""
    script = observed(run_against, TURNS, (), head=GROWN, allocated=50_000 * MOST_SAMPLES)
    assert script.ran == "hbbhhbbh" * 2 + "HBHB"
    script = observed(run_against, TURNS, budgets(live_heap="59.9MB"), allocated=10_000 * MOST_SAMPLES)
    assert script.ran == "hbbhhb" + "HH"
    assert {rate for _, rate in script.instruments} == {10_000}
    assert script.window().diagnosis == DiagnosisRecord(2, 10_000, reproduced=True)


@pytest.mark.parametrize(
    ("broken", "written", "is_watched"),
    [("live_heap", {}, False), ("peak_heap", {}, True), ("live_heap", {"peak_profile": True}, True)],
)
def test_the_peak_is_watched_where_it_explains_something_or_is_asked_for(run, broken, written, is_watched):
    script = observed(run, marker=budgets(**{broken: "59MB"}), written=written)
    assert ("peak_profile" in script.instruments[0][0]) == is_watched


def test_the_rate_of_gomem_yaml_is_used_instead(run):
    assert observed(run, written={"profile_rate": 65536}).instruments[0][1] == 65536


def test_a_test_that_is_not_diagnosed_says_why(run):
    """It is asked once, with the seconds of a round; nobody is named."""
    gate = Gate("the diagnosis is off")
    script = observed(run, gate=gate)
    assert script.ran == "h"
    assert len(gate.asked) == 1
    window = script.window()
    assert window.culprit_summaries == {"live_heap": "nobody can be named: the diagnosis is off"}
    assert window.diagnosis == DiagnosisRecord(0, notes=("the diagnosis is off",))


def test_services_that_nobody_can_profile_need_no_round_and_say_why(run):
    """Each for itself."""
    gate, judging = Gate(), replace(JUDGING, markers=(BROKEN,))
    script = Script(run, AllRounds(run, judging, ONCE, None, purpose=Purpose(ONCE, gate)))
    reasons = ["no pprof at port 1", "no pprof at port 2"]
    for why in reasons:
        script.measure(60 * MB)
        script.rounds.last_of_head[-1].unseen = why
    assert not script.rounds.begin_round()
    assert gate.asked == []
    found = [window.culprit_summaries["live_heap"] for window in script.rounds.windows()]
    assert found == [f"nobody can be named: {why}" for why in reasons]


def test_what_no_profile_explains_needs_no_round(run):
    gate = Gate()
    script = observed(run, marker=budgets(throughput={"min": 5}), gate=gate)
    assert (script.ran, gate.asked) == ("h", [])
    assert script.window().diagnosis is None


def test_a_round_that_comes_to_nothing_is_a_note(run):
    """It is not run again, and changes no verdict."""
    script = observed(run, fails=(1,))
    assert script.ran == "hH"
    window = script.window()
    why = "an observed round came to nothing: the service did not start"
    assert window.culprit_summaries == {"live_heap": f"nobody can be named: {why}"}
    assert window.diagnosis == DiagnosisRecord(0, notes=(why,))
    assert [verdict.status for verdict in window.verdicts] == [Status.FAIL]


def test_a_base_side_that_comes_to_nothing_is_why_nobody_is_named(run_against):
    script = observed(run_against, TURNS, (), head=GROWN, fails=(2,))
    assert script.ran.endswith("HB")
    window = script.window()
    why = "an observed round came to nothing: on the base side: the service did not start"
    assert window.culprit_summaries == {"live_heap": f"nobody can be named: {why}"}
    assert window.diagnosis == DiagnosisRecord(1, 27_000, notes=(why,))


def test_a_window_that_is_not_opened_again_says_so(run):
    judging = replace(JUDGING, markers=(BROKEN,))
    script = Script(run, AllRounds(run, judging, ONCE, None, purpose=Purpose(ONCE, Gate())))
    script.measure(60 * MB)
    assert script.rounds.begin_round()
    assert not script.rounds.begin_round()
    why = "no observed round has opened this window again"
    assert script.window().culprit_summaries == {"live_heap": f"nobody can be named: {why}"}


def test_fixtures_that_fail_afterwards_spoil_their_own_round_alone(run):
    """They are torn down when the next one has begun."""
    judging = replace(JUDGING, markers=(budgets(live_heap="59.9MB"),))
    rounds = AllRounds(run, judging, ONCE, None, purpose=Purpose(ONCE, Gate()))
    script = Script(run, rounds, allocated=10_000 * MOST_SAMPLES)
    script.measure(60 * MB)
    rounds.begin_round()
    first = rounds.current
    script.observe()
    rounds.begin_round()
    rounds.give_up(first.plan, "its fixture failed")
    assert (len(first.troubles), rounds.current.troubles) == (1, [])
    script.observe()
    assert named(script.window()) == ["main.parse"]


def test_one_of_two_rounds_may_come_to_nothing(run):
    script = observed(run, marker=budgets(live_heap="59.9MB"), allocated=10_000 * MOST_SAMPLES, fails=(1,))
    assert script.ran == "hHH"
    window = script.window()
    assert named(window) == ["main.parse"]
    why = "an observed round came to nothing: the service did not start"
    assert window.diagnosis == DiagnosisRecord(1, 10_000, reproduced=True, notes=(why,))


def test_a_base_side_that_is_lost_is_not_observed(run_against):
    judging = replace(JUDGING, markers=(BROKEN,))
    rounds = AllRounds(run_against, judging, TURNS, None, purpose=Purpose(TURNS, Gate()))
    rounds.give_up(replace(rounds.current.plan, side=Side.BASE), "the old binary does not start")
    assert Script(run_against, rounds).to_its_end().ran == "h" * 3 + "H"


def test_after_a_failed_check_no_measured_round_begins(run):
    """The search for the cause does."""
    judging = replace(JUDGING, markers=(BROKEN,))
    rounds = AllRounds(run, judging, HeadAlone(Looks(5)), None, purpose=Purpose(HeadAlone(Looks(5)), Gate()))
    Script(run, rounds).measure(60 * MB)
    rounds.end_measuring()
    assert rounds.begin_round()
    assert rounds.current.plan.role is Role.OBSERVED
    rounds.end_observing()
    assert not rounds.begin_round()


def test_a_dump_is_taken_of_the_window_that_holds_too_much(run):
    """Once, in the last round; the limits are those of its service. What allocates too much needs none."""
    script = observed(run, marker=budgets(live_heap="59.9MB"), allocated=10_000 * MOST_SAMPLES)
    assert [names.count("heap_dump") for names, _ in script.instruments] == [0, 1]
    other = WindowPlan("api", script.config, (), window="other")
    assert "heap_dump" not in [one.name for one in script.rounds.current.plan.instruments(other)]
    script = observed(run, marker=budgets(peak_heap="59MB"))
    assert [names.count("heap_dump") for names, _ in script.instruments] == [0]


def test_what_a_window_held_before_is_no_suspect(run, run_against):
    """If the live heap grew by what breaks a limit, two dumps tell who holds what has come; both in a second round."""
    for grown, growth, rounds in ((0.5 * MB, HeapGrowth, 2), (0.1 * MB, HeapDump, 1), (0, HeapDump, 1)):
        script = observed(run, grown=grown)
        (plan,) = script.rounds._observation.dumps.values()
        assert (plan, script.ran) == (growth, "h" + "H" * rounds)
    assert observed(run, grown=60 * MB, no_agent="the binary is prebuilt").ran == "hH", "there will be no dump"
    script = observed(run_against, TURNS, (), head=GROWN, grown=60 * MB)
    assert set(script.rounds._observation.dumps.values()) == {HeapDump}


def test_both_sides_of_a_comparison_are_dumped(run_against):
    script = observed(run_against, TURNS, (), head=GROWN)
    assert script.ran.endswith("HB")
    assert [names.count("heap_dump") for names, _ in script.instruments] == [1, 1]


def test_the_seconds_of_a_round_count_its_dump(run):
    """2 us for an object."""
    script = observed(run, made={"heap_objects": 3e6})
    assert script.searches[0].endswith(", about 6 s")


def test_what_a_dump_says_is_of_the_window(run):
    """Holders, the largest types and the reason, if there is one; it changes no verdict."""
    judging = replace(JUDGING, markers=(BROKEN,))
    script = Script(run, AllRounds(run, judging, ONCE, None, purpose=Purpose(ONCE, Gate())))
    script.measure(60 * MB)
    script.rounds.begin_round()
    script.observe()
    script.rounds.current.measurements()[0].retention = Unavailable("a heap dump would take 3 GB")
    window = script.window()
    assert (window.holders, window.retention_note) == ((), "a heap dump would take 3 GB")
    assert named(window) == ["main.parse"]


def test_what_no_dump_shows_a_holder_of_is_looked_for_in_one_more_round(run):
    """Its services die of what is found, which is no trouble; it is no evidence of anything else."""
    judging = replace(JUDGING, markers=(BROKEN,))
    script = Script(run, AllRounds(run, judging, ONCE, None, purpose=Purpose(ONCE, Gate())))
    script.measure(60 * MB)
    script.rounds.begin_round()
    script.observe()
    script.rounds.current.measurements()[0].retention = replace(UNHELD, live_bytes=60 * MB)
    assert script.rounds.begin_round()
    plan = script.rounds.current.plan
    (check,) = plan.instruments(WindowPlan("api", script.config, ()))
    assert at_launch([check]).gc.godebug == {"checkfinalizers": "1"}
    assert script.rounds.search() == "finalizers and cleanups, about 1 s"
    script.rounds.give_up(plan, "the service died")
    assert not script.rounds.begin_round()
    window = script.window()
    assert (named(window), window.diagnosis.rounds) == (["main.parse"], 1)
    assert window.diagnosis.notes == ("an observed round came to nothing: the service died",)
    assert window.notes[-1].startswith("no holder in the dump: ")
    script.rounds._ran.check.self_held.append(CLEANUP)
    assert script.window().holders[0].root.startswith("cleanup main.open.func1 of main.file")


def test_a_baseline_gets_its_profile_from_one_round(run):
    """As fine as its samples may cost, also of the peak; it looks for no cause."""
    script = observed(run, HeadAlone(Looks(3)), (), keeps=True, allocated=100 * MOST_SAMPLES)
    assert script.ran == "hhhH"
    assert script.instruments == [(["peak_profile", "opening_profile", "kept_heap", "goroutines"], 100)]
    assert script.searches == [""]
    assert script.window().diagnosis is None


def test_a_budget_on_functions_has_a_round_of_its_own(run):
    """A green test pays for it; one is enough for a limit."""
    limit = budgets(inuse_space={"main.parse": "9MB"})
    script = observed(run, HeadAlone(Looks(3)), limit)
    assert script.ran == "hhhH"
    assert script.instruments[0][1] == rate_for(limit)
    assert script.searches == [""]
    window = script.window()
    assert [verdict.status for verdict in window.verdicts] == [Status.PASS]
    assert [value.function for value in window.functions] == ["main.parse"]
    assert [sorted(one) for one in window.rounds] == [["live_heap", "peak_heap"]] * 3
    assert [sorted(one) for one in window.observed_rounds] == [
        ["inuse_space[main.parse]", "inuse_space[main.parse] interval"]
    ]
    assert window.diagnosis is None


def test_a_broken_budget_on_functions_is_explained_by_that_round(run):
    script = observed(run, marker=budgets(inuse_space={"main.parse": "1MB"}))
    assert script.ran == "hH"
    window = script.window()
    assert ([verdict.status for verdict in window.verdicts], named(window)) == ([Status.FAIL], ["main.parse"])


def test_functions_are_compared_by_observed_rounds_of_both_sides(run_against):
    """As many as their interval needs; their figures are in no measured round."""
    limit = budgets(inuse_space={"main.parse": {"regression": "5%"}})
    script = observed(run_against, TURNS, limit)
    assert script.ran.startswith("hbbhhb" + "HBBH")
    window = script.window()
    assert window.base is not None
    assert len(window.observed_rounds) == len(window.base.observed_rounds) == script.ran.count("H")
    (verdict,) = [one for one in window.verdicts if one.budget.function]
    assert verdict.status is Status.FAIL
    assert named(window) == ["main.parse"]


@dataclass(frozen=True)
class KeptFunctions(Kept):
    """With what main.parse held in rounds that had its figure."""

    held: float = 0.0

    def find(self, nodeid: str, key: object, window: WindowRecord) -> Base | None:
        base = super().find(nodeid, key, window)
        assert base is not None
        figures = ({"inuse_space[main.parse]": self.held, "inuse_space[main.parse] interval": 0.0},) * 3
        return replace(base, record=replace(base.record, observed_rounds=figures))


@pytest.mark.parametrize(("held", "outcome"), [(1000 * KIB, Status.FAIL), (2000 * KIB, Status.PASS)])
def test_functions_of_a_test_that_must_not_run_again_are_compared_by_its_own_rounds(run, held, outcome):
    """They have the figures; no other metric is judged twice."""
    limit = budgets(inuse_space={"main.parse": {"regression": "5%"}})
    judging = replace(JUDGING, markers=(limit,), takes_profiles=True)
    rounds = AllRounds(run, judging, HeadAlone(Looks(8)), KeptFunctions(STEADY, held=held))
    script = Script(run, rounds)
    for value in STEADY:
        script.measure(value, script.profiles(1))
        rounds.begin_round()
    compared = {verdict.budget.metric: verdict.status for verdict in script.window().verdicts}
    assert compared == {"inuse_space": outcome, "live_heap": Status.PASS}
    assert len(script.window().verdicts) == 2


def test_a_process_that_outlives_the_round_is_not_disturbed(run):
    """Tests share it, or it was attached: what observes it would stay in it."""
    script = observed(run)
    window = WindowPlan("api", script.config, (), outlives_round=True)
    assert script.rounds.current.plan.instruments(window) == ()


def test_without_an_observed_round_a_budget_on_functions_has_no_figure(run):
    script = observed(run, marker=budgets(inuse_space={"main.parse": "9MB"}), fails=(1,))
    (verdict,) = script.window().verdicts
    assert verdict.status is Status.UNAVAILABLE
    assert "an observed round came to nothing: the service did not start" in verdict.reason


# Execution traces


def traced(run, base=None, **script):
    """A test whose pauses are too long."""
    made = {"gc_pause_max": 0.02, "total_alloc": 1e6, **script.pop("made", {})}
    return observed(run, *([] if base is None else [TURNS]), marker=budgets(gc_pause_max="1ms"), made=made, **script)


def test_a_long_pause_is_traced_alone(run):
    """A pause that more allocation does not explain needs no heap profile."""
    script = traced(run, allocated=0, made={"total_alloc": 0.0})
    assert script.ran == "hH"
    assert [names for names, _ in script.instruments] == [["execution_trace", "execution_trace"]]
    assert script.searches == ["round 1 of 1, about 1 s"]


def test_profiles_and_a_trace_are_of_two_rounds(run):
    """Never of one; and a second round of profiles gives way to the trace."""
    script = traced(run)
    assert script.ran == "hHH"
    assert [("execution_trace" in names, "kept_heap" in names) for names, _ in script.instruments] == [
        (False, True),
        (True, False),
    ]
    assert traced(run, allocated=50_000 * MOST_SAMPLES).ran == "hHH"
    marker = budgets(live_heap="59MB", gc_pause_max="1ms")
    grown = observed(run, marker=marker, made={"gc_pause_max": 0.02}, grown=0.5 * MB)
    assert grown.ran == "hHH"
    assert set(grown.rounds._observation.dumps.values()) == {HeapDump}


def test_no_trace_without_the_agent(run):
    """The failure says why."""
    script = traced(run, allocated=0, made={"total_alloc": 0.0}, no_agent="the binary is prebuilt")
    assert script.ran == "h"
    assert (
        "an execution trace would tell, and it needs the agent: the binary is prebuilt"
        in (script.window().culprit_summaries["gc_pause_max"])
    )


def test_what_a_trace_says_is_of_the_window(run):
    judging = replace(JUDGING, markers=(budgets(gc_pause_max="1ms"),))
    script = Script(run, AllRounds(run, judging, ONCE, None, purpose=Purpose(ONCE, Gate())))
    script.made, script.allocated = {"gc_pause_max": 0.02}, 0
    script.measure(60 * MB)
    assert script.rounds.begin_round()
    assert script.rounds.current.plan.takes_trace
    script.measure(60 * MB)
    script.rounds.current.measurements()[0].trace = TraceFound(REPORT)
    window = script.window()
    assert window.trace.assist_count == REPORT.assist_count
    assert window.diagnosis == DiagnosisRecord(1, None, reproduced=False)  # its longest stop is 2 ms of 20
