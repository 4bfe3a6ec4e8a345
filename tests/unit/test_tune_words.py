"""What `gomem tune` reads of a run and of a test, and the words, tables and pictures that it makes of an answer."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from pytest_gomem.base.errors import ConfigError, GomemError
from pytest_gomem.config.yaml12 import composed
from pytest_gomem.judge.conditions import ATTACHED, PROCESS
from pytest_gomem.measure.death_spiral import DeathSpiral
from pytest_gomem.measure.oom_kill import OomKill
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.page.tune import tune_page
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.testing import fake_window_record
from pytest_gomem.tune.answer import answer_lines, pasted
from pytest_gomem.tune.measured import followed, result_of
from pytest_gomem.tune.paste import kubernetes_lines, option_value, setting_words, yaml_lines
from pytest_gomem.tune.picture import curve
from pytest_gomem.tune.records import Answer, Bound, Ended, Find, Question, Row, Setting
from pytest_gomem.tune.rows_text import how_it_went, points_of, sketch_lines, table_lines
from pytest_gomem.tune.source import source_of
from pytest_gomem.tune.state import Asked, State
from pytest_gomem.tune.subject import subject_of

MIB = 1 << 20
UNITS = {metric.name: metric.unit.name for metric in Registry(builtin_metrics())}
LIMITED = Setting(200, 240 * MIB, 300 * MIB)
BOUND = "cpu_per_op<=1.25x"
QUESTION = Question(Find.LIMIT, bounds=(Bound("cpu_per_op", 1.25, relative=True, written=BOUND),))


def row(limit: int | None, cpu: float, **fields) -> Row:
    setting = Setting(None, "off", "off") if limit is None else Setting(None, limit * 9 * MIB // 10, limit * MIB)
    figures = {"gc_cycles": 40, "cpu_per_op": cpu, "peak_rss": (limit or 400) * MIB - 3 * MIB}
    return Row(setting, **{"runs": 3, "figures": figures, "keeps": {BOUND: True}, **fields})


ROWS = (
    row(None, 1e-3, comfortable=True),
    row(300, 1.1e-3),
    row(200, 1.2e-3),
    row(150, 1.6e-3, keeps={BOUND: False}),
    row(100, 0.0, figures={}, killed=2, thrashing=1, keeps={BOUND: False}),
)
ANSWER = Answer(ROWS[2].setting, "it keeps all bounds", ROWS, 110 * MIB, 140 * MIB, 210 * MIB, confirmed=3)


@pytest.mark.parametrize(
    ("setting", "words", "option"),
    [
        (LIMITED, "memory_limit=300MiB GOGC=200 GOMEMLIMIT=240MiB", "gogc=200,gomemlimit=240MiB,memory_limit=300MiB"),
        (Setting("off", 100 * MIB), "GOGC=off GOMEMLIMIT=100MiB", "gogc=off,gomemlimit=100MiB"),
        (Setting(None, "off", "off"), "without limits", "gomemlimit=off,memory_limit=off"),
        (Setting(100, "off", "off"), "GOGC=100", "gogc=100,gomemlimit=off,memory_limit=off"),
        (Setting(), "without limits", ""),
    ],
)
def test_a_setting_in_words_and_as_an_option(setting, words, option):
    """As the progress shows it, and as `--gomem-set` takes it."""
    assert setting_words(setting) == words
    assert option_value(setting, "") == option
    assert option_value(setting, "api").count("api.") == option.count("=")


def test_lines_to_paste_are_yaml():
    """Where a setting says nothing, nothing stands."""
    assert list(yaml_lines(LIMITED, "api")) == [
        "services:",
        "  api:",
        "    memory_limit: 300MiB",
        "    gc: {gogc: 200, gomemlimit: 240MiB}",
    ]
    assert list(kubernetes_lines(LIMITED)) == [
        "resources:",
        "  limits: {memory: 300Mi}",
        "env:",
        '- {name: GOGC, value: "200"}',
        '- {name: GOMEMLIMIT, value: "240MiB"}',
    ]
    for lines in pasted(LIMITED, "api").values():
        assert composed("\n".join(lines)) is not None
    assert list(kubernetes_lines(Setting(None, None, 3 << 30))) == ["resources:", "  limits: {memory: 3Gi}"]
    assert "environment" not in pasted(Setting(None, None, 3 << 30), "api")


def test_a_row_says_how_it_went():
    """What is worst comes first."""
    told = [how_it_went(one) for one in ROWS]
    assert told == [
        "with memory to spare",
        "keeps all",
        "keeps all",
        f"breaks {BOUND}",
        "killed 2 of 3, thrashing 1 of 3",
    ]
    assert how_it_went(row(90, 1.0, keeps={BOUND: None})) == f"not told: {BOUND}"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits(width):
    """Where it is too narrow, how it went stands below; the answer is marked, and no figure is lost."""
    lines = table_lines(ANSWER, QUESTION, UNITS, width)
    text = "\n".join(lines)
    assert [line for line in lines if line.startswith(">")] == [line for line in lines if "1.20 ms/op" in line]
    for told in ("killed 2 of 3", "1.60 ms/op", "297 MiB", "off"):
        assert told in text
    assert "GOGC" not in lines[0]  # no run said one
    assert len(lines) == (6 if width == 120 else 11)


def test_the_sketch_has_all_points():
    """The answer among them; a single point is no curve."""
    lines = list(sketch_lines(points_of(ANSWER), 60))
    assert "".join(lines).count("*") == 3
    assert "".join(lines).count("@") == 1
    assert lines[-1].split() == ["147", "MiB", "peak", "RSS", "397", "MiB"]
    assert max(map(len, lines)) <= 60
    assert list(sketch_lines(points_of(ANSWER)[:1], 60)) == []


def test_the_curve_is_drawn():
    """With the bound as a line, the line below which it is killed, and the answer's own colour."""
    found = curve(ANSWER, QUESTION, "test_mem.py::test_<work>")
    ElementTree.fromstring(found)
    texts = set(re.findall(r"<text[^>]*>([^<]*)", found))
    dashed = "peak RSS, MiB (dashed: cpu_per_op&lt;=1.25x, killed below 110 MiB)"
    assert {"settings that ran", "the answer", dashed, "CPU per op, ms"} <= texts
    assert len(re.findall('<line class="mark"', found)) == 2
    assert len(re.findall("<circle", found)) == 5
    with pytest.raises(GomemError, match="no curve to draw"):
        curve(replace(ANSWER, rows=ROWS[4:]), QUESTION, "test_mem.py::test_work")


