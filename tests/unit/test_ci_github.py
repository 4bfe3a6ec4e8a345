"""What GitHub shows of a run by itself: annotations at the line that did it, and the summary of the job."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from ci_readers import commands
from ci_samples import UPLOAD, passed, repository, run_of, side, with_limit, worse
from report_samples import dead_window, verdict, window
from trace_samples import REPORT

from pytest_gomem.ci.findings import clear_names, tell
from pytest_gomem.ci.github import MOST, SUMMARY, add_summary, annotation_lines, run_link
from pytest_gomem.ci.outputs import show_on_github
from pytest_gomem.ci.places import Spot, spot_of
from pytest_gomem.judge.verdict import Accepted
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.retention.model import Holder, HolderKind
from pytest_gomem.stats.decision import Status
from pytest_gomem.tracing.model import AssistLine, Frame


def shown(run, top=None):
    """The annotations as the runner reads them."""
    lines = list(annotation_lines(tell(run, top, "gomem")))
    found = commands("\n".join(lines))
    assert len(found) == len(lines)
    return found


class TestPlace:
    def test_the_line_of_go_that_did_it(self, tmp_path):
        """The culprit's file is relative to the go.mod, whose folder in the repository the report knows."""
        (error,) = shown(run_of(worse()), repository(tmp_path, "store.go"))
        assert error.name == "error"
        assert error.properties == {
            "file": "services/api/store.go",
            "line": "18",
            "title": "test_upload[1]: live_heap is 20% worse than HEAD^",
        }
        assert error.message.splitlines()[0].startswith("who   allocated by store.Put (store.go:18)")
        assert f"next  pytest '{UPLOAD}[1]'" in error.message
        assert f"or    gomem accept '{UPLOAD}[1]' live_heap" in error.message

    @pytest.mark.parametrize(
        ("files", "file", "folder", "spot"),
        [
            (["cmd/main.go"], "store.go", "services/api", Spot("services/api/cmd/main.go", 7)),
            (["store.go"], "store.go", None, Spot("py/tests/memory/test_mem.py", 12)),
            ([], "store.go", "services/api", Spot("py/tests/memory/test_mem.py", 12)),
            (["store.go"], "../api/store.go", "services/api", Spot("py/tests/memory/test_mem.py", 12)),
            (["store.go"], "a\0b", "services/api", Spot("py/tests/memory/test_mem.py", 12)),
        ],
        ids=["caller", "unknown module", "elsewhere", "climbing", "no name"],
    )
    def test_without_a_line_in_the_repository_it_is_another(self, tmp_path, files, file, folder, spot):
        """The user's own line that called it, else the test: a file that is not there is no place."""
        got = side(Status.FAIL, file=file, folder=folder)
        test = replace(worse(), windows=(got,))
        assert spot_of(run_of(test), test, got, got.verdicts, repository(tmp_path, *files)) == spot

    def test_a_holder_gives_way_to_the_line_that_allocates(self, tmp_path):
        """A local variable of main.main holds what the whole service does: its line is where main waits."""
        held = Holder(
            HolderKind.GOROUTINE, "local of main.main", 2 * 10**6, 0.98, 1,
            function="main.main", file="wait.go", line=40,
        )  # fmt: skip
        top = repository(tmp_path, "store.go", "wait.go")
        got = replace(side(Status.FAIL), holders=(held,))
        test = replace(worse(), windows=(got,))
        assert spot_of(run_of(test), test, got, got.verdicts, top) == Spot("services/api/store.go", 18)
        got = replace(got, culprits=())
        assert spot_of(run_of(test), test, got, got.verdicts, top) == Spot("services/api/wait.go", 40)

    def test_the_line_that_assists_comes_before_the_one_that_allocates(self, tmp_path):
        """As an execution trace names it, for a limit on assists."""
        assists = replace(REPORT, lines=(AssistLine(Frame("main.churn", "churn.go", 71), 30, 0.15, 0.04),))
        top = repository(tmp_path, "store.go", "churn.go")
        got = side(Status.FAIL)
        (verdict,) = got.verdicts
        of_assists = replace(verdict, budget=replace(verdict.budget, metric="gc_assist_cpu"))
        got = replace(got, trace=assists, verdicts=(of_assists,))
        test = replace(worse(), windows=(got,))
        assert spot_of(run_of(test), test, got, got.verdicts, top) == Spot("services/api/churn.go", 71)

    def test_a_link_out_of_the_repository_is_no_place(self, tmp_path):
        """The file would be another repository's."""
        (tmp_path / "elsewhere.go").write_text("package main\n")
        top = repository(tmp_path / "repo", "other.go")
        (top / "services/api/store.go").symlink_to(tmp_path / "elsewhere.go")
        (error,) = shown(run_of(worse()), top)
        assert error.properties["file"] == "py/tests/memory/test_mem.py"

    @pytest.mark.parametrize(
        ("function", "file", "place"),
        [
            ("example.com/api/store.Put", "store.go", "services/api/store.go"),
            ("main.fill", "main.go", "services/api/main.go"),
            ("bufio.NewReaderSize", "bufio/bufio.go", "py/tests/memory/test_mem.py"),
            ("example.com/other.F", "example.com/other@v1.2.0/f.go", "py/tests/memory/test_mem.py"),
        ],
    )
    def test_without_the_files_names_tell_what_is_ones_own(self, function, file, place):
        """Shards are merged in a job that needs no checkout."""
        got = side(Status.FAIL)
        culprit = replace(got.culprits[0], function=function, file=file, callers=())
        (error,) = shown(run_of(replace(worse(), windows=(replace(got, culprits=(culprit,)),))))
        assert error.properties["file"] == place

    def test_what_is_no_test_has_no_file(self):
        """`gomem run` measures a program, and its report names no test."""
        (error,) = shown(run_of(replace(worse(), nodeid="gomem run", windows=(side(Status.FAIL, folder=None),))))
        assert set(error.properties) == {"title"}


