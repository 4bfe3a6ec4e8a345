"""The history: lines there and back, a file that is only appended to, trends, change points, plots."""

from __future__ import annotations

import builtins
import io
import json
import math
import random
import re
import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import calmly, metric, runs, window

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.commands import cli
from pytest_gomem.git.repository import Revision
from pytest_gomem.history.changes import change_points, changes_of, shifts_of
from pytest_gomem.history.entry import Entry, entries_of, from_line, to_line, with_definition
from pytest_gomem.history.file import append, read
from pytest_gomem.history.plot import trend_lines
from pytest_gomem.history.suggestion import bisect_command
from pytest_gomem.history.trend import trends
from pytest_gomem.results.run_record import RunRecord, TestRecord

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc)
TEST = "tests/test_mem.py::test_upload"
CONDITIONS = {"go": "go1.26", "gogc": "100", "gomaxprocs": "2", "build": "plain", "agent": "yes", "thp": "madvise"}


def entry(run=0, value=61.2e6, **fields):
    """The run-th run of a test, 17 hours after the one before."""
    known = {
        "time": NOW + timedelta(hours=17 * run),
        "revision": Revision(f"{run:010x}" + "0" * 30, "main", False),
        "nodeid": TEST,
        "window": "test",
        "service": "api",
        "complete": True,
        "facts": {"go_version": "go1.26.0", "gc.gogc": "100"},
        "metrics": {"live_heap": value},
        "units": {"live_heap": "bytes"},
        "conditions": CONDITIONS,
    }
    return Entry(**{**known, **fields})


def stepping(step_at=22, count=30, seed=3, facts=("go1.26.0", "go1.26.1"), **then):
    """A trend of noise of 0.2% that rises by 4% at one run, with a newer Go; `then`: conditions from that run on."""
    noise = random.Random(seed)
    return [
        entry(
            run,
            61.2e6 * (1 + noise.gauss(0, 0.002)) * (1.04 if run >= step_at else 1),
            facts={"go_version": facts[run >= step_at]},
            conditions={**CONDITIONS, **(then if run >= step_at else {})},
        )
        for run in range(count)
    ]


@pytest.fixture
def gomem():
    """Runs a command; its status, output and errors."""

    def run(*argv):
        out, err = io.StringIO(), io.StringIO()
        return cli.main(list(map(str, argv)), out, err), out.getvalue(), err.getvalue()

    return run


# Lines


@calmly
@given(runs)
def test_lines_come_back(run):
    """Every window of every report is a line, and the line is the entry again; what is not finite is left out."""
    entries = list(entries_of(run, Revision("0a1b", "main", None), NOW))
    assert len(entries) == sum(len(test.windows) for test in run.tests)
    for each in entries:
        line = to_line(each)
        assert line.count("\n") == 1
        assert to_line(from_line(line)) == line
        assert all(map(math.isfinite, from_line(line).metrics.values()))
        assert len(from_line(line).rounds) == len(each.rounds)
        assert len(from_line(line).conditions) == len(each.conditions)


GOOD = json.loads(to_line(entry()))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"half', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "has wrong or missing fields (expected an object (Entry), not [])"),
        ("{}", "has history_version None"),
        (json.dumps({**GOOD, "history_version": 2}), "has history_version 2, not 1"),
        (
            json.dumps({key: value for key, value in GOOD.items() if key != "nodeid"}),
            "(nodeid: is missing)",
        ),
        (
            json.dumps({**GOOD, "metrics": {"live_heap": "much"}}),
            "(metrics.live_heap: expected a number, not 'much')",
        ),
        (json.dumps({**GOOD, "metrics": {"live_heap": 10**400}}), "has wrong or missing fields"),
        (json.dumps({**GOOD, "metrics": [1]}), "has wrong or missing fields"),
        (json.dumps({**GOOD, "time": "yesterday"}), "has wrong or missing fields"),
    ],
)
def test_what_is_no_line_says_why(line, why):
    """A damaged line is told in words."""
    with pytest.raises(ValueError, match=re.escape(why)):
        from_line(line)


@given(st.text())
def test_no_text_ends_in_another_error(text):
    """Whatever stands there, it is a reason in words, and no other error."""
    with pytest.raises(ValueError, match=r"^(is|has|says) "):
        from_line(text)


# The file