def test_the_page_escapes_what_it_shows():
    """And holds the whole answer."""
    state = State(Asked("test_mem.py::test_<b>", QUESTION), "")
    text = tune_page(ANSWER, state, "api", UNITS, "--html")
    assert "<b>" not in text
    for told in ("test_&lt;b&gt;", "110 MiB", "comfortable above", "memory_limit: 200MiB", "killed 2 of 3", "svg+xml"):
        assert told in text
    unsure = tune_page(replace(ANSWER, needs_rounds=4), state, "api", UNITS, "--html")
    assert ('id="verdict" class="good"' in text, 'id="verdict" class="warn"' in unsure) == (True, True)
    assert "svg+xml" not in tune_page(Answer(None, "nothing ran"), state, "", UNITS, "--html")


def test_an_answer_for_a_narrow_terminal():
    """No line is longer."""
    lines = list(answer_lines(ANSWER, State(Asked("t.py::test_work", QUESTION), ""), "api", UNITS, 70))
    assert max(map(len, lines)) <= 70


# What one run has shown

OOM = "service 'api': was killed by the kernel for lack of memory (SIGKILL; oom_kill rose by 1)"
UNREADY = "service 'api': was killed at its memory limit of 24MiB while we waited for GET /healthz to answer 2xx"
SPIRAL = DeathSpiral(812, 900, 0.12, 118 * MIB)


