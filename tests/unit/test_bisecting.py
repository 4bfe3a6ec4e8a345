"""A bisection from its ends to its answer, over commits whose figures are made up."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass, field, replace

import pytest

from pytest_gomem.base.errors import ConfigError, GomemError
from pytest_gomem.bisect.answer import Answer, answer_lines, answer_to_dict
from pytest_gomem.bisect.likeness import Kind
from pytest_gomem.bisect.measured import measured_in
from pytest_gomem.bisect.state import Asked, State, Step, read_state, write_state
from pytest_gomem.commands.bisecting import Bisection
from pytest_gomem.commands.live_progress import Progress, bar
from pytest_gomem.git.commits import Commit
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.testing import fake_window_record

BASE = 20e6
STEP = 400e3
NODEID = "test_it.py::test_work"
REGISTRY = Registry(builtin_metrics())


@dataclass
class FakeRuns:
    """Measures made-up commits, "c1" to "cN" after "c0": levels by number, or the reason why there are none.

    noisy: those that keep up to 3% more by chance.
    """

    levels: list[float | str]
    noisy: frozenset[int] = frozenset()
    stop_at: str = ""
    fails: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    drawn: random.Random = field(default_factory=lambda: random.Random(7))

    def measured(self, good: str, other: str, rounds: int):
        if other == self.stop_at:
            raise KeyboardInterrupt
        self.asked.append((good, other))
        return measured_in(self.record(good, other, rounds))

    def explained(self, parent: str, commit: str, metric: str) -> TestRecord:
        assert metric == "live_heap"
        if self.fails:
            raise GomemError(self.fails)
        self.asked.append((parent, commit))
        return self.record(commit, parent, 3)

    def record(self, head: str, base: str, rounds: int) -> TestRecord:
        lost = self.levels[int(base[1:])]
        other = None if isinstance(lost, str) else self.window(base, rounds)
        window = replace(self.window(head, rounds), base=other, no_base=lost if isinstance(lost, str) else "")
        return TestRecord(NODEID, "passed", (window,))

    def window(self, name: str, rounds: int):
        found = [{"live_heap": self.value(int(name[1:])), "goroutines": 4.0} for _ in range(rounds)]
        return fake_window_record({"live_heap": found[0]["live_heap"], "goroutines": 4.0}, rounds=tuple(found))

    def value(self, at: int) -> float:
        level = self.levels[at]
        assert isinstance(level, float | int)
        return BASE + level + self.drawn.gauss(0, 4e3) + (self.drawn.uniform(0, 600e3) if at in self.noisy else 0.0)


def commits(count: int) -> dict[str, Commit]:
    return {f"c{at}": Commit(f"c{at}", (f"c{at - 1}",), f"change {at}", "A", "2026-11-02") for at in range(1, count)}


def bisection(runs: FakeRuns, state: State | None = None, kept: list[State] | None = None, **asked) -> Bisection:
    every = commits(len(runs.levels))
    state = state or State(Asked("c0", list(every)[-1], "test_work", **asked))
    save = (kept if kept is not None else []).append
    return Bisection(state, every, runs, REGISTRY, Progress(io.StringIO()), save)


def lines(answer: Answer, count: int) -> list[str]:
    return list(answer_lines(answer, commits(count), REGISTRY, NODEID, 100))


def at(culprit: int, count: int = 41) -> list[float | str]:
    return [0.0 if number < culprit else STEP for number in range(count)]


@pytest.mark.parametrize("culprit", [1, 2, 13, 20, 39, 40])
def test_finds_the_commit(culprit):
    """Of 40, in some log2(40) steps; the answer is confirmed against its parent."""
    runs = FakeRuns(at(culprit))
    answer = bisection(runs).run()
    assert answer.confirmed.commit.hash == f"c{culprit}"
    assert answer.confirmed.after - answer.confirmed.before == pytest.approx(STEP, abs=2e4)
    assert len(answer.state.steps) <= 6
    assert runs.asked[0] == ("c0", "c40")
    assert runs.asked[-1] == (f"c{culprit - 1}", f"c{culprit}")
    found = answer_to_dict(answer, commits(41), REGISTRY, NODEID)
    assert (found["found"], found["metric"], found["commit"]["hash"]) == (True, "live_heap", f"c{culprit}")
    assert [step["kind"] for step in found["steps"]].count("lost") == 0


@pytest.mark.parametrize("seed", range(20))
def test_noisy_and_broken_commits_mislead_nobody(seed):
    """Two that do not build and one that scatters, anywhere but just before the culprit."""
    drawn = random.Random(seed)
    culprit = drawn.randint(2, 39)
    first, second, noisy = drawn.sample([n for n in range(1, 40) if n not in (culprit, culprit - 1)], 3)
    levels = at(culprit)
    levels[first] = levels[second] = "on the base side: building service 'api at c3' failed: ./main.go:3: no such thing"
    runs = FakeRuns(levels, frozenset([noisy]), drawn=drawn)
    answer = bisection(runs).run()
    assert answer.confirmed is not None
    assert answer.confirmed.commit.hash == f"c{culprit}"
    skipped = {step.commit for step in answer.state.steps if step.kind in (Kind.LOST, Kind.UNCLEAR)}
    assert skipped <= {f"c{first}", f"c{second}", f"c{noisy}"}


def test_skipped_commits_beside_the_answer_are_all_named():
    """Each with its reason; nothing is guessed."""
    levels = at(4, 9)
    levels[3] = "on the base side: building service 'api at c3' failed: ./main.go:3:1: undefined: x"
    levels[2] = "on the base side: the service did not become ready"
    answer = bisection(FakeRuns(levels)).run()
    assert answer.confirmed is None
    assert [one.hash for one in answer.candidates] == ["c2", "c3", "c4"]
    shown = lines(answer, 9)
    assert shown[0] == "it is one of 3 commits: others of them could not be judged"
    assert shown[1].startswith("  c4 change 4: bad, live_heap +")
    assert shown[2] == "  c3 change 3: skipped: it does not build: ./main.go:3:1: undefined: x"
    assert shown[3] == "  c2 change 2: skipped: the service did not become ready"


def test_of_two_changes_the_larger_one_is_named():
    """And that it is not all of the change."""
    for levels, named in (
        ([0.0] * 5 + [120e3] * 8 + [400e3] * 8, "c13"),
        ([0.0] * 5 + [180e3] * 5 + [240e3] * 5 + [400e3] * 6, "c5"),  # though another one crosses the middle
    ):
        answer = bisection(FakeRuns(levels)).run()
        assert answer.confirmed.commit.hash == named
        assert any("of the change between the ends" in line for line in lines(answer, 21))


def test_an_answer_survives_a_comparison_that_fails():
    """The steps have found it; its figures are theirs, and the reason is told."""
    answer = bisection(FakeRuns(at(13), fails="the test fails on c13:\n  more")).run()
    assert answer.confirmed.commit.hash == "c13"
    assert answer.confirmed.after - answer.confirmed.before == pytest.approx(STEP, abs=2e4)
    assert "  it was not compared with its parent: the test fails on c13: more" in lines(answer, 41)


def test_a_commit_without_a_parent_can_be_the_answer():
    """The first one of a history that was merged."""
    search = bisection(FakeRuns(at(1, 2)))
    search.commits["c1"] = replace(search.commits["c1"], parents=())
    answer = search.run()
    assert answer.confirmed.commit.hash == "c1"
    assert "  it was not compared with its parent: it has no parent" in lines(answer, 2)


def test_equal_ends_stop_at_once():
    """With what could have been seen; no commit between them is measured."""
    runs = FakeRuns([0.0] * 20)
    answer = bisection(runs).run()
    assert answer.state.ends is None
    assert set(runs.asked) == {("c0", "c19")}
    shown = " ".join(" ".join(lines(answer, 20)).split())
    assert "nothing is certainly worse at c19" in shown
    assert "live_heap 20.0 MB -> 20.0 MB" in shown
    assert "would be seen" in shown
    found = answer_to_dict(answer, commits(20), REGISTRY, NODEID)
    assert (found["found"], found["reason"]) == (False, "the two ends do not differ")
    heap = found["comparisons"][0]
    assert (heap["metric"], heap["unit"], 0 < heap["would_see"] < STEP) == ("live_heap", "bytes", True)


def test_an_end_that_scatters_is_no_end():
    """What one cannot tell from the good end cannot be searched for."""
    for level in (0.0, 60e3):  # the decision alone would see a worsening in the second one
        runs = FakeRuns([0.0] * 19 + [level], frozenset([19]))
        assert bisection(runs).run().state.ends is None
        assert len(runs.asked) == 3  # 9 rounds of each
    runs = FakeRuns([0.0] * 19 + [60e3], frozenset([19]))
    assert bisection(runs, rounds=5).run().state.ends is None
    assert len(runs.asked) == 1


def test_a_bad_end_that_does_not_build_is_an_error():
    """There is nothing to search for then."""
    with pytest.raises(GomemError, match="the bad end c5 cannot be measured: it does not build: x"):
        bisection(FakeRuns([0.0] * 5 + ["on the base side: building service 'api at c5' failed: x"])).run()


def test_a_metric_that_nothing_measures_is_an_error():
    """With the reason why there is no figure of it."""
    with pytest.raises(GomemError, match="latency_p99 cannot be compared: latency_p99 was not measured in every round"):
        bisection(FakeRuns(at(3)), metric="latency_p99").run()


def test_a_wrong_step_is_found_out_and_left_out():
    """A commit that scatters was taken for a bad one: its parent does not differ from it so, and the search goes on."""
    runs = FakeRuns(at(30), frozenset([20]))
    first = bisection(runs)
    first._measure_ends()
    wrong = first.state.with_step(Step("c20", Kind.BAD, STEP, rounds=3))
    answer = bisection(runs, wrong).run()
    assert answer.confirmed.commit.hash == "c30"
    assert next(step for step in answer.state.steps if step.commit == "c20").kind is Kind.UNCLEAR


def test_what_was_stopped_goes_on(tmp_path):
    """Each step is kept; the rest is measured as if nothing had been."""
    file, kept = tmp_path / "state.json", []
    with pytest.raises(KeyboardInterrupt):
        bisection(FakeRuns(at(13), stop_at="c10"), kept=kept, rounds=6).run()
    write_state(file, kept[-1])
    state = read_state(file)
    assert state == kept[-1]
    assert [step.commit for step in state.steps] == ["c20"]
    runs = FakeRuns(at(13))
    answer = bisection(runs, state).run()
    assert answer.confirmed.commit.hash == "c13"
    assert not {("c0", "c40"), ("c0", "c20")} & set(runs.asked)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "asked": {}, "ends": null}', "\xff"]
)
def test_a_damaged_state_is_refused(tmp_path, text):
    """With what to do; a missing one is none."""
    file = tmp_path / "state.json"
    assert read_state(file) is None
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match="start anew: leave out --resume"):
        read_state(file)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_lives_in_a_terminal_alone():
    """Elsewhere a line is a line; in a terminal the bar is gone before the line comes."""
    for stream, expected in ((io.StringIO(), "told\n"), (Terminal(), "\r\x1b[Ktold\n")):
        progress = Progress(stream)
        with progress.during("step 1 of about 4: c9 \x1b[2J", 1, 3):
            pass
        before = stream.getvalue()
        assert ("[#####---------------] step 1 of about 4: c9 \\x1b[2J" in before) is stream.isatty()
        progress.line("told")
        assert stream.getvalue().endswith(expected)
    assert bar(0, 0) == f"[{'-' * 20}]"
