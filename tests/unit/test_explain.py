"""`gomem explain`: the failures of a JSON report, in the words of the run."""

from __future__ import annotations

import io
import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from report_samples import dead_window, failing_window, fat_window, sample_tests, verdict, window

from pytest_gomem.commands.cli import main
from pytest_gomem.commands.explain import _read
from pytest_gomem.report.failure import TextOptions, failure_text, failure_texts
from pytest_gomem.report.json_report import test_to_dict as to_dict
from pytest_gomem.report.json_report import write_json
from pytest_gomem.report.json_rules import PUBLIC
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.stored import StoredTests
from pytest_gomem.results.window_record import BuildRecord

UPLOAD = "tests/memory/test_mem.py::test_upload"
SAMPLES = sample_tests()
REGRESSION = replace(
    verdict("live_heap", "1B", 66e6, "regression", "live_heap is 3.00 MB (+4.76%) worse than at main"),
    baseline=63e6, change=3e6, interval=(2.9e6, 3.1e6), rounds=(8, 8), smallest_visible=1e5,
)  # fmt: skip
# Of a comparison with a commit, as a limit on regressions that is broken.
BETWEEN = window(
    verdicts=(REGRESSION,),
    base=window(build=BuildRecord("main (0a1b2c3d4e5f)", "go1.25.9", "0a1b2c3d4e5f6789"), bill=fat_window().bill),
    bill=fat_window().bill,
    phases=failing_window().phases,
)


@pytest.fixture
def explain(tmp_path, monkeypatch):
    """Runs the command on a report.json with these tests; its status and what it printed to either stream."""
    monkeypatch.chdir(tmp_path)

    def run(*argv: str, tests=SAMPLES, report="report.json", artifacts="") -> tuple[int, str, str]:
        folder = str(tmp_path / artifacts) if artifacts else ""
        write_json(RunRecord("0.1.0", {}, tests, artifacts=folder), tmp_path / "report.json")
        out, err = io.StringIO(), io.StringIO()
        return main(["explain", report, *argv], out, err), out.getvalue(), err.getvalue()

    return run


def test_each_failed_test_has_the_text_of_the_run(explain):
    """In the order of the report, and nothing on tests that passed."""
    status, out, err = explain()
    assert (status, err) == (0, "")
    options = TextOptions(report="report.json")
    texts = [text for test in SAMPLES for _, text in failure_texts(test.windows, test.nodeid, options)]
    assert len(texts) == 4
    assert out == "\n\n".join(texts) + "\n"


def test_a_test_is_named_by_its_id_the_end_of_it_or_a_glob(explain):
    """As in the other commands."""
    for name in (UPLOAD, "test_upload", "*::test_upload"):
        assert explain(name)[1].startswith(f"{UPLOAD}: 3 of 5 limits broken")
    assert explain("*::test_[lu]*")[0] == 2
    assert explain("tests/*")[1].count("\n\ntests/") == len(sample_tests()) - 1


def test_verbose_prints_every_line(explain):
    """Where the text is longer than 60 lines it says how to see the rest, and the command does it."""
    long = TestRecord("t.py::test_a", "failed", (replace(failing_window(), notes=("a note",) * 40),))
    out = explain("t.py::test_a", tests=(long,))[1]
    assert len(out.splitlines()) == 60
    assert out.splitlines()[-1].endswith("run with -v, or gomem explain report.json t.py::test_a -v")
    assert explain("t.py::test_a", "-v", tests=(long,))[1].count("    a note\n") == 40


def test_the_next_command_finds_the_kept_files(explain, tmp_path, monkeypatch):
    """The folder of artifacts is known from that of the report, wherever both are now, and named from here."""
    broken = verdict("live_heap", "1MB", 5e6, reason="live_heap is 5.00 MB")
    kept = {"base_profile": "a-base.pb.gz", "heap_profile": "a-heap.pb.gz"}
    test = TestRecord("t.py::test_a[x y]", "failed", (window(verdicts=(broken,), artifacts=kept),))
    flame = "  next  gomem flame --sample inuse_space {0}/a-base.pb.gz {0}/a-heap.pb.gz\n"
    assert flame.format("out/kept") in explain(tests=(test,), artifacts="out/kept")[1]
    (tmp_path / "moved").mkdir()
    (tmp_path / "report.json").rename(tmp_path / "moved" / "report.json")
    for here, there in (("", "moved/out/kept"), ("moved", "out/kept")):
        monkeypatch.chdir(tmp_path / here)
        out = io.StringIO()
        assert main(["explain", str(tmp_path / "moved/report.json")], out, io.StringIO()) == 0
        assert flame.format(there) in out.getvalue()


