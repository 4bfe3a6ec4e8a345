"""A search for settings from its first run to its answer, over a service that is made up."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field, replace

import pytest

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.commands.live_progress import Progress
from pytest_gomem.commands.tuning import Tuning
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.tune.answer import answer_lines, answer_to_dict, to_go
from pytest_gomem.tune.records import Answer, Bound, Ended, Find, Question, RunResult, Setting
from pytest_gomem.tune.state import Asked, State, read_state, write_state

MIB = 1 << 20
UNITS = {metric.name: metric.unit.name for metric in Registry(builtin_metrics())}
NODEID = "tests/test_mem.py::test_upload"
LIVE, ALLOCATED, OUTSIDE, TOP = 60 * MIB, 4000 * MIB, 20 * MIB, 150 * MIB


@dataclass
class FakeRuns:
    """A service whose CPU per op is linear in its GC cycles; a second of each run."""

    stop_at: int = 0
    asked: list[Setting] = field(default_factory=list)

    def run(self, setting: Setting, good_seconds: float = 0.0) -> RunResult:
        if self.stop_at and len(self.asked) + 1 == self.stop_at:
            raise KeyboardInterrupt
        self.asked.append(setting)
        limit = setting.memory_limit if isinstance(setting.memory_limit, int) else 1 << 40
        wanted = setting.gomemlimit if isinstance(setting.gomemlimit, int) else TOP
        if limit < LIVE + OUTSIDE:
            return RunResult(setting, Ended.KILLED, why="killed at the memory limit", seconds=1.0)
        if wanted < LIVE + OUTSIDE + 4 * MIB:
            return RunResult(setting, Ended.THRASHING, why="death spiral", seconds=1.0)
        peak = min(wanted, TOP if setting.gogc != "off" else 1 << 40, limit)
        cycles = round(ALLOCATED / (peak - LIVE - OUTSIDE))
        figures = {"gc_cycles": cycles, "cpu_per_op": 200e-6 + 2e-7 * cycles, "peak_rss": peak, "live_heap": LIVE}
        return RunResult(setting, Ended.OK, figures, seconds=1.0, missing={"latency_p99": "there was no load"})


def tuning(runs: FakeRuns, question: Question, *, kept: list[State] | None = None, results=(), stream=None) -> Tuning:
    state = State(Asked(NODEID, question), "source", tuple(results))
    save = (kept if kept is not None else []).append
    return Tuning(state, runs, UNITS, Progress(stream or io.StringIO()), save)


LIMIT = Question(Find.LIMIT, bounds=(Bound("cpu_per_op", 1.25, relative=True, written="cpu_per_op<=1.25x"),))


@pytest.fixture(scope="module")
def found() -> tuple[Answer, State, str]:
    """A whole search: its answer, what was kept, and what the progress told."""
    stream, kept = io.StringIO(), list[State]()
    search = tuning(FakeRuns(), LIMIT, kept=kept, stream=stream)
    answer = search.run()
    assert [len(state.results) for state in kept] == list(range(1, len(search.state.results) + 1))
    return answer, search.state, stream.getvalue()


def test_finds_the_smallest_limit_and_says_how_to_write_it(found):
    """With the three lines, the table, the curve, and lines to paste."""
    answer, state, told = found
    limit = answer.setting.memory_limit
    assert 95 * MIB < limit < TOP
    assert 70 * MIB < answer.killed_below <= answer.thrashing_below <= answer.comfortable_above <= limit + 8 * MIB
    text = "\n".join(answer_lines(answer, state, "api", UNITS, 100))
    size = f"{limit // MIB}MiB"
    for expected in (
        "the smallest memory limit that keeps cpu_per_op<=1.25x",
        f"api: memory_limit={size} GOMEMLIMIT=",
        f"    memory_limit: {size}",
        f"limits: {{memory: {limit // MIB}Mi}}",
        "killed below       ",
        "comfortable above  ",
        "with memory to spare",
        "CPU per op",
        f"{len(state.results)} runs, {len(state.results)} s",
    ):
        assert expected in text, expected
    assert max(map(len, text.splitlines())) <= 100
    counted = [line.partition(":")[0] for line in told.splitlines()]
    assert counted[:4] == [f"run {number} of about 32" for number in (1, 2, 3, 4)]
    assert "without limits: gc_cycles" in told
    assert ": killed at the memory limit, 1 s" in told


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_the_best_so_far_and_the_expected_end(monkeypatch):
    """Below the lines that stay."""
    monkeypatch.setenv("COLUMNS", "200")
    stream = Terminal()
    tuning(FakeRuns(), replace(LIMIT, budget_seconds=12.0), stream=stream).run()
    assert (
        "[--------------------] run 1, with memory to spare: without limits, 0 s, about 12 s to go" in stream.getvalue()
    )
    assert ", best so far memory_limit=" in stream.getvalue()


def test_goes_on_where_it_was_stopped(tmp_path, found):
    """Each run is kept; the rest is measured as if nothing had happened."""
    file, kept, runs = tmp_path / "state.json", [], FakeRuns(stop_at=6)
    with pytest.raises(KeyboardInterrupt):
        tuning(runs, LIMIT, kept=kept).run()
    assert len(kept) == 5
    write_state(file, kept[-1])
    state = read_state(file)
    assert state == kept[-1]
    rest = FakeRuns()
    assert tuning(rest, LIMIT, results=state.results).run() == found[0]
    assert len(rest.asked) == len(found[1].results) - 5


def test_a_budget_ends_with_what_is_known():
    """No run is begun that would end after it."""
    search = tuning(FakeRuns(), replace(LIMIT, budget_seconds=6.0))
    answer = search.run()
    assert len(search.state.results) <= 6
    assert "budget of 6 s" in answer.reason


@pytest.mark.parametrize(
    ("budget", "runs", "left", "seconds"),
    [(None, 0, 9, None), (None, 2, 9, 18), (None, 2, 0, None), (10, 0, 9, 10), (10, 4, 9, 2), (5, 4, 9, 0)],
)
def test_the_expected_end(budget, runs, left, seconds):
    """As long as the runs so far, and no longer than the budget."""
    results = tuple(RunResult(Setting(), Ended.OK, seconds=2.0) for _ in range(runs))
    assert to_go(replace(LIMIT, budget_seconds=budget), results, left) == seconds


def test_too_few_cycles_are_no_answer():
    """With what to do about it."""

    class Idle(FakeRuns):
        def run(self, setting: Setting, good_seconds: float = 0.0) -> RunResult:
            done = super().run(setting)
            return replace(done, figures={**done.figures, "gc_cycles": 4})

    answer = tuning(Idle(), LIMIT).run()
    assert answer.setting is None
    assert "4 GC cycles, too few" in answer.reason


def test_the_answer_as_data(found):
    """All of it is JSON, with each run and the units of its figures."""
    data = answer_to_dict(found[0], found[1], "api", UNITS)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert (data["found"], data["find"], data["service"], data["limit"]) == (True, "limit", "api", None)
    assert data["paste"]["environment"].startswith("GOMEMLIMIT=")
    assert data["units"]["cpu_per_op"] == "seconds/op"
    assert {"ok", "killed"} <= {run["ended"] for run in data["runs"]}
    assert data["runs"][0]["missing"] == {"latency_p99": "there was no load"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1, "asked": {}}', '{"version": 7}'])
def test_a_damaged_state_is_refused(tmp_path, text):
    """With what to do; a missing one is none."""
    file = tmp_path / "state.json"
    assert read_state(file) is None
    file.write_text(text)
    with pytest.raises(ConfigError, match="does not hold the state of a search for settings"):
        read_state(file)


def test_no_answer_says_why():
    """Without anything to paste, and without a curve of no points."""
    answer = Answer(None, "the test does not pass with memory to spare: it is skipped")
    text = "\n".join(answer_lines(answer, State(Asked(NODEID, LIMIT), ""), "", UNITS, 80))
    assert "does not pass with memory to spare" in text
    assert "environment" not in text
    assert text.endswith("0 runs, 0 s")
