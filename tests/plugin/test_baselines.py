"""Baselines: recorded, compared with, refused, damaged, and left to the controller under xdist."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_gomem.pprof.read import parse_profile

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
from git_repository import GitRepository

DIAGNOSED = "--gomem-diagnose=20"
TESTS = """
    from pathlib import Path

    def kept():
        return int(Path("kept").read_text())

    @pytest.mark.gomem(rounds=3)
    def test_keeps(go_service):
        go_service.get(f"/alloc?bytes={kept()}&keep=true")

    five = {"regression": "5%"}

    @pytest.mark.gomem(
        rounds=3, live_heap=five, peak_rss=five, alloc_bytes_per_op=five, gc_pause_max={"regression": "10%"}
    )
    def test_tolerates(go_service):
        go_service.get(f"/alloc?bytes={kept()}&keep=true")
"""


# Where no profile matters: an observed round that takes one is the dearest part of a short run.
UNPROFILED, UNPROFILED_RUN = "gomem_baseline_profiles = off", ("--gomem-baseline-profiles=off",)
# Three rounds leave four degrees of freedom: what they see lies some 25 sigmas of their own scatter out, and on a busy
# machine that is up to 10 kB of live heap. 2% of 50 MB is seen through four times that.
KEPT, TWO_PERCENT = 50_000_000, 1_000_000


@pytest.fixture
def project(scenario):
    written = scenario(TESTS)
    keep(written, KEPT)
    return written


@pytest.fixture
def brief(scenario):
    """The same tests where the figures do not matter: one round of each."""
    written = scenario(TESTS.replace("rounds=3", "rounds=1"), ini=UNPROFILED)
    keep(written, 1000)
    return written


def keep(project, size: int) -> None:
    (project.folder / "kept").write_text(str(size))


def path(project) -> Path:
    return project.folder / "gomem_baselines" / "test_it.json"


def statuses(outcome, test: str) -> dict[str, str]:
    return {v["metric"]: v["status"] for v in outcome.window(test)["verdicts"] if v["kind"] == "regression"}


def test_a_worsening_of_two_percent_fails_and_the_update_takes_it(project):
    """Record, compare, worsen, record again: each step says what it did, and touches only what it must."""
    first = project.run("--gomem-update", env={"CI": "true"})
    assert first.status == 0, first.text
    assert "new: test_it.py::test_keeps" in first.text
    assert "2 new; in gomem_baselines" in first.text
    assert "this is CI" in first.text
    text = path(project).read_text()
    data = json.loads(text)
    (snapshot,) = data["tests"]["test_keeps"]["api/test"]
    assert len(snapshot["metrics"]["live_heap"]) == 3
    assert {"go", "goos", "goarch", "gomaxprocs", "agent", "thp", "build"} <= set(snapshot["conditions"])

    same = project.run()
    assert same.status == 0, same.text
    assert "gomem: compared with the baseline of " in same.text
    assert statuses(same, "test_keeps")["live_heap"] == "pass"
    assert statuses(same, "test_tolerates")["gc_pause_max"] == "noisy"
    assert "a noisy metric needs 8 rounds of each side" in " ".join(same.text.split())
    assert path(project).read_text() == text

    keep(project, KEPT + TWO_PERCENT)
    worse = project.run(DIAGNOSED)
    assert worse.status == 1
    assert "1 failed, 1 passed" in worse.text
    verdict = next(v for v in worse.window("test_keeps")["verdicts"] if v["metric"] == "live_heap")
    assert (verdict["status"], verdict["rounds"]) == ("fail", [3, 8])
    assert verdict["smallest_visible"] < 0.95 * TWO_PERCENT
    assert 0.95 * TWO_PERCENT < verdict["change"] < 1.05 * TWO_PERCENT
    assert verdict["interval"][0] < verdict["change"] < verdict["interval"][1]
    assert verdict["baseline"] + verdict["change"] == verdict["actual"]
    assert re.search(r"live_heap is \S+ [kM]B \(\S+\) worse than at the baseline of ", worse.text)
    assert ": 51.2 MB, was 50.2 MB\n" in worse.text
    assert "8 rounds against 3, 95% sure of +" in " ".join(worse.text.split())
    assert len(worse.window("test_keeps")["base"]["rounds"]) == 3
    (culprit,) = [c for c in worse.window("test_keeps")["culprits"] if c["metric"] == "live_heap"]
    # The folder of the module is known where a package of it beside main was sampled too.
    assert (culprit["function"], Path(culprit["file"]).name) == ("main.(*keeper).alloc", "handlers.go")
    assert 0.95 * TWO_PERCENT < culprit["after"] - culprit["before"] < 1.05 * TWO_PERCENT
    assert re.search(rf"main\.\(\*keeper\)\.alloc +(server/)?handlers\.go:{culprit['line']} .* more", worse.text)
    assert "than in the baseline" in culprit["reason"]
    assert "base side" not in worse.text

    profile = path(project).parent / snapshot["profile"]
    good = profile.read_bytes()
    profile.write_bytes(good[: len(good) // 2])
    damaged = project.run("-k", "keeps", "--gomem-confirm=3", DIAGNOSED)
    assert damaged.status == 1
    assert re.search(r"live_heap is \S+ [kM]B \(\S+\) worse than at the baseline of ", damaged.text)
    why = damaged.window("test_keeps")["culprit_summaries"]["live_heap"]
    assert why.startswith(
        f"nobody can be named: the baseline's heap profile, gomem_baselines/{snapshot['profile']}, is d"
    )
    assert "nobody can be named: the baseline's heap profile, " in damaged.text

    again = project.run("--gomem-update", "-k", "keeps", "-n1")  # of a worker's test, whose controller writes
    assert again.status == 0, again.text
    assert "changed: test_it.py::test_keeps" in again.text
    assert "api/test: live_heap 50.2 MB -> 51.2 MB, +" in again.text
    now = json.loads(path(project).read_text())["tests"]
    assert now["test_tolerates"] == data["tests"]["test_tolerates"]
    assert now["test_keeps"] != data["tests"]["test_keeps"]
    assert parse_profile(profile.read_bytes()).values != parse_profile(good).values


def test_a_peak_that_is_worse_than_the_baselines(scenario):
    """The bill stands next to that of a kept round; it is said that there is no profile of a peak without the agent."""
    project = scenario(TESTS.replace("&keep=true", "&keep=false"))
    keep(project, 10_000_000)
    assert project.run("--gomem-update", "-k", "keeps").status == 0
    (snapshot,) = json.loads(path(project).read_text())["tests"]["test_keeps"]["api/test"]
    keep(project, 80_000_000)
    outcome = project.run("-k", "keeps", "--gomem-confirm=3", DIAGNOSED)
    assert outcome.status == 1
    assert statuses(outcome, "test_keeps")["peak_rss"] == "fail"
    window = outcome.window("test_keeps")
    bill = window["bill"]
    assert bill["against"] == "in the baseline"
    before = {f"rss_{row['name']}": row["before"] for row in bill["rows"]}
    assert before in [
        {name: snapshot["metrics"][name][at] for name in before} for at in range(len(snapshot["metrics"]["peak_rss"]))
    ]
    assert bill["rss"] - sum(before.values()) > 40e6
    assert re.search(r"RSS grew by \d\d\.\d MB to ", bill["sentence"])
    assert re.search(r"binary and file pages +\S+ MB +\S+% +\S+ MB in the baseline", outcome.text)
    why = "the profiles are of the close, because there is none of the peak: the profile of the peak needs the agent: "
    assert why in window["culprit_summaries"]["peak_rss"]


def test_other_conditions_are_no_comparable_baseline(brief):
    """What differs is said, counted, and fails under --gomem-strict; recorded, both sets of conditions are kept."""
    assert brief.run("--gomem-update").status == 0
    yaml = brief.folder / "gomem.yaml"
    yaml.write_text(yaml.read_text().replace("ready:", "gc: {gogc: 50}\n    ready:"))
    other = brief.run()
    assert other.status == 0, other.text
    assert "no comparable baseline: gogc is 50, was default" in " ".join(other.text.split())
    assert "compared: 2 windows not compared" in other.text
    strict = brief.run("--gomem-strict", "-q")
    assert strict.status == 1
    assert "2 failed" in strict.text
    assert "gomem: 2 windows not compared; " in strict.text
    assert "tightest limit" not in strict.text
    assert brief.run("--gomem-update", "-k", "keeps").status == 0
    snapshots = json.loads(path(brief).read_text())["tests"]["test_keeps"]["api/test"]
    assert [snapshot["conditions"].get("gogc") for snapshot in snapshots] == ["50", "default"]
    yaml.write_text(yaml.read_text().replace("ready:", "tree: true\n    ready:"))
    other = brief.run("-k", "keeps")
    assert other.status == 0, other.text
    assert other.window("test_keeps")["no_base"].endswith("tree is yes, was no (gomem baseline update records one too)")


def test_a_baseline_of_uncommitted_changes_is_marked(brief):
    """What is recorded before it is committed, as is usual, is not what the commit holds: a + says so."""
    repository = GitRepository.made(brief.folder)
    head = repository.commit(**{".gitignore": "report.json\n__pycache__\ngomem_baselines\n"})[:12]
    for change, mark in (("", ""), ("# changed\n", "+")):
        tests = brief.folder / "test_it.py"
        tests.write_text(tests.read_text() + change)
        path(brief).unlink(missing_ok=True)  # a baseline that has not moved is kept with its commit
        assert brief.run("--gomem-update", "-k", "keeps").status == 0
        (snapshot,) = json.loads(path(brief).read_text())["tests"]["test_keeps"]["api/test"]
        assert snapshot["recorded"]["commit"] == head + mark
    assert f"gomem: compared with the baseline of {head}+\n" in brief.run("-k", "keeps").text


def test_update_command(brief):
    """Statuses of all commands, not pytest's own; a run that records nothing says so."""
    gomem = Path(sys.executable).with_name("gomem")

    def update(*words: str) -> tuple[int, str]:
        command = [gomem, "baseline", "update", "-p", "no:cacheprovider", *words]
        done = subprocess.run(command, cwd=brief.folder, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    status, text = update("--gomem-no-measure")
    assert (status, "nothing was recorded: no test has measured anything" in text) == (0, True)
    assert update("-k", "nothing")[0] == update("nowhere.py")[0] == 2
    status, text = update("-k", "keeps")
    assert (status, "1 new; in gomem_baselines" in text, "nothing was recorded" in text) == (0, True, False)


def test_a_failing_or_scattering_run_is_not_recorded(scenario):
    """Refused with the reason and exit status 1, unless it is forced; the other tests are recorded all the same.

    Of one that scatters, all but what does.
    """
    project = scenario(
        """
        from pathlib import Path

        def test_fails(go_service):
            go_service.get("/alloc?bytes=1000&keep=true")
            assert not Path("now").exists()

        def test_scatters(go_service):
            at = Path("at")
            at.write_text(at.read_text() + "x" if at.exists() else "x")
            go_service.get(f"/alloc?bytes={len(at.read_text()) * 1_000_000}&keep=true")

        @pytest.mark.gomem(rounds=1)
        def test_fine(go_service):
            pass
        """,
        ini=UNPROFILED,
    )
    (project.folder / "now").touch()
    refused = project.run("--gomem-update")
    assert refused.status == 1
    assert "refused: test_it.py::test_fails\n  the test failed" in refused.text
    assert "new: test_it.py::test_scatters\n  api/test: live_heap is left out: it scattered from 1." in refused.text
    assert "test_fine\n  api/test: 1 round: such a baseline can never fail the test" in refused.text
    tests = json.loads(path(project).read_text())["tests"]
    assert set(tests) == {"test_scatters", "test_fine"}
    (kept,) = tests["test_scatters"]["api/test"]
    assert (len(kept["metrics"]["goroutines"]), set(kept["left_out"]) >= {"live_heap"}) == (8, True)
    (project.folder / "at").unlink()
    calm = project.run("-k", "scatters")
    assert (calm.status, "live_heap is" in calm.text) == (0, False)
    assert any(note.startswith("live_heap is not compared: it scat") for note in calm.window("test_scatters")["notes"])
    (project.folder / "now").unlink()
    forced = project.run("--gomem-update", "--gomem-force", "--gomem-rounds=3")
    assert forced.status == 0, forced.text
    tests = json.loads(path(project).read_text())["tests"]
    assert set(tests) == {"test_fails", "test_scatters", "test_fine"}
    assert len(tests["test_scatters"]["api/test"][0]["metrics"]["live_heap"]) == 3


def test_a_damaged_file_is_named_and_never_overwritten(brief):
    """File and line are named; neither a comparison nor an update touches it."""
    path(brief).parent.mkdir()
    text = '{"version": 1,\n "recorded": {},\n<<<<<<< HEAD\n "tests": {}}\n'
    path(brief).write_text(text)
    for args in ((), ("--gomem-update",)):
        outcome = brief.run("-k", "keeps", *args)
        assert outcome.status == 1, outcome.text
        assert f"gomem_baselines{os.sep}test_it.json" in outcome.text
        assert ":3: a merge conflict is not resolved" in outcome.text
        assert "Traceback" not in outcome.text
        assert path(brief).read_text() == text


def test_rounds_of_their_own_until_the_comparison_is_decided(scenario):
    """With a baseline one round is enough where nothing moved; what moved is confirmed by 8, whatever was asked for."""
    project = scenario(
        """
        from pathlib import Path

        def test_keeps(go_service):
            go_service.get(f"/alloc?bytes={Path('kept').read_text()}&keep=true")
            go_service.load("/alloc?bytes=1000&keep=false", requests=100)
        """
    )
    keep(project, 30_000_000)
    assert project.run("--gomem-update", "--gomem-baseline-profiles=off").status == 0
    assert [file.name for file in path(project).parent.iterdir()] == ["test_it.json"]
    calm = project.run("--gomem-baseline-dir=gomem_baselines")
    assert calm.status == 0, calm.text
    assert len(calm.window("test_keeps")["rounds"]) in (0, 3)
    keep(project, 30_600_000)
    worse = project.run(DIAGNOSED)
    assert worse.status == 1, worse.text
    assert len(worse.window("test_keeps")["rounds"]) == 8
    quick = project.run("--gomem-confirm=3", "--gomem-report-only").window("test_keeps")
    assert (len(quick["rounds"]), quick["verdicts"][0]["status"]) == (3, "fail")
    whole = worse.window("test_keeps")["verdicts"][0]
    assert quick["verdicts"][0]["smallest_visible"] > whole["smallest_visible"]
    assert "the baseline was recorded without a heap profile" in " ".join(worse.text.split())
    refused = project.run("--gomem-rounds=2", "--gomem-strict", "-q")
    assert refused.status == pytest.ExitCode.USAGE_ERROR
    assert "--gomem-rounds=2 is too few to compare with the baselines in gomem_baselines" in refused.text
    assert "--gomem-no-compare" in refused.text
    quick = project.run("--gomem-rounds=1", "-o", "gomem_no_compare=true")
    assert (quick.status, "nothing is compared" in quick.text, "compared with" in quick.text) == (0, True, False)
    (project.folder / "test_it.py").write_text("def test_new(go_service):\n    pass\n")
    renamed = project.run()
    assert "no baseline yet: test_it.py::test_new" in renamed.text
    assert "baselines of 1 test that is no more: gomem baseline prune" in renamed.text


IN_A_PROCESS_OF_MANY = """
@pytest.fixture(scope="module")
def api(gomem_session):
    return gomem_session.launch()

def test_first(api, gomem):
    api.get("/alloc?bytes=5000000&keep=true")

@pytest.mark.gomem({})
def test_second(api, gomem):
    with gomem.measure(api, name="steady"):
        api.get("/alloc?bytes=1000&keep=true")
"""


def test_what_other_tests_left_in_a_process_is_no_regression(scenario):
    """A service of gomem_session holds what ran before, and that is another matter in each selection of tests."""
    project = scenario(IN_A_PROCESS_OF_MANY.format("rounds=3"), ini=UNPROFILED)
    assert project.run("--gomem-update", "-k", "second").status == 0
    outcome = project.run()
    assert outcome.status == 0, outcome.text
    assert "its process serves other tests too (gomem_session)" in outcome.window("test_second")["no_base"]


def test_what_is_worse_in_a_process_of_many_tests_is_run_no_more(scenario):
    """Further rounds tell nothing, and have no peak of their own for the test's budget; nor are they kept."""
    project = scenario(IN_A_PROCESS_OF_MANY.format('peak_rss="500MB"'), ini=UNPROFILED)
    recorded = project.run("--gomem-update", "-k", "second")
    assert recorded.status == 0, recorded.text
    (kept,) = json.loads(path(project).read_text())["tests"]["test_second"]["api/steady"]
    assert len(kept["metrics"]["live_heap"]) == 1
    outcome = project.run()
    assert outcome.status == 0, outcome.text
    window = outcome.window("test_second")
    (live,) = (v for v in window["verdicts"] if v["metric"] == "live_heap")
    assert (window["rounds"], live["status"], live["rounds_needed"]) == ([], "noisy", None)
    assert "too noisy to tell: its process serves other tests too" in live["reason"]


def test_a_limit_and_a_comparison_of_one_metric_both_say_whose_line_it_is(scenario):
    """What grew in the window is another question than what grew since the baseline: neither answer hides the other."""
    project = scenario(
        """
        from pathlib import Path

        @pytest.mark.gomem(live_heap="40MB")
        def test_keeps(go_service):
            go_service.get(f"/alloc?bytes={Path('kept').read_text()}&keep=true")
        """
    )
    keep(project, 30_000_000)
    assert project.run("--gomem-update", "--gomem-rounds=3").status == 0
    keep(project, 60_000_000)
    worse = project.run("--gomem-confirm=3", DIAGNOSED)
    assert worse.status == 1, worse.text
    window = worse.window("test_keeps")
    told = window["culprit_summaries"]["live_heap"]
    assert re.fullmatch(r"1 of \d+ functions?, \d+% of the growth; compared with the base: 1 of .* of the growth", told)
    assert {c["is_between"] for c in window["culprits"] if c["metric"] == "live_heap"} == {True, False}
    assert "\n    compared with the base:\n" in worse.text


def test_a_window_that_a_test_opens_first_is_told_and_costs_no_rounds(scenario):
    """Beside one that is compared, and in the place of one; the test's baseline says nothing of it."""
    project = scenario(
        """
        import os

        def test_windows(gomem):
            for name in os.environ["WINDOWS"].split():
                with gomem.launch() as svc, gomem.measure(svc, name=name):
                    svc.get("/alloc?bytes=1000&keep=true")
        """,
        ini=UNPROFILED,
    )
    assert project.run("--gomem-update", env={"WINDOWS": "first"}).status == 0
    for opened in ("first second", "second"):
        outcome = project.run(env={"WINDOWS": opened})
        assert outcome.status == 0, outcome.text
        assert "no baseline yet: test_it.py::test_windows api/second\n" in outcome.text
        assert outcome.window("test_windows", -1)["rounds"] == []
    assert "windows that their tests do not open any more: test_it.py::test_windows api/first" in outcome.text


def test_other_work_than_the_baseline_did_is_said(scenario):
    """A test that was changed to do more is worse, and the failure says that it did more."""
    project = scenario(
        """
        from pathlib import Path

        @pytest.mark.gomem(rounds=3)
        def test_loads(go_service):
            for _ in range(int(Path("times").read_text())):
                go_service.get("/alloc?bytes=1000000&keep=true")
        """,
        ini=UNPROFILED,
    )
    (project.folder / "times").write_text("2")
    assert project.run("--gomem-update").status == 0
    (project.folder / "times").write_text("4")
    outcome = project.run()
    assert outcome.status == 1
    assert "the window did 4 operations, and 2 at the baseline of " in " ".join(outcome.text.split())


CLOCK = """
    import time
    from pathlib import Path

    def asked(name):
        return float(Path(name).read_text())

    @pytest.mark.gomem(rounds=3)
    def test_clock(go_service):
        with go_service.warmup():
            go_service.get("/clock?bytes=30000")
        for _ in range(20):
            go_service.get(f"/alloc?bytes={asked('bytes'):.0f}")
        time.sleep(asked("seconds"))
"""


def test_what_a_service_allocates_by_the_clock_is_no_regression_of_a_slower_machine(scenario):
    """A window that takes four times as long has four times the ticks in it; the code's own part still fails."""
    project = scenario(CLOCK)

    def ask(size: int, seconds: float) -> None:
        (project.folder / "bytes").write_text(str(size))
        (project.folder / "seconds").write_text(str(seconds))

    ask(1_000_000, 0.2)
    recorded = project.run("--gomem-update", "--gomem-force", "--gomem-rounds=5", *UNPROFILED_RUN)
    assert recorded.status == 0, recorded.text
    ask(1_000_000, 0.8)
    slower = project.run("--gomem-confirm=4")
    assert slower.status == 0, slower.text
    window = slower.window("test_clock")
    (per_op,) = (v for v in window["verdicts"] if v["metric"] == "alloc_bytes_per_op")
    assert (per_op["status"], per_op["change"] > 0.02 * per_op["baseline"]) == ("noisy", True)
    assert "the service makes by itself in windows that took so much longer, by the clock" in per_op["reason"]
    assert all(one["alloc_rate without work"] > 5e5 for one in window["rounds"])
    (note,) = (note for note in window["notes"] if "watched" in note)
    assert re.fullmatch(r"the service was watched for \d\.\d s .*, for what it allocates by the clock", note)

    ask(1_150_000, 0.8)
    worse = project.run("--gomem-confirm=4")
    assert worse.status == 1, worse.text
    (per_op,) = (v for v in worse.window("test_clock")["verdicts"] if v["metric"] == "alloc_bytes_per_op")
    assert per_op["status"] == "fail"
    assert per_op["reason"].endswith("in windows that took so much longer, by the clock")


def test_no_service_is_watched_while_another_window_is_open(scenario):
    """The wait would be a part of that one, as slow as the watched window was."""
    project = scenario(
        CLOCK
        + """
    @pytest.mark.gomem(rounds=1)
    def test_beside(go_service, gomem):
        with gomem.launch() as other, gomem.measure(other, name="inner"):
            other.get("/clock?bytes=30000")
            other.get("/alloc?bytes=1000000")
            time.sleep(asked("seconds"))
    """
    )
    (project.folder / "bytes").write_text("1000")
    for seconds, arguments in (("0.2", ["--gomem-update", "--gomem-force", *UNPROFILED_RUN]), ("1.5", [])):
        (project.folder / "seconds").write_text(seconds)
        outcome = project.run("-k", "beside", *arguments)
        assert outcome.status == 0, outcome.text
    windows = {window["name"]: window for window in (outcome.window("test_beside", at) for at in (0, 1))}
    (per_op,) = (v for v in windows["inner"]["verdicts"] if v["metric"] == "alloc_bytes_per_op")
    assert (per_op["status"], per_op["change"] > 0) == ("noisy", True)
    assert not [note for window in windows.values() for note in window["notes"] if "watched" in note]


def test_a_worker_on_another_machine_says_that_it_leaves_no_profiles(scenario):
    """What it shares no folder with: its baselines are recorded, and the summary names it."""
    project = scenario(
        """
        @pytest.mark.gomem(rounds=1)
        def test_it(go_service):
            go_service.get("/alloc?bytes=1000000&keep=true")
        """,
        conftest="""
        @pytest.hookimpl(trylast=True, optionalhook=True)
        def pytest_configure_node(node):
            node.workerinput["gomem_run_dir"] = "/nowhere/of/another/machine"
        """,
    )
    outcome = project.run("-n1", "--gomem-update")
    assert "recorded without heap profiles: gw0 ran on another machine" in outcome.text, outcome.text
    assert "1 new" in outcome.text
    assert not list(project.folder.rglob("gomem_baselines/profiles/**/*.pb.gz"))
    assert not Path("/nowhere").exists()