def test_a_test_that_passed_shows_the_room_it_has_left(explain):
    """Only if it is named: each verdict in a line, with its value, its limit and how it stands."""
    steady, other = SAMPLES[1].windows[0], replace(SAMPLES[2].windows[0], no_base="it is new")
    test = TestRecord("t.py::test_a", "passed", (steady, other))
    assert explain("test_a", tests=(test,))[1] == (
        "t.py::test_a: passed\n"
        "  window 'steady' of api, 10.2 s\n"
        "    peak_rss       1.58 GB  1.8GB   12% left\n"
        "    time_to_limit   3.47 d  >= 24h  247% left\n"
        "  window 'test' of api, 10.2 s\n"
        "    live_heap  63.8 MB  warn 60MiB  over by 1.4%\n"
        "    not compared: it is new\n"
    )
    assert explain("test_skipped")[1] == "tests/memory/test_mem.py::test_skipped: skipped\n"


def test_a_failure_without_a_broken_limit_says_so(explain):
    """What the process left behind is told; the error itself is in pytest's output alone."""
    dead = TestRecord("t.py::test_dead", "failed", (dead_window(),))
    crashed = TestRecord("t.py::test_crashed", "crashed", (), reason="its xdist worker died")
    out = explain(tests=(dead, crashed))[1]
    assert out.startswith("t.py::test_dead: failed, no limit is broken: pytest shows its error\n  window 'test' of api")
    assert "    api (pid 4242) was killed by SIGKILL" in out
    assert "\n  end of the log\n    panic: red\n" in out
    assert out.endswith("\n\nt.py::test_crashed: crashed, its xdist worker died\n")


def test_a_run_without_failures_says_so(explain):
    """The count of outcomes tells an empty report from a green one."""
    passed = [SAMPLES[2], *SAMPLES[5:]]
    assert explain(tests=passed)[1] == "no test of report.json failed: 2 passed, 1 skipped\n"
    assert explain(tests=())[1] == "no test of report.json failed: none was measured\n"


@pytest.mark.parametrize(("wanted", "count"), [(None, 4), ("test_upload", 1), ("tests/*", len(SAMPLES))])
def test_only_what_may_be_shown_is_kept(explain, wanted, count):
    """And that on disk: of the other tests of a long run their ids alone stay in memory."""
    explain()
    with closing(StoredTests()) as stored:
        read = _read(Path("report.json"), stored, wanted)
        assert len(stored) == count
    assert (tuple(read.run.tests), len(read.nodeids)) == ((), len(SAMPLES))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("test_uplaod", f"no test 'test_uplaod'\n  nearest: {UPLOAD}, "),
        ("none*", "no test 'none*'\n  there are: tests/memory/test_mem.py::TestDownload"),
    ],
)
def test_a_test_that_is_not_there(explain, name, said):
    """One line and what to do; exit status 2."""
    status, out, err = explain(name)
    assert (status, out) == (2, "")
    assert err.startswith(f"gomem explain: {said}")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "other.json: cannot be read: No such file or directory\n  pytest --gomem-json=PATH writes one\n"),
        ("{", "other.json: is no report of pytest --gomem-json\n  pytest --gomem-json=PATH writes one\n"),
        ("{}", "other.json: is no report of pytest --gomem-json: "),
    ],
)
def test_a_file_that_is_no_report(explain, tmp_path, content, said):
    """The file is named, and what writes one."""
    if content is not None:
        (tmp_path / "other.json").write_text(content)
    status, out, err = explain(report="other.json")
    assert (status, out) == (2, "")
    assert err.startswith(f"gomem explain: {said}")


@pytest.mark.parametrize(
    "measured", [failing_window(), fat_window(), dead_window(), BETWEEN], ids=["failing", "fat", "dead", "between"]
)
def test_a_report_loses_nothing_of_a_text(measured):
    """The window as the report gives it back has the text of the window in the run."""
    data = json.loads(json.dumps(to_dict(TestRecord("a", "failed", (measured,)))))
    back = PUBLIC.decode(TestRecord, data).windows[0]
    for options in (TextOptions(), TextOptions(lines=None)):
        assert failure_text(back, "t.py::a", options) == failure_text(measured, "t.py::a", options)