class TestLevel:
    def test_a_limit_that_fails_no_test_is_a_warning(self):
        """As under --gomem-report-only, or past a warning level; what is accepted or expected is neither."""
        near = window(verdicts=(verdict("live_heap", "60MiB", 63.8e6, "warn"),))
        known = Accepted("known", "me", date(2030, 1, 1), "10%")
        accepted = window(verdicts=(replace(near.verdicts[0], accepted=known),))
        tests = [
            replace(worse(1), outcome="passed"),
            passed(near, "t.py::test_near"),
            passed(accepted, "t.py::test_accepted"),
            replace(worse(2), outcome="xfailed"),
            TestRecord("t.py::test_skipped", "skipped", ()),
            TestRecord("t.py::test_lost", "not run", (), reason="the run ended before"),
        ]
        assert [(one.name, one.properties["title"].partition(":")[0]) for one in shown(run_of(*tests))] == [
            ("warning", "test_upload[1]"),
            ("warning", "test_near"),
        ]

    def test_what_failed_without_a_limit_says_why(self):
        """A service that died, a worker that crashed, a test's own error."""
        tests = [
            TestRecord("t.py::test_died", "failed", (dead_window(),), line=3),
            TestRecord("t.py::test_own", "error", (window(),), line=4),
            TestRecord("t.py::test_crashed", "crashed", (), reason="its worker\ndied"),
        ]
        found = {one.properties["title"]: one for one in shown(run_of(*tests, folder=""))}
        (died,) = (title for title in found if title.startswith("test_died: api (pid 4242) was killed by SIGKILL"))
        assert found[died].properties["line"] == "3"
        assert "test_own: its set-up or teardown failed with an error of its own, which is in the log" in found
        assert r"test_crashed: its worker\ndied" in found


