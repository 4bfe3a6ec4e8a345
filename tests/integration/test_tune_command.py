"""`gomem tune` from its words to its exit: what it refuses, keeps and resumes, and real runs of a real service."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_gomem.base.errors import GomemError
from pytest_gomem.base.kept_state import state_file
from pytest_gomem.base.locks import locked_file
from pytest_gomem.commands import cli, tune
from pytest_gomem.commands.one_test import FoundTest
from pytest_gomem.commands.tune_runs import SettingRuns
from pytest_gomem.tune.records import Answer, Ended, Find, Plan, Question, Row, RunResult, Setting
from pytest_gomem.tune.state import Asked, read_state, write_state
from pytest_gomem.tune.subject import Subject

MIB = 1 << 20
LIMITED = Setting(100, 60 * MIB, 64 * MIB)
FIGURES = {"gc_cycles": 40.0, "cpu_per_op": 1e-3, "peak_rss": 50e6}


def gomem(*args: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    status = cli.main(["tune", *args], out, err)
    return status, out.getvalue(), err.getvalue()


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty project with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def kept(folder) -> Path:
    """The file of its state."""
    return state_file("tune", "project", folder)


@pytest.fixture
def faked(folder, monkeypatch):
    """A test that runs in no time: t.py::test_work of api; its search does two runs."""

    def step(question: Question, results) -> Plan | Answer:
        if len(results) < 2:
            return Plan((LIMITED,), "a look", left=2 - len(results), best=LIMITED)
        row = Row(LIMITED, 2, figures=FIGURES)
        return Answer(LIMITED, "it is the only one", (row,), needs_rounds=3 if question.budget_seconds else 0)

    monkeypatch.setattr(
        tune, "_found", lambda asked: (FoundTest("t.py::test_work", "t.py"), Subject("t.py::test_work", "api", 50))
    )
    monkeypatch.setattr(tune, "memory_limit_words", lambda: "cgroup v2")
    monkeypatch.setattr("pytest_gomem.commands.tuning.next_step", step)
    monkeypatch.setattr("pytest_gomem.commands.tuning.answer_so_far", lambda *_: Answer(LIMITED, "you stopped it"))
    monkeypatch.setattr(SettingRuns, "run", lambda *_: RunResult(LIMITED, Ended.OK, FIGURES, seconds=1.0))


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "no test is named"),
        (["test_work"], "it is not said what to find"),
        (["test_work", "--limit", "300MiB", "--find", "limit"], "not allowed with"),
        (["test_work", "--limit", "1MiB"], "at least 4MiB"),
        (["test_work", "--find", "limit", "--budget", "0s"], "a time such as 3min"),
        (["test_work", "--find", "limit", "--keep", "cpu_per_op<1"], "is not a bound"),
        (["test_work", "--find", "limit", "--keep", "gc_pause_max<=1ms"], "a search cannot keep gc_pause_max<=1ms"),
        (["--resume"], "there was no search for settings in"),
    ],
)
def test_bad_input_is_one_answer(folder, args, says):
    """Status 2, before anything runs."""
    status, out, err = gomem(*args)
    assert (status, out) == (2, "")
    assert says in err


def test_there_is_one_at_a_time(faked, kept):
    """A lock ends with its process."""
    with locked_file(kept.with_suffix(".lock")):
        status, _, err = gomem("test_work", "--find", "limit")
    assert (status, "another gomem tune runs in" in err) == (2, True)


def test_all_outputs_are_written(faked, folder, kept):
    """Progress goes to stderr; they can be written again without a run."""
    status, out, err = gomem("test_work", "--limit", "64MiB", "--json", "a.json", "--svg", "a.svg", "-o", "a.html")
    assert status == 0, err
    assert "api: memory_limit=64MiB GOGC=100 GOMEMLIMIT=60MiB" in out
    assert "run 1 of about 2: memory_limit=64MiB GOGC=100 GOMEMLIMIT=60MiB: gc_cycles 40" in err
    data = json.loads((folder / "a.json").read_text())
    assert (data["found"], data["limit"], len(data["runs"])) == (True, 64 * MIB, 2)
    assert (folder / "a.svg").read_text().startswith("<svg")
    assert "memory_limit=64MiB" in (folder / "a.html").read_text()
    assert json.loads(gomem("--resume", "--json", "-")[1]) == data
    assert len(read_state(kept).results) == 2


def test_too_noisy_is_status_1(faked):
    """There is a best setting, and it is not sure."""
    status, out, _ = gomem("test_work", "--limit", "64MiB", "--budget", "3min")
    assert (status, "GOGC=100" in out) == (1, True)
    assert gomem("--resume")[0] == 1
    assert gomem("--resume", "--budget", "off")[0] == 0
    for other in (["--limit", "64MiB"], ["--", "-x"]):
        assert "asks what was asked before" in gomem("--resume", *other)[2]


def test_a_machine_without_memory_cgroups_is_told_first(faked, monkeypatch):
    """In the doctor's words; a search for GOMEMLIMIT needs none."""

    def refuse() -> str:
        raise GomemError("no memory cgroup can be made: /sys/fs/cgroup: Read-only file system")

    monkeypatch.setattr(tune, "memory_limit_words", refuse)
    for asked in (["--limit", "64MiB"], ["--find", "limit"]):
        status, _, err = gomem("test_work", *asked)
        assert (status, "Read-only file system" in err) == (2, True)
    assert gomem("test_work", "--find", "gomemlimit")[0] == 0


