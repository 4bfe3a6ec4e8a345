"""The tests of a run on disk: a sequence that reads its records when they are asked for."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace

import pytest
from report_samples import sample_run, sample_tests, usual_metrics, verdict, window

from pytest_gomem.report.accepted import accepted_lines
from pytest_gomem.report.comparison import sides_lines
from pytest_gomem.report.json_report import to_dict, write_json
from pytest_gomem.report.matrix import matrix_lines
from pytest_gomem.report.terminal import for_tables, summary_lines
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.stored import StoredTests, to_line
from pytest_gomem.results.window_record import BuildRecord, PhaseRecord

TESTS = sample_tests()


@pytest.fixture
def stored():
    kept = StoredTests()
    for test in TESTS:
        kept.keep(test.nodeid, to_line(test))
    yield kept
    kept.close()


def test_it_is_a_sequence_of_the_records(stored):
    assert len(stored) == len(TESTS)
    assert tuple(stored) == TESTS
    assert (stored[0], stored[-1], stored[1:3]) == (TESTS[0], TESTS[-1], TESTS[1:3])
    assert list(stored.nodeids) == [test.nodeid for test in TESTS]
    with pytest.raises(IndexError):
        stored[len(TESTS)]


def test_records_are_read_from_the_file_each_time(stored):
    """None stays in memory, and two may read at once."""
    assert stored[0] is not stored[0]
    assert [one == other for one, other in zip(stored, stored, strict=True)] == [True] * len(TESTS)


def test_a_duration_is_that_of_all_phases():
    """Those of a test's phases come one by one, its record in between."""
    seconds = {"one": {"setup": 1.0}}
    kept = StoredTests(seconds)
    kept.keep("one", to_line(TESTS[0]))
    kept.keep("two", to_line(TESTS[1]))
    seconds["one"] |= {"call": 2.0, "teardown": 0.5}
    assert [test.duration for test in kept] == [3.5, None]
    kept.close()


def test_nobody_can_remove_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = StoredTests()
    kept.keep("one", to_line(TESTS[0]))
    assert list(tmp_path.iterdir()) == []
    tmp_path.rmdir()
    kept.keep("two", to_line(TESTS[1]))
    assert tuple(kept) == TESTS[:2]
    kept.close()


def test_a_test_that_runs_again_takes_its_own_place(stored):
    again = replace(TESTS[1], outcome="failed")
    stored.keep(again.nodeid, to_line(again))
    assert tuple(stored) == (TESTS[0], again, *TESTS[2:])


def test_a_full_disk_loses_no_record(stored, monkeypatch):
    """Also where half of it is written."""
    write = os.pwrite
    room = [100]

    def nearly_full(descriptor, data, at):
        if not room:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: room.pop()], at)

    more = replace(TESTS[0], nodeid="more")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", nearly_full)
        stored.keep(more.nodeid, to_line(more))
        assert stored[-1] == more
    stored.keep("last", to_line(replace(more, nodeid="last")))
    assert tuple(stored) == (*TESTS, more, replace(more, nodeid="last"))


@pytest.mark.parametrize("count", [0, 1, len(TESTS)])
def test_the_report_is_written_test_by_test(tmp_path, stored, count):
    """Its text is that of the whole at once."""
    run = replace(sample_run(), tests=TESTS[:count])
    write_json(replace(run, tests=stored[:count]), tmp_path / "report.json")
    whole = json.dumps(to_dict(run), ensure_ascii=False, indent=1) + "\n"
    assert (tmp_path / "report.json").read_text("utf-8") == whole


@pytest.mark.parametrize("lines", [summary_lines, matrix_lines, sides_lines, accepted_lines])
def test_tables_show_no_more_of_a_test_than_is_kept_for_them(lines):
    compared = window(
        metrics=usual_metrics(),
        base=window(build=BuildRecord("main~1", "go1.25.0"), metrics=usual_metrics()),
        verdicts=(verdict("gc_cpu", "1%", 0.043, "regression"), verdict("peak_rss", "1GB", 2e9, phase="fill")),
        phases=(PhaseRecord("fill", 0.5, 4.0, 600, usual_metrics()),),
    )
    lost = window(name="lost", no_base="the commit has no such window")
    tests = (*sample_run().tests, TestRecord("test_a.py::test_compared", "failed", (compared, lost)))
    assert list(lines(tuple(map(for_tables, tests)), 100)) == list(lines(tests, 100))