def test_a_torn_line_is_named_and_kept(tmp_path):
    """What a killed writer left keeps its line; runs before and after it are read, and nothing is lost."""
    path = tmp_path / "runs" / "history.jsonl"
    append(path, [entry(0), entry(1)])
    with path.open("a") as file:
        file.write('{"history_version":1,"ti')
    append(path, [entry(2)])
    held = read(path)
    assert [each.time for each in held.entries] == [entry(run).time for run in range(3)]
    assert [line.line for line in held.damaged] == [3]
    assert path.read_text().splitlines()[2] == '{"history_version":1,"ti'


def test_writers_do_not_mix(tmp_path):
    """Eight writers at once: every line is whole."""
    path = tmp_path / "history.jsonl"
    many = [entry(run, facts={"long": "x" * 3000}) for run in range(40)]
    threads = [threading.Thread(target=append, args=(path, many)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = read(path)
    assert (len(held.entries), held.damaged) == (8 * 40, ())


def test_a_file_that_cannot_be_written_is_reported(tmp_path):
    """A folder in its place is an error that names the option."""
    with pytest.raises(ConfigError, match="--gomem-history: the history cannot be written"):
        append(tmp_path, [entry()])


# Trends and changes


def test_a_step_is_found_where_it_is_and_always_the_same(tmp_path):
    """The change point is the run of the step, with what changed beside it; a second look finds the same."""
    (trend,) = trends(stepping(), "live_heap", [TEST])
    (change,) = changes_of(trend)
    assert change.at == 22
    assert change.share == pytest.approx(0.04, abs=0.003)
    assert change.facts == {"go_version": ("go1.26.0", "go1.26.1")}
    assert changes_of(trend) == (change,)
    assert shifts_of(trend) == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("go", "go1.27"),
        ("gogc", "50"),
        ("gomaxprocs", "4"),
        ("goexperiment", "nogreenteagc"),
        ("build", "-race=true"),
        ("build", "-pgo=default.pgo"),
        ("agent", "no"),
        ("profile_rate", "4096"),
        ("page_size", "16384"),
        ("thp", "always"),
    ],
)
def test_what_a_setting_does_is_no_change(name, value):
    """A step that comes with other conditions is told as theirs, and no change of level is found there."""
    (trend,) = trends(stepping(**{name: value}), "live_heap", [TEST])
    assert changes_of(trend) == ()
    (shift,) = shifts_of(trend)
    assert shift.at == 22
    unsaid = {"profile_rate": "default"}  # named only where the measured rounds are profiled
    assert shift.conditions == {name: ({**unsaid, **CONDITIONS}.get(name, "none"), value)}
    assert shift.share == pytest.approx(0.04, abs=0.003)


def test_a_new_definition_is_no_change():
    """A step that comes with another definition of the metric is told as its; other metrics know nothing of it."""
    runs = [replace(one, definitions={"live_heap": 2} if at >= 22 else {}) for at, one in enumerate(stepping())]
    runs = [from_line(to_line(one)) for one in runs]
    (trend,) = trends(with_definition(runs, "live_heap"), "live_heap", [TEST])
    assert changes_of(trend) == ()
    (shift,) = shifts_of(trend)
    assert (shift.at, shift.conditions) == (22, {"definition of live_heap": ("1", "2")})
    assert with_definition(runs, "peak_rss") == runs
    assert with_definition(runs[22:], "live_heap") == runs[22:]


def test_a_change_under_the_new_conditions_is_found():
    """Where it is among all runs, and beside the shift: the level before a shift is that of the runs next to it."""
    runs = stepping(step_at=10, count=40, go="go1.27")
    later = [replace(one, metrics={"live_heap": one.metrics["live_heap"] * 1.1}) for one in runs[25:]]
    (trend,) = trends([*runs[:25], *later], "live_heap", [TEST])
    (change,) = changes_of(trend)
    assert (change.at, change.share) == (25, pytest.approx(0.1, abs=0.003))
    (shift,) = shifts_of(trend)
    assert (shift.at, shift.share) == (10, pytest.approx(0.04, abs=0.003))