def test_ctrl_c_keeps_the_runs_and_they_are_resumed(faked, folder, kept, monkeypatch):
    """Its words say how; another question, an edit, or a damaged file is refused and named."""
    runs = SettingRuns.run

    def stopped(self, setting, good_seconds=0.0):
        if good_seconds:
            raise KeyboardInterrupt
        return runs(self, setting, good_seconds)

    monkeypatch.setattr(SettingRuns, "run", stopped)
    status, _, err = gomem("test_work", "--limit", "64MiB", "--keep", "cpu_per_op<=1.25x", "--", "-x")
    assert status == 130
    assert "stopped after 1 run, 1 s; best so far: memory_limit=64MiB GOGC=100 GOMEMLIMIT=60MiB; go on by" in err
    state = read_state(kept)
    assert len(state.results) == 1
    monkeypatch.setattr(SettingRuns, "run", runs)
    status, _, err = gomem("test_work", "--limit", "65MiB", "--resume")
    assert status == 2
    assert "it was  gomem tune t.py::test_work --limit 64MiB --keep 'cpu_per_op<=1.25x' -- -x" in err
    (folder / "main.go").write_text("package main")
    status, _, err = gomem("--resume")
    assert (status, "the code, the test or gomem.yaml has changed" in err) == (2, True)
    (folder / "main.go").unlink()
    status, out, err = gomem("--resume")
    assert (status, "going on after 1 run, 1 s: gomem tune" in err, "2 runs, 2 s" in out) == (0, True, True)
    write_state(kept, replace(state, asked=Asked("x", Question(Find.LIMIT))))
    kept.write_text(kept.read_text()[:40])
    assert "start anew: leave out --resume" in gomem("--resume")[2]


TESTS = """
from pathlib import Path
import pytest


@pytest.mark.gomem(peak_rss="1MB", alloc_space={"main.*": "1MB"}, rounds=3)
def test_work(go_service):
    tried = Path("tried")
    tried.write_text(str(int(tried.read_text()) + 1 if tried.exists() else 1))
    go_service.load("/work?objects=200", requests=50)


@pytest.mark.gomem_gc(gogc=[50, 100])
def test_matrix(go_service):
    pass
"""


def test_real_runs_of_a_real_service(folder, binaries: Callable[..., Path], monkeypatch):
    """A broken budget stops nothing, a kill is a result, and each run is one round under its setting."""
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\naddopts = --reruns=2\n")
    (folder / "test_it.py").write_text(TESTS)
    (folder / "gomem.yaml").write_text(
        f"version: 1\nservices:\n  api:\n    binary: {binaries('go_service', agent=True)}\n"
        '    args: ["--listen", "127.0.0.1:{port}"]\n    ready: {http: /healthz}\n'
        "budgets: {tests: {'test_gone.py::*': {threads: 1}}, defaults: {inuse_space: {'main.*': 1MB}}}\n"
    )
    plans = [Setting(None, "off", "off"), Setting(50, 8 * MIB, 4 * MIB)]
    seen: list[RunResult] = []

    def step(question: Question, results) -> Plan | Answer:
        seen[:] = results
        return Plan((plans[len(results)],), "a look") if len(results) < len(plans) else Answer(None, "seen enough")

    monkeypatch.setattr("pytest_gomem.commands.tuning.next_step", step)
    status, out, err = gomem("test_work", "--limit", "64MiB")
    if "memory cgroup" in err and not seen:
        pytest.skip(err)
    assert (status, "seen enough" in out) == (1, True), err
    (spare, killed), tried = seen, folder / "tried"
    assert (spare.ended, killed.ended) == (Ended.OK, Ended.KILLED), (spare, killed)
    assert spare.figures["cpu_per_op"] > 0
    assert tried.read_text() == "2"  # no run has a second round, and none is tried again
    assert "2 runs" in out
