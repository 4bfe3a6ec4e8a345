"""`gomem report merge`: the reports of shards as one run, with the verdicts and the gate of one run."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import calmly, sample_run, usual_metrics, verdict, window

from pytest_gomem.base.errors import Place
from pytest_gomem.base.units import BYTES, RATIO, parse_quantity
from pytest_gomem.commands.cli import main
from pytest_gomem.config.accepted import Acceptance, Amount
from pytest_gomem.config.known_leaks import KnownLeak
from pytest_gomem.report.json_reading import read_report
from pytest_gomem.report.json_report import to_dict, write_json
from pytest_gomem.report.merging import merge
from pytest_gomem.report.shards import Shard
from pytest_gomem.results.acceptances import nothing_to_accept
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.whole import Stale, Whole

TODAY = date(2026, 12, 1)
COMMIT = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
WHOLE = replace(sample_run(), exit_status=1, commit=COMMIT)
IDS = tuple(test.nodeid for test in WHOLE.tests)
KEPT = window(metrics=usual_metrics(), verdicts=(verdict("goroutines", "200", 12.0),))
PASSED = TestRecord("t.py::test_a", "passed", (KEPT,))
FAILED = replace(WHOLE.tests[0], nodeid="t.py::test_b")
LOST = TestRecord("t.py::test_c", "not run", (), reason="stopping after 1 failures")


def shard(*tests: TestRecord, **changed: object) -> RunRecord:
    """A run of these tests alone, at COMMIT."""
    known = {"exit_status": int(any(test.outcome != "passed" for test in tests)), "commit": COMMIT}
    return RunRecord("0.1.0", {"go_version": "go1.26.0", "cpus": 2}, tests, **{**known, **changed})


def parts(run: RunRecord, places: list[int]) -> list[RunRecord]:
    """The run in as many shards as `places` has values: test i is in the shard places[i]; others deselect it."""
    found = []
    for at in sorted(set(places)):
        own = tuple(test for test, place in zip(run.tests, places, strict=True) if place == at)
        left = tuple(test.nodeid for test, place in zip(run.tests, places, strict=True) if place != at)
        status = int(any(test.outcome == "failed" for test in own))
        found.append(replace(run, tests=own, deselected=left, exit_status=status))
    return found


@pytest.fixture
def merging(tmp_path, monkeypatch):
    """Writes reports a.json, b.json ... and runs the command on them; its status and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(runs: list[RunRecord], *argv: str) -> tuple[int, str, str]:
        names = [f"{chr(ord('a') + number)}.json" for number in range(len(runs))]
        for name, one in zip(names, runs, strict=True):
            write_json(one, tmp_path / name)
        out, err = io.StringIO(), io.StringIO()
        return main(["report", "merge", *names, *argv], out, err), out.getvalue(), err.getvalue()

    return run


def printed(*argv: str) -> str:
    out, err = io.StringIO(), io.StringIO()
    assert main(argv, out, err) == 0, err.getvalue()
    return out.getvalue()