def test_conditions_that_take_turns_have_a_course_each():
    """Two machines, one 20% above the other: neither goes up and down, and a new Go continues the trend of each."""
    runs = []
    for run in range(30):
        go = "go1.26" if run < 20 else "go1.27"
        for machine, level in (("amd64", 60e6), ("arm64", 72e6)):
            value = level * (1.05 if machine == "arm64" and run >= 12 else 1)
            runs.append(entry(run, value, conditions={**CONDITIONS, "go": go, "goarch": machine}))
            runs[-1] = replace(runs[-1], time=runs[-1].time + timedelta(minutes=5 * (machine == "arm64")))
    amd, arm = trends(runs, "live_heap", [TEST])
    assert (amd.apart, arm.apart) == ({"goarch": "amd64"}, {"goarch": "arm64"})
    assert (changes_of(amd), [change.at for change in changes_of(arm)]) == ((), [12])
    for trend in (amd, arm):
        assert [(shift.at, shift.conditions) for shift in shifts_of(trend)] == [(20, {"go": ("go1.26", "go1.27")})]
        assert any(f"under goarch {trend.apart['goarch']}" in line for line in trend_lines(trend, (), 80))


def test_of_trends_alike_the_newest_goes_on():
    """Two that differ as much from what comes then: it continues the one that ended last."""
    runs = [entry(run, conditions={**CONDITIONS, "thp": "always" if run in (0, 2, 4) else "never"}) for run in range(8)]
    after = [entry(run, conditions={**CONDITIONS, "thp": "madvise"}) for run in range(8, 12)]
    always, never = trends([*runs, *after], "live_heap", [TEST])
    assert (shifts_of(always), [shift.at for shift in shifts_of(never)]) == ((), [5])


def test_one_run_under_other_conditions_is_beside_the_course():
    """As of a developer's machine: it is in nobody's way, and no step up and down."""
    runs = [entry(run) for run in range(12)]
    stray = entry(5, 90e6, time=entry(5).time + timedelta(hours=1), conditions={**CONDITIONS, "thp": "always"})
    trend, beside = trends([*runs, stray], "live_heap", [TEST])
    assert (len(trend.points), shifts_of(trend), changes_of(trend)) == (12, (), ())
    assert (beside.values, beside.apart) == ((90e6,), {"thp": "always"})


def test_noise_is_no_change():
    """Of 500 trends of noise alone, at most one in a hundred has a change point; of 100 steps of 6 sigma none is
    missed by more than a run, once there are four runs after it."""
    noise = random.Random(1)
    level = [change_points([1 + noise.gauss(0, 0.02) for _ in range(30)]) for _ in range(500)]
    assert sum(map(bool, level)) <= 5
    stepped = [
        change_points([1 + noise.gauss(0, 0.02) + (0.12 if run >= 26 else 0) for run in range(30)]) for _ in range(100)
    ]
    assert sum(any(abs(at - 26) <= 1 for at in found) for found in stepped) >= 97


@pytest.mark.parametrize(
    "values",
    [
        [],
        [5.0],
        [1.0, 2.0, 1.0, 2.0, 1.0],  # too short to tell
        [0.0] * 20,
        [7.0] * 20,
        [100.0] * 10 + [100.5] * 10,  # half a percent is not named, however clear
        [100.0] * 9 + [200.0] + [100.0] * 10,  # an outlier is no level
        [100.0] * 19 + [200.0],  # nor is a last run, until another confirms it
    ],
)
def test_trends_without_a_change(values):
    """Short, level and hardly moving trends have no change points."""
    assert change_points(values) == ()


@given(st.lists(st.floats(0, 1e12), max_size=40))
def test_change_points_are_positions_and_repeat(values):
    """Any figures: ascending positions inside of the trend, levels of two runs at least, the same each time."""
    found = change_points(values)
    assert found == change_points(values)
    assert not found or all(later - earlier >= 2 for earlier, later in pairwise((0, *found, len(values))))


def test_runs_that_broke_off_are_left_out():
    """A test that failed by itself did not do the whole work: its figures are counted, not shown."""
    (trend,) = trends([entry(0), entry(1, complete=False), entry(2)], "live_heap", [TEST])
    assert (len(trend.points), trend.left_out) == (2, 1)


def test_windows_of_one_name_have_a_course_each():
    """As baselines call them: the second one is not a later run of the first."""
    twice = tuple(window(metrics=(metric("live_heap", value),)) for value in (1.0, 2.0))
    run = RunRecord("0.1.0", {}, (TestRecord(TEST, "passed", twice),))
    found = trends(entries_of(run, Revision("", "", False), NOW), "live_heap", [TEST])
    assert [(trend.window, trend.values) for trend in found] == [("test", (1.0,)), ("test#2", (2.0,))]