@pytest.mark.parametrize(
    ("setting", "failed", "spiral", "ended"),
    [
        (LIMITED, "", None, Ended.OK),
        (LIMITED, OOM, None, Ended.KILLED),
        (LIMITED, OOM, SPIRAL, Ended.KILLED),
        (LIMITED, UNREADY, None, Ended.KILLED),
        (LIMITED, "1 verdict failed", SPIRAL, Ended.THRASHING),
        (LIMITED, "", replace(SPIRAL, doubt="the machine is busy"), Ended.OK),
        (LIMITED, "AssertionError: 3 != 4", None, Ended.FAILED),
        (Setting(), OOM, None, Ended.FAILED),  # the machine's memory, not a limit
    ],
)
def test_how_a_run_ended(setting, failed, spiral, ended):
    """A kill by the limit says more than what came before it."""
    window = fake_window_record({"peak_rss": 5e6, "latency_p99": "there was no load"}, death_spiral=spiral)
    found = result_of(setting, window, 2.04, failed)
    assert (found.ended, found.seconds) == (ended, 2.0)
    assert (found.figures, found.missing) == ({"peak_rss": 5e6}, {"latency_p99": "there was no load"})
    assert bool(found.why) == (ended is not Ended.OK)


def test_a_kill_has_its_words():
    """Those of the verdict, which say when it was and what it did."""
    kill = OomKill(64 * MIB, "cgroup v2", 41.0, "GET /leak", 1204, live_heap=118_000_000, cycle=31)
    found = result_of(LIMITED, fake_window_record({}, oom=kill), 2.0, "1 verdict failed")
    assert found.ended is Ended.KILLED
    assert found.why.startswith("killed at the memory limit of 64MiB after 41.0 s, during GET /leak")


def test_the_window_that_is_meant():
    """The only one, or the one that is named; a process of another's is refused."""
    one, other = (fake_window_record({"peak_rss": 5e6}, name=name) for name in ("test", "login"))
    both = TestRecord("t.py::t", "passed", (one, other))
    assert followed(TestRecord("t.py::t", "passed", (one,)), "", "") is one
    assert followed(both, "api", "login") is other
    assert followed(TestRecord("t.py::t", "failed", ()), "", "") is None
    with pytest.raises(ConfigError, match="several windows: 'test' of api, 'login' of api"):
        followed(both, "api", "")
    with pytest.raises(ConfigError, match="no such window: 'test' of api, 'login' of api"):
        followed(both, "web", "")
    with pytest.raises(ConfigError, match="was not started by the test"):
        followed(TestRecord("t.py::t", "passed", (replace(one, conditions={PROCESS: ATTACHED}),)), "", "")


# What a test is

KNOWN = {
    "workers": "",
    "tests": {
        "t.py::ok": {"is_measured": True, "matrix": [], "service": ""},
        "t.py::plain": {"is_measured": False, "matrix": [], "service": ""},
        "t.py::matrix": {"is_measured": True, "matrix": ["gogc"], "service": ""},
    },
    "services": {"api": {"gogc": 50, "program": "/bin/api", "simulated": False}},
}


def test_the_only_service_is_the_one():
    """Its own GOGC and its program count."""
    found = subject_of("t.py::ok", KNOWN, "")
    assert (found.service, found.gogc, found.program) == ("api", 50, "/bin/api")


@pytest.mark.parametrize(
    ("test", "service", "workers", "says"),
    [
        ("ok", "", "2", r"pytest would start 2 workers\n.*-- -n0"),
        ("plain", "", "", "t.py::plain measures nothing"),
        ("matrix", "", "", r"settings of its own to try: gomem_gc\(gogc\)"),
        ("ok", "apy", "", r"has no service 'apy'\n  did you mean api\?"),
    ],
)
def test_a_test_that_cannot_answer_is_refused(test, service, workers, says):
    """Before its first run."""
    with pytest.raises(ConfigError, match=says):
        subject_of(f"t.py::{test}", {**KNOWN, "workers": workers}, service)


def test_an_edit_is_noticed(tmp_path):
    """Of a source, and of a program that is not built here; without git too."""
    program = tmp_path / "server.bin"
    seen = set()
    for file, text in (("a.go", "1"), ("a.go", "2"), ("notes.txt", "3"), ("server.bin", "4"), ("server.bin", "5")):
        (tmp_path / file).write_text(text)
        seen.add(source_of(tmp_path, str(program)))
    assert len(seen) == 4