def test_three_shards_have_the_verdicts_of_one_run(merging, tmp_path):
    """Each test, in JSON, JUnit and the failures, is that of the run of all tests; so is the gate."""
    by_turns = [number * 3 // len(IDS) for number in range(len(IDS))]
    status, out, err = merging(parts(WHOLE, by_turns), "-o", "out/merged.json", "--junit", "out/junit.xml")
    assert (status, err) == (1, "")
    assert out.splitlines()[0].startswith("FAILED tests/memory/test_mem.py::test_upload - peak_rss")
    assert out.splitlines()[-1] == "3 reports, 13 tests: 3 failed, 9 passed, 1 skipped"
    write_json(WHOLE, tmp_path / "out" / "whole.json")
    merged = json.loads((tmp_path / "out" / "merged.json").read_text())
    assert merged["tests"] == to_dict(WHOLE)["tests"]
    assert merged["environment"] == to_dict(WHOLE)["environment"]
    told = {name: merged["run"][name] for name in ("exit_status", "complete", "commit", "deselected", "problems")}
    assert told == {"exit_status": 1, "complete": True, "commit": COMMIT, "deselected": [], "problems": []}
    assert [(one["file"], len(one["tests"])) for one in merged["run"]["shards"]] == [
        ("a.json", 5), ("b.json", 4), ("c.json", 4),
    ]  # fmt: skip
    explained = printed("explain", "out/merged.json")
    assert explained == printed("explain", "out/whole.json").replace("whole.json", "merged.json")
    printed("report", "out/whole.json", "--junit", "out/whole.xml")
    junit = (tmp_path / "out/junit.xml").read_text()
    assert junit == (tmp_path / "out/whole.xml").read_text().replace("whole.json", "merged.json")


@calmly
@given(st.data(), st.booleans(), st.booleans())
def test_however_a_run_is_split_it_is_decided_alike(data, seen, is_lost):
    """Outcomes, and what is left to accept; each of many splits, with a lost test or without."""
    tests = (*WHOLE.tests, LOST) if is_lost else WHOLE.tests
    place = Place("gomem_accepted.yaml", 3)
    globs = data.draw(st.lists(st.sampled_from(["*::test_[*", "*", "*test_upload", *IDS[1:3], "*test_matrix*"])))
    metrics = data.draw(st.lists(st.sampled_from(["live_heap", "peak_rss", "time_to_limit"]), min_size=1))
    ten = Amount(parse_quantity("10MB", BYTES), relative=False)
    entries = tuple(Acceptance(glob, one, ten, "r", "o", TODAY, place) for glob in set(globs) for one in set(metrics))
    known = Whole(strict=True, stale=() if seen else None, accepted=entries)
    whole = replace(WHOLE, tests=tests, whole=known)
    places = data.draw(st.lists(st.integers(0, 3), min_size=len(tests), max_size=len(tests)))
    runs = parts(whole, places)
    found = merge([Shard(str(at), one) for at, one in enumerate(runs)], TODAY)
    assert sorted(found.run.tests, key=repr) == sorted(tests, key=repr)
    assert set(found.failures) == {test.nodeid for test in tests if test.outcome in ("failed", "not run")}
    left = nothing_to_accept(known, tests, TODAY, whole=seen and not is_lost)
    assert len(found.run.problems) == len(left)
    assert found.run.exit_status == 1


def test_a_green_run_is_green(merging):
    """With machines of two kinds: the report keeps what they have in common, and each for itself."""
    other = shard(replace(PASSED, nodeid="t.py::test_b"))
    other = replace(other, environment={"go_version": "go1.26.0", "cpus": 4})
    status, out, _ = merging([shard(PASSED), other], "-o", "merged.json", "--shards", "2")
    assert (status, out) == (0, "2 reports, 2 tests: 2 passed\n")
    merged = json.loads(Path("merged.json").read_text())
    assert (merged["environment"]["go_version"], merged["environment"]["cpus"]) == ("go1.26.0", None)
    assert [one["environment"]["cpus"] for one in merged["run"]["shards"]] == [2, 4]


def test_commits_that_nobody_knows_are_not_checked(merging):
    """It is said, and fails nothing."""
    runs = [shard(PASSED, commit=""), shard(replace(PASSED, nodeid="t.py::test_b"), commit="")]
    status, out, _ = merging(runs)
    assert status == 0
    assert out.startswith("note: no report says its commit, ")
    assert "note" not in merging(runs[:1])[1]


REFUSED = {
    "a test twice": (
        [shard(PASSED), shard(FAILED), shard(PASSED)],
        (),
        "the test t.py::test_a is in several reports: a.json, c.json\n  leave out all but one of these reports\n",
    ),
    "a matrix id twice": (
        [shard(WHOLE.tests[-1]), shard(WHOLE.tests[-1])],
        (),
        "the test tests/memory/test_mem.py::test_matrix[gogc=400-gomemlimit=1GiB] is in several reports: a.json, ",
    ),
    "two commits": (
        [shard(PASSED), shard(FAILED, commit="f" * 40)],
        (),
        "the reports are of different commits: 0a1b2c3d4e5f (a.json), ffffffffffff (b.json)\n"
        "  run all shards on one commit, and merge their new reports\n",
    ),
    "dirty and clean": (
        [shard(PASSED), shard(FAILED, commit=f"{COMMIT}-dirty")],
        (),
        "the reports are of different commits: 0a1b2c3d4e5f (a.json), 0a1b2c3d4e5f-dirty (b.json)\n"
        "  a step of that job has changed tracked files: git status there names them\n",
    ),
    "no commit": (
        [shard(PASSED), shard(FAILED, commit="")],
        (),
        "the reports are of different commits: 0a1b2c3d4e5f (a.json), one without git (b.json)\n",
    ),
    "two bases": (
        [shard(PASSED, against="f" * 40), shard(FAILED)],
        (),
        "the reports are compared with different sides: ffffffffffff (a.json), none (b.json)\n"
        "  give all shards the same commit to compare with, by its hash\n",
    ),
    "two folders": (
        [shard(PASSED), shard(FAILED, folder="billing")],
        (),
        "the reports are of different folders of the repository: its top (a.json), billing (b.json)\n",
    ),
    "a test that nobody ran": (
        [shard(PASSED, deselected=("t.py::test_b", "t.py::test_z")), shard(FAILED, deselected=("t.py::test_z",))],
        (),
        "the test t.py::test_z was left out (a.json, b.json), and no report has it\n"
        "  is the report of a shard missing? if no shard is to run a test, say  --without GLOB  of its id\n",
    ),
    "a test that nobody ran as a shard broke off": (
        [shard(PASSED, deselected=("t.py::test_z",)), shard(deselected=("t.py::test_a",), exit_status=4)],
        (),
        "the test t.py::test_z was left out (a.json), and no report has it\n"
        "  b.json: pytest ended with status 4: a mistake in its options, markers or gomem.yaml\n",
    ),
    "a shard that is missing": (
        [shard(PASSED), shard(FAILED)],
        ("--shards", "3"),
        "the number of reports is 2, and --shards says 3: a.json, b.json\n  look at the job of each shard: ",
    ),
    "one too many": ([shard(PASSED), shard(FAILED)], ("--shards", "1"), "the number of reports is 2, and "),
    "the output among the input": ([shard(PASSED)], ("-o", "./a.json"), "./a.json is among the reports to merge, and "),
}  # fmt: skip


@pytest.mark.parametrize(("runs", "argv", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_one_run_is_refused(merging, runs, argv, said):
    """With test, files and what to do; nothing is written."""
    status, out, err = merging(runs, *argv, *(() if "-o" in argv else ("-o", "merged.json")))
    assert (status, out) == (2, "")
    assert err.startswith(f"gomem report: {said}")
    assert not Path("merged.json").exists()


def test_many_errors_are_few_lines(merging):
    """The first of each kind, and how many more there are."""
    tests = [replace(PASSED, nodeid=f"t.py::test_{number}") for number in range(40)]
    status, _, err = merging([shard(*tests, deselected=("t.py::test_z",)), shard(*tests)])
    assert status == 2
    assert [err.count(words) for words in ("is in several reports", "and no report has it")] == [5, 1]
    assert err.count("leave out all but one") == 1
    assert "\nand 35 more tests of that kind\n  leave out all but one of these reports\n" in err


def test_a_test_that_is_left_out_on_purpose_is_said(merging):
    """By a glob, as those of gomem.yaml; what is declared for all tests is not decided then."""
    known = Whole(strict=True, stale=(Stale("the budget of 'gone' matches no test", Place("gomem.yaml", 3)),))
    runs = [shard(PASSED, deselected=("t.py::test_slow[a-1]",), whole=known)]
    status, out, err = merging(runs, "--without", "t.py::test_slow", "-o", "merged.json")
    assert (status, out, err) == (0, "1 report, 1 test: 1 passed\n", "")
    assert json.loads(Path("merged.json").read_text())["run"]["deselected"] == ["t.py::test_slow[a-1]"]


def test_a_test_without_a_result_fails_the_gate(merging):
    """It is no mistake in the input: what the other tests have shown stands, and the reason is told."""
    status, out, err = merging([shard(PASSED), shard(LOST, complete=False)], "-o", "merged.json")
    assert (status, err) == (1, "")
    assert out == ("NOT RUN t.py::test_c - stopping after 1 failures\n2 reports, 2 tests: 1 passed, 1 not run\n")
    assert not json.loads(Path("merged.json").read_text())["run"]["complete"]


def test_a_shard_that_broke_off_names_few_of_its_tests(merging):
    """Those that failed are all told."""
    lost = [replace(LOST, nodeid=f"t.py::test_{number}") for number in range(30)]
    failed = [replace(FAILED, nodeid=f"u.py::test_{number}") for number in range(30)]
    out = merging([shard(*lost, *failed, complete=False)])[1].splitlines()
    assert [sum(line.startswith(word) for line in out) for word in ("NOT RUN", "FAILED")] == [10, 30]
    assert out[-2:] == ["and 20 more tests without a result", "1 report, 60 tests: 30 not run, 30 failed"]


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (shard(replace(PASSED, nodeid="b"), exit_status=1), "pytest failed, and no measured test did: "),
        (shard(exit_status=2, interrupted=True), "pytest ended with status 2: it was interrupted"),
        (shard(exit_status=3), "pytest ended with status 3: an internal error"),
        (shard(exit_status=6), "pytest ended with status 6: its output says why"),
        (shard(exit_status=4), "pytest ended with status 4: a mistake in its options, markers or gomem.yaml"),
    ],
)  # fmt: skip
def test_a_shard_that_ended_badly_fails_the_gate(merging, run, said, tmp_path):
    """Whatever its measured tests say; readers of the merged report and of JUnit see it too."""
    status, out, _ = merging([shard(PASSED), run], "-o", "merged.json", "--junit", "junit.xml")
    assert status == 1
    assert out.startswith(f"FAILED b.json: {said}")
    assert f"the run fails: b.json: {said}" in printed("explain", "merged.json")
    assert (
        f'<testcase classname="gomem" name="run" time="0.000"><error message="b.json: {said}'
        in (tmp_path / "junit.xml").read_text()
    )


def test_a_shard_without_tests_is_no_failure_and_a_run_without_is(merging):
    """A splitter may leave a shard without any."""
    assert merging([shard(PASSED), shard(exit_status=5)])[0] == 0
    status, out, _ = merging([shard(exit_status=5)])
    assert (status, out) == (
        1,
        "FAILED no test was measured in any of the reports\n1 report, 0 tests: none was measured\n",
    )


STALE = Stale("the budget of 'gone' matches no test", Place("gomem.yaml", 3))
LEAK = KnownLeak("t.py::*", "goroutines", "main.serve", "r", "o", date(2199, 1, 1), Place("gomem_accepted.yaml", 4))


@pytest.mark.parametrize("strict", [True, False])
def test_what_only_the_whole_can_tell_is_told_there(merging, strict):
    """Stale globs and acceptances with nothing left to accept: an error under --gomem-strict, else a note."""
    entry = Acceptance("t.py::*", "goroutines", None, "r", "o", date(2026, 1, 1), Place("gomem_accepted.yaml", 3))
    known = Whole(strict=strict, stale=(STALE,), accepted=(entry,), known_leaks=(LEAK,))
    runs = parts(shard(PASSED, replace(PASSED, nodeid="t.py::test_b"), whole=known), [0, 1])
    status, out, _ = merging(runs)
    assert status == int(strict)
    word, end = ("FAILED", "") if strict else ("note:", "; an error under --gomem-strict")
    assert out.splitlines()[:2] == [
        f"{word} gomem.yaml:3: the budget of 'gone' matches no test{end}",
        f"{word} gomem_accepted.yaml:3: what was accepted of goroutines until 2026-01-01 is over: remove the entry of "
        f"'t.py::*'{end}",
    ]


AGAIN = "goroutines is within its limits again: remove the entry of 't.py::test_*'"


@pytest.mark.parametrize(
    ("stale", "more", "is_told"),
    [((), (), True), (None, (), False), ((), (replace(LOST, nodeid="u.py::test_z"),), False)],
    ids=["all ran", "there may be others", "one is lost"],
)
def test_an_acceptance_of_many_tests_needs_all_of_them(merging, stale, more, is_told):
    """It has nothing left to accept when all tests have run to their end, in whichever shard."""
    ten = Amount(parse_quantity("10%", RATIO), relative=True)
    entry = Acceptance("t.py::test_*", "goroutines", ten, "r", "o", date(2199, 1, 1), Place("gomem_accepted.yaml", 3))
    known = Whole(stale=stale, accepted=(entry,))
    runs = parts(shard(PASSED, replace(PASSED, nodeid="t.py::test_b"), *more, whole=known), [0, 1, *[1 for _ in more]])
    assert (AGAIN in merging(runs, "-o", "merged.json")[1]) == is_told
    (accepted,) = read_report(Path("merged.json")).whole.accepted
    assert (str(accepted.amount), accepted.amount.relative, accepted.muted) == ("10%", True, False)


def test_a_glob_that_one_shard_knows_a_test_for_is_not_stale(merging):
    """Nor is anything where none of them has looked into all files."""
    seen, knows, blind = (Whole(strict=True, stale=stale) for stale in ((STALE,), (), None))
    other = replace(PASSED, nodeid="t.py::test_b")
    assert merging([shard(PASSED, whole=seen), shard(other, whole=knows)])[0] == 0
    assert merging([shard(PASSED, whole=seen), shard(other, whole=blind)])[0] == 1
    assert merging([shard(PASSED, whole=blind), shard(other, whole=blind)])[0] == 0


def test_kept_files_are_found_from_the_merged_report(merging, tmp_path):
    """Each shard keeps its folder, also where all have the same name, and the merged report may be elsewhere."""
    broken = verdict("live_heap", "1MB", 5e6, reason="live_heap is 5.00 MB")
    kept = {"base_profile": "t/base.pb.gz", "heap_profile": "t/heap.pb.gz"}
    runs = []
    for name in ("one", "two"):
        measured = window(verdicts=(broken,), artifacts=kept, base=window(artifacts={"log": "t/base.log"}))
        test = TestRecord(f"t.py::test_{name}", "failed", (measured,))
        runs.append(shard(test, artifacts=str(tmp_path / "shards" / name / "gomem")))
    assert merging(runs, "-o", "out/deep/merged.json")[0] == 1
    data = json.loads((tmp_path / "out/deep/merged.json").read_text())
    assert data["run"]["artifacts"] == "../../shards"
    assert data["tests"][1]["windows"][0]["artifacts"]["heap_profile"] == "two/gomem/t/heap.pb.gz"
    assert data["tests"][1]["windows"][0]["base"]["artifacts"]["log"] == "two/gomem/t/base.log"
    assert "shards/one/gomem/t/base.pb.gz shards/one/gomem/t/heap.pb.gz" in printed("explain", "out/deep/merged.json")
    alone = merging(runs[:1], "-o", "alone.json")
    assert (alone[0], json.loads(Path("alone.json").read_text())["run"]["artifacts"]) == (1, "shards/one/gomem")


def test_merged_reports_merge(merging, tmp_path):
    """In two steps there is the same report as in one; and with one of its own parts a merged report is refused."""
    tests = [replace(PASSED, nodeid=f"t.py::test_{name}") for name in "abc"]
    runs = parts(shard(*tests), [0, 1, 2])
    merging(runs[1:], "--without", "t.py::test_a", "-o", "two.json")
    write_json(runs[0], tmp_path / "first.json")
    out, err = io.StringIO(), io.StringIO()
    assert main(["report", "merge", "first.json", "two.json", "-o", "merged.json"], out, err) == 0, err.getvalue()
    files = [one["file"] for one in json.loads(Path("merged.json").read_text())["run"]["shards"]]
    assert files == ["first.json", "a.json", "b.json"]
    assert main(["report", "merge", "first.json", "merged.json"], out, err) == 2
    assert "merged.json is itself merged: leave it out\n" in err.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}x", "is no report of pytest --gomem-json\n"),
        ('{"tests": [', "is no report of pytest --gomem-json\n"),
        ('{"tests": [1]}', "is no report of pytest --gomem-json: tests[0]: expected an object (TestRecord), not 1\n"),
        ("[]", "is no report of pytest --gomem-json\n"),
        ('{"schema_version": 2}', "is a report of schema_version 2, and pytest-gomem "),
        (None, "cannot be read: "),
    ],
)
def test_a_file_that_cannot_be_read_is_named(merging, content, said):
    """Foreign JSON, half a report, that of a later version."""
    if content is not None:
        Path("other.json").write_text(content)
    status, out, err = merging([shard(PASSED)], "other.json")
    assert (status, out) == (2, "")
    assert err.startswith(f"gomem report: other.json: {said}")