def test_runs_come_in_the_order_of_time():
    """Files of two machines put together make one trend."""
    (trend,) = trends([entry(2, 3.0), entry(0, 1.0), entry(1, 2.0)], "live_heap", [TEST])
    assert trend.values == (1.0, 2.0, 3.0)


# The command


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "history.jsonl"
    append(path, stepping())
    return path


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width):
    """Plot, table and changes fit, also where there are more runs than columns."""
    found = trends([*stepping(count=300, step_at=200)], "live_heap", [TEST])
    lines = list(trend_lines(found[0], changes_of(found[0]), width))
    assert max(map(len, lines)) <= width
    assert sum("^" in line for line in lines) == 1


def test_the_course_in_a_terminal(gomem, file):
    """The table marks the run of the new level, and the last lines say what changed there."""
    status, out, err = gomem("history", "live_heap", "test_upload", "--file", file)
    assert (status, err) == (0, "")
    (marked,) = [line for line in out.splitlines() if line.lstrip().startswith(">")]
    assert "0000000016" in marked
    lines = " ".join(" ".join(out.splitlines()[-4:]).split())
    assert "go_version changed there too: go1.26.0 -> go1.26.1" in lines
    assert lines.endswith(f"which commit it was: gomem bisect 000000001500 000000001600 {TEST} live_heap")
    assert gomem("history", "live_heap", "test_upload", "--file", file)[1] == out


@pytest.mark.parametrize(
    ("before", "after", "revisions"),
    [
        (61e6, 58e6, {}),  # better
        (61e6, 64e6, {22: Revision()}),
        (61e6, 64e6, {21: Revision()}),
        (61e6, 64e6, {22: Revision("f" * 40, "main", True)}),
        (61e6, 64e6, {21: Revision("f" * 40, "main", False), 22: Revision("f" * 40, "main", False)}),
    ],
)
def test_no_search_is_suggested_where_none_can_help(before, after, revisions):
    """What got better, and runs whose commit is unknown, the same, or not all of what was measured."""
    runs = [
        entry(run, (after if run >= 22 else before) + run, **({"revision": revisions[run]} if run in revisions else {}))
        for run in range(30)
    ]
    (trend,) = trends(runs, "live_heap", [TEST])
    (change,) = changes_of(trend)
    assert (change.at, bisect_command(trend, change)) == (22, "")


def test_other_conditions_in_a_terminal(gomem, tmp_path):
    """Marked where they begin, in plot and table, with what the level did; as JSON apart from the changes."""
    file = tmp_path / "history.jsonl"
    append(file, stepping(go="go1.27"))
    status, out, err = gomem("history", "live_heap", "test_upload", "--file", file)
    assert (status, err) == (0, "")
    assert [line.split()[3] for line in out.splitlines() if line.lstrip().startswith(": ")] == ["0000000016"]
    assert "+----------------------:-------" in out
    assert (
        "no change of level found\n\nconditions changed from 0000000016, 2026-12-09 23:30 on: go go1.26 -> go1.27\n"
        in out
    )
    assert out.splitlines()[-1].endswith("this says nothing about the code")
    (trend,) = json.loads(gomem("history", "live_heap", TEST, "--file", file, "--json")[1])["trends"]
    assert trend["changes"] == []
    (shift,) = trend["conditions_changed"]
    assert (shift["at"], shift["conditions"]) == (22, {"go": {"before": "go1.26", "after": "go1.27"}})
    assert trend["points"][0]["conditions"] == CONDITIONS


def test_runs_of_one_condition_alone(gomem, tmp_path):
    """--under chooses one of the trends of a window, which -o needs; what no run has names what there is."""
    file, picture = tmp_path / "history.jsonl", tmp_path / "c.svg"
    append(file, [entry(run, conditions={**CONDITIONS, "thp": ("always", "never")[run % 2]}) for run in range(12)])
    usual = ("history", "live_heap", "test_upload", "--file", file)
    status, _, err = gomem(*usual, "-o", picture)
    assert status == 2
    assert f"{TEST} / test --under thp=always, {TEST} / test --under thp=never" in err
    status, out, _ = gomem(*usual, "--under", "thp=never", "-o", picture)
    assert (status, picture.exists(), "6 runs" in out) == (0, True, True)
    for written, says in (("thp=madvise", "there are: always, never"), ("thp", "expected NAME=VALUE")):
        status, _, err = gomem(*usual, "--under", written)
        assert (status, says in err) == (2, True), err


