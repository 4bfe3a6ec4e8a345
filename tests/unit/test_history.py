"""The history: lines there and back, a file that is only appended to, courses, change points, plots."""

from __future__ import annotations

import builtins
import io
import json
import math
import random
import threading
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import calmly, metric, runs, window

from pytest_gomem import cli
from pytest_gomem.errors import ConfigError
from pytest_gomem.report.history.changes import change_points, changes_of
from pytest_gomem.report.history.course import courses
from pytest_gomem.report.history.entry import Entry, entries_of, from_line, to_line
from pytest_gomem.report.history.file import append, read
from pytest_gomem.report.history.plot import course_lines
from pytest_gomem.report.model import RunRecord, TestRecord
from pytest_gomem.revision import Revision

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc)
TEST = "tests/test_mem.py::test_upload"


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
    }
    return Entry(**{**known, **fields})


def stepping(step_at=22, count=30, seed=3):
    """A course of noise of 0.2% that rises by 4% at one run, with a newer Go."""
    noise = random.Random(seed)
    return [
        entry(
            run,
            61.2e6 * (1 + noise.gauss(0, 0.002)) * (1.04 if run >= step_at else 1),
            facts={"go_version": "go1.26.0" if run < step_at else "go1.27.0"},
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


GOOD = json.loads(to_line(entry()))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"half', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is no JSON object"),
        ("{}", "has history_version None"),
        (json.dumps({**GOOD, "history_version": 2}), "has history_version 2, not 1"),
        (json.dumps({key: value for key, value in GOOD.items() if key != "nodeid"}), "says no 'nodeid'"),
        (json.dumps({**GOOD, "metrics": {"live_heap": "much"}}), "live_heap is 'much', no number"),
        (json.dumps({**GOOD, "metrics": {"live_heap": 10**400}}), "is not as we write it"),
        (json.dumps({**GOOD, "metrics": [1]}), "is not as we write it"),
        (json.dumps({**GOOD, "time": "yesterday"}), "is not as we write it"),
    ],
)
def test_what_is_no_line_says_why(line, why):
    """A damaged line is told in words."""
    with pytest.raises(ValueError, match=why.replace("[", r"\[")):
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


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    """A folder in its place is an error that names the option."""
    with pytest.raises(ConfigError, match="--gomem-history: the history cannot be written"):
        append(tmp_path, [entry()])


# Courses and changes


def test_a_step_is_found_where_it_is_and_always_the_same(tmp_path):
    """The change point is the run of the step, with what changed beside it; a second look finds the same."""
    (course,) = courses(stepping(), "live_heap", [TEST])
    (change,) = changes_of(course)
    assert change.at == 22
    assert change.share == pytest.approx(0.04, abs=0.003)
    assert change.facts == {"go_version": ("go1.26.0", "go1.27.0")}
    assert changes_of(course) == (change,)


def test_noise_is_no_change():
    """Of 500 courses of noise alone, at most one in a hundred has a change point; of 100 steps of 6 sigma none is
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
def test_courses_without_a_change(values):
    """Short, level and hardly moving courses have no change points."""
    assert change_points(values) == ()


@given(st.lists(st.floats(0, 1e12), max_size=40))
def test_change_points_are_positions_and_repeat(values):
    """Any figures: ascending positions inside of the course, levels of two runs at least, the same each time."""
    found = change_points(values)
    assert found == change_points(values)
    assert not found or all(later - earlier >= 2 for earlier, later in pairwise((0, *found, len(values))))


def test_runs_that_broke_off_are_left_out():
    """A test that failed by itself did not do the whole work: its figures are counted, not shown."""
    (course,) = courses([entry(0), entry(1, complete=False), entry(2)], "live_heap", [TEST])
    assert (len(course.points), course.left_out) == (2, 1)


def test_windows_of_one_name_have_a_course_each():
    """As baselines call them: the second one is not a later run of the first."""
    twice = tuple(window(metrics=(metric("live_heap", value),)) for value in (1.0, 2.0))
    run = RunRecord("0.1.0", {}, (TestRecord(TEST, "passed", twice),))
    found = courses(entries_of(run, Revision("", "", False), NOW), "live_heap", [TEST])
    assert [(course.window, course.values) for course in found] == [("test", (1.0,)), ("test#2", (2.0,))]


def test_runs_come_in_the_order_of_time():
    """Files of two machines put together make one course."""
    (course,) = courses([entry(2, 3.0), entry(0, 1.0), entry(1, 2.0)], "live_heap", [TEST])
    assert course.values == (1.0, 2.0, 3.0)


# The command


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "history.jsonl"
    append(path, stepping())
    return path


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width):
    """Plot, table and changes fit, also where there are more runs than columns."""
    found = courses([*stepping(count=300, step_at=200)], "live_heap", [TEST])
    lines = list(course_lines(found[0], changes_of(found[0]), width))
    assert max(map(len, lines)) <= width
    assert sum("^" in line for line in lines) == 1


def test_the_course_in_a_terminal(gomem, file):
    """The table marks the run of the new level, and the last lines say what changed there."""
    status, out, err = gomem("history", "live_heap", "test_upload", "--file", file)
    assert (status, err) == (0, "")
    (marked,) = [line for line in out.splitlines() if line.lstrip().startswith(">")]
    assert "0000000016" in marked
    assert out.splitlines()[-1] == "  go_version changed there too: go1.26.0 -> go1.27.0"
    assert gomem("history", "live_heap", "test_upload", "--file", file)[1] == out


def test_the_course_as_json(gomem, file):
    """The same as data, damaged lines too."""
    with file.open("a") as lines:
        lines.write("torn")
    status, out, err = gomem("history", "live_heap", TEST, "--file", file, "--json")
    data = json.loads(out)
    assert status == 0
    assert [change["at"] for change in data["courses"][0]["changes"]] == [22]
    assert len(data["courses"][0]["points"]) == 30
    assert data["damaged"][0]["line"] == 31
    assert f"{file}:31: is not JSON" in err


def test_the_course_as_a_picture(gomem, file, tmp_path):
    """-o draws well-formed SVG with a dashed line before the new level; several courses are refused."""
    assert gomem("history", "live_heap", "test_upload", "--file", file, "-o", tmp_path / "c.svg")[0] == 0
    root = ElementTree.parse(tmp_path / "c.svg").getroot()
    shapes = [element.get("class") for element in root]
    assert shapes.count("mark") == 1
    assert len(next(e.get("points") for e in root if e.get("points")).split()) == 30
    append(file, [entry(window="other")])
    status, _, err = gomem("history", "live_heap", "test_upload", "--file", file, "-o", tmp_path / "c.svg")
    assert status == 2
    assert "draws one course" in err


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
    """Without its library the course is shown all the same, and the command says which extra finds changes."""
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