class TestLimits:
    def test_the_worst_come_first_and_the_last_counts_the_rest(self):
        """GitHub shows ten errors of a step, in their order."""
        tests = [worse(number, number / 100) for number in range(1, 16)]
        found = shown(run_of(*tests))
        assert len(found) == MOST
        assert [one.properties["title"].partition(":")[0] for one in found[:3]] == [
            f"test_upload[{number}]" for number in (15, 14, 13)
        ]
        assert found[-1].properties["title"] == "6 more errors of pytest-gomem"
        assert found[-1].message == (
            f"{', '.join(f'test_upload[{number}]' for number in range(6, 0, -1))}: see the summary of the job"
        )
        assert len(shown(run_of(*tests[:MOST]))) == MOST

    def test_what_fails_the_run_comes_first(self):
        """It takes of the ten that are shown."""
        run = replace(run_of(*map(worse, range(20))), problems=("shard 2 was interrupted",))
        found = shown(run)
        assert (found[0].properties["title"], found[0].message) == ("pytest-gomem", "shard 2 was interrupted")
        assert len(found) == MOST
        assert found[-1].properties["title"] == "12 more errors of pytest-gomem"

    def test_warnings_have_their_own_ten(self):
        """They take no room from errors."""
        tests = [replace(worse(number), outcome="passed") for number in range(15)]
        assert [one.name for one in shown(run_of(*tests, worse(99)))] == ["error", *["warning"] * MOST]

    def test_the_summary_leaves_what_is_there(self, tmp_path):
        """Another tool of the step may have written before; together they stay below the limit."""
        path = tmp_path / "summary"
        told = tell(run_of(*(worse(number) for number in range(900))), None)
        for before in (SUMMARY - 200_000, SUMMARY - 3000, SUMMARY - 100, SUMMARY + 5):
            path.write_bytes(b"x" * before)
            add_summary(told, {"GITHUB_STEP_SUMMARY": str(path)})
            text = path.read_bytes()
            assert text[:before] == b"x" * before
            assert len(text) <= max(SUMMARY, before)
            assert (b"900 of 900 tests failed" in text) == (before < SUMMARY - 100)
            assert (b"more failures" in text) == (before < SUMMARY - 100)

    def test_a_summary_that_cannot_be_written_is_a_warning(self, tmp_path):
        """Nobody asked for it, so it fails nothing."""
        lines = show_on_github(tell(run_of(passed(side())), None), {"GITHUB_STEP_SUMMARY": str(tmp_path)})
        (warning,) = commands("\n".join(lines))
        assert warning.name == "warning"
        assert "the summary of the job cannot be written to" in warning.message

    def test_limits_without_a_comparison_have_their_table(self, tmp_path):
        """The summary is for all runs, also those that compare nothing."""
        path = tmp_path / "summary"
        add_summary(tell(run_of(passed(with_limit())), None), {"GITHUB_STEP_SUMMARY": str(path)})
        assert "all limits are kept in 1 test" in path.read_text()
        assert "| `test_upload` | `live_heap` | 12.0 MB | 60MiB | 81% left |" in path.read_text()


def test_names_are_as_short_as_is_clear():
    """Two tests of one name are told apart by their files."""
    assert clear_names(["a/t.py::test_a", "a/t.py::test_b"]) == {
        "a/t.py::test_a": "test_a",
        "a/t.py::test_b": "test_b",
    }
    assert clear_names(["a/t.py::test_a", "a/u.py::test_a"]) == {
        "a/t.py::test_a": "t.py::test_a",
        "a/u.py::test_a": "u.py::test_a",
    }


@pytest.mark.parametrize(
    ("server", "link"),
    [
        ("https://github.com", "https://github.com/me/app/actions/runs/7"),
        ("javascript:alert(1)", ""),
        ("https://x) [y](z", ""),
        ("", ""),
    ],
)
def test_the_link_to_the_run_is_one(server, link):
    """A link goes into Markdown as it is."""
    assert run_link({"GITHUB_SERVER_URL": server, "GITHUB_REPOSITORY": "me/app", "GITHUB_RUN_ID": "7"}) == link