def test_a_condition_that_runs_are_silent_about_can_be_asked_for(gomem, tmp_path):
    """As the trends are told apart by it, also behind another condition; one that nobody knows is refused."""
    file = tmp_path / "history.jsonl"
    others = ({"goexperiment": "arenas"}, {"tree": "yes"}, {"go": "go1.27"})
    append(file, [entry(run, conditions={**CONDITIONS, **others[run % 3]}) for run in range(12)])
    usual = ("history", "live_heap", "test_upload", "--file", file)
    status, _, err = gomem(*usual, "-o", tmp_path / "c.svg")
    assert (status, " --under go=go1.26 --under goexperiment=none --under tree=yes" in err) == (2, True), err
    status, out, _ = gomem(*usual, "--under", "go=go1.27", "--under", "goexperiment=none", "--under", "tree=no")
    assert (status, "4 runs" in out) == (0, True)
    status, _, err = gomem(*usual, "--under", "tre=no")
    assert (status, "did you mean tree?" in err) == (2, True), err


def test_the_course_as_json(gomem, file):
    """The same as data, damaged lines too."""
    with file.open("a") as lines:
        lines.write("torn")
    status, out, err = gomem("history", "live_heap", TEST, "--file", file, "--json")
    data = json.loads(out)
    assert status == 0
    (change,) = data["trends"][0]["changes"]
    assert (change["at"], change["bisect"].startswith("gomem bisect 000000001500 ")) == (22, True)
    assert len(data["trends"][0]["points"]) == 30
    assert data["damaged"][0]["line"] == 31
    assert f"{file}:31: is not JSON" in err


def places(root) -> dict[str, str]:
    """Where the upright lines of a chart stand, by their kind."""
    return {e.get("class"): e.get("x1") for e in root if e.get("class") in ("mark", "break")}


def test_the_course_as_a_picture(gomem, file, tmp_path):
    """-o draws well-formed SVG with a dashed line before the new level; several trends are refused."""
    assert gomem("history", "live_heap", "test_upload", "--file", file, "-o", tmp_path / "c.svg")[0] == 0
    root = ElementTree.parse(tmp_path / "c.svg").getroot()
    shapes = [element.get("class") for element in root]
    assert (shapes.count("mark"), shapes.count("break")) == (1, 0)
    assert len(next(e.get("points") for e in root if e.get("points")).split()) == 30
    other = tmp_path / "other.jsonl"
    append(other, stepping(go="go1.27"))
    assert gomem("history", "live_heap", "test_upload", "--file", other, "-o", tmp_path / "c.svg")[0] == 0
    others = ElementTree.parse(tmp_path / "c.svg").getroot()
    assert places(others) == {"break": places(root)["mark"]}
    append(file, [entry(window="other")])
    status, _, err = gomem("history", "live_heap", "test_upload", "--file", file, "-o", tmp_path / "c.svg")
    assert status == 2
    assert "draws one trend" in err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("live_heep", "test_upload"), "did you mean live_heap?"),
        (("live_heap", "test_uplaod"), f"nearest: {TEST}"),
        (("live_heap", "nothing_like_it"), f"there are: {TEST}"),
        (("live_heap", "test_*", "--file", "/nowhere/at.all"), "cannot be read: No such file"),
        (("live_heap",), "required: TEST"),
    ],
)
def test_bad_input_is_one_answer(gomem, file, argv, says):
    """Status 2 and words that help, for each mistake."""
    status, _, err = gomem("history", *argv, *([] if "--file" in argv else ["--file", file]))
    assert status == 2
    assert says in err


def test_without_the_extra(gomem, file, monkeypatch):
    """Without its library the trend is shown all the same, and the command says which extra finds changes."""
    imported = builtins.__import__

    def refuse(name, *rest, **more):
        if name == "ruptures":
            raise ImportError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    status, out, err = gomem("history", "live_heap", "test_upload", "--file", file)
    assert status == 0
    assert "pip install 'pytest-gomem[stats]'" in err
    assert "no change of level" not in out
    assert gomem("history", "live_heap", "test_upload", "--file", file, "--json")[0] == 2