def test_a_report_that_was_written_anew_is_read(merging, tmp_path):
    """Its members in another order, and without a line break: as jq writes it."""
    merging([WHOLE])
    data = json.loads((tmp_path / "a.json").read_text())
    Path("sorted.json").write_text("\ufeff" + json.dumps(dict(sorted(data.items())), separators=(",", ":")))
    assert printed("explain", "sorted.json") == printed("explain", "a.json").replace("a.json", "sorted.json")
    data["tests"].append(data["tests"][0])
    Path("twice.json").write_text(json.dumps(data))
    out, err = io.StringIO(), io.StringIO()
    assert main(["report", "merge", "twice.json"], out, err) == 2
    assert err.getvalue().startswith(f"gomem report: twice.json: has the test {IDS[0]} twice\n")


def test_an_output_that_cannot_be_written_hides_no_verdict(merging):
    """What fails the run is told all the same, and the other outputs are written."""
    status, out, err = merging([shard(FAILED)], "-o", "a.json/merged.json", "--junit", "junit.xml")
    assert (status, out.count("FAILED t.py::test_b"), Path("junit.xml").exists()) == (2, 1, True)
    assert err.startswith("gomem report: -o: the JSON report cannot be written to a.json/merged.json: ")


class Closed(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_who_reads_only_the_first_lines_has_the_files(merging):
    """`gomem report merge ... | head` closes the pipe, perhaps before the account is written."""
    merging([shard(PASSED)])
    main(["report", "merge", "a.json", "-o", "merged.json"], Closed(), io.StringIO())
    assert [test.nodeid for test in read_report(Path("merged.json")).tests] == ["t.py::test_a"]


def test_a_comment_on_stdout_stands_alone_there(merging):
    """It may go into a file or the summary of a job; what fails the run goes to stderr."""
    status, out, err = merging([shard(PASSED), shard(FAILED)], "--markdown", "-")
    assert status == 1
    assert "t.py::test_b" in out
    assert "2 reports" not in out
    assert err.splitlines()[-1] == "2 reports, 2 tests: 1 passed, 1 failed"


def test_several_reports_make_one_file(merging, tmp_path):
    """`gomem report` takes shards too; it judges nothing."""
    merging([shard(PASSED), shard(FAILED)])
    assert printed("report", "a.json", "b.json", "--junit", "junit.xml") == ""
    assert 'tests="2"' in (tmp_path / "junit.xml").read_text()
    out, err = io.StringIO(), io.StringIO()
    assert main(["report", "a.json", "--junit", "junit.xml", "--shards", "2"], out, err) == 2
    assert err.getvalue().startswith("gomem report: the number of reports is 1, and --shards says 2: a.json\n")
