"""The diagnosis of failed tests: they run again, observed, and name the line that no measured round looks for."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time

DIAGNOSED = "--gomem-diagnose=20"
# A test says in a file how often its body ran; the service keeps or makes what the path asks for, in main.lean.
HEAD = """
from pathlib import Path

KEPT_300_KB = "/allocate?size=1000&count=300&keep=true"

@pytest.fixture
def runs(request):
    path = Path(f"{request.node.name}.runs")
    path.write_text((path.read_text() if path.exists() else "") + "x")
    return len(path.read_text())
"""


def runs(project, test: str) -> int:
    """How often a test's body ran since it was asked."""
    path = project.folder / f"{test}.runs"
    count = len(path.read_text())
    path.unlink()
    return count


def first(window) -> str:
    return window["culprits"][0]["function"] if window["culprits"] else ""


def test_a_failed_test_runs_again_to_find_its_line(scenario, profiled):
    """A few hundred kB are enough; the figures stay those of the measured round, which nothing has profiled."""
    project = scenario(
        HEAD
        + """
@pytest.mark.gomem(service="built", live_heap="100kB")
def test_grows(go_service, runs):
    go_service.get(KEPT_300_KB)
    go_service.get("/allocate?size=100000&count=100&fat=true" if runs > 1 else KEPT_300_KB)

@pytest.mark.gomem(service="plain", live_heap="1GB", peak_rss="1GB", alloc_bytes_per_op="1GB")
def test_passes(go_service, runs):
    assert "memprofilerate" not in go_service.env["GODEBUG"]
    go_service.get(KEPT_300_KB)

@pytest.mark.gomem(service="plain", live_heap="100kB", diagnose=False)
def test_once(go_service, runs):
    go_service.get("/allocate?size=10000&count=2000&keep=true")

@pytest.fixture(scope="session")
def shared(gomem_session):
    return gomem_session.launch("plain")

@pytest.mark.gomem(total_alloc="1MB")
def test_shared(shared, gomem, runs):
    with gomem.measure(shared):
        shared.get("/allocate?size=10000&count=2000&keep=true")

@pytest.mark.gomem(service="plain", live_heap="100kB")
def test_fails_again(go_service, runs):
    go_service.get(KEPT_300_KB)
    assert runs == 1, "the body works but once"
""",
        more_services=profiled(),
    )
    outcome = project.run(DIAGNOSED, "--gomem-artifacts=artifacts")
    assert "4 failed, 1 passed" in outcome.text
    assert "gomem: looking for the cause of test_grows, round 1 of 2, about " in outcome.text

    grows = outcome.window("test_grows")
    assert (runs(project, "test_grows"), first(grows)) == (3, "main.lean")
    assert grows["culprits"][0]["file"].endswith("main.go")
    assert grows["diagnosis"] == {**grows["diagnosis"], "rounds": 2, "reproduced": True, "notes": []}
    assert 1 <= grows["diagnosis"]["profile_rate"] < 4096
    assert grows["metrics"]["total_alloc"]["value"] < 9e6, "what the observed round made is in no figure"
    assert {"log", "heap_profile", "base_profile"} <= set(grows["artifacts"])
    assert not {"profile_rate", "opening_heap_profile", "peak_profile"} & set(grows["conditions"])

    passes = outcome.window("test_passes")
    assert (runs(project, "test_passes"), passes["diagnosis"], passes["artifacts"]) == (1, None, {})

    for test in ("test_once", "test_shared"):  # profiled at their close
        window = outcome.window(test)
        assert (runs(project, test), window["diagnosis"], first(window)) == (1, None, "main.lean")

    again = outcome.window("test_fails_again")
    (why,) = again["diagnosis"]["notes"]
    assert (runs(project, "test_fails_again"), first(again), again["diagnosis"]["rounds"]) == (2, "", 0)
    assert re.fullmatch(
        r"an observed round came to nothing: test_it.py:\d+: AssertionError: the body works but once", why
    )
    assert [verdict["status"] for verdict in again["verdicts"]] == ["fail"]
    assert "nobody can be named: an observed round came to nothing" in outcome.text


def test_so_many_of_a_run_are_diagnosed(scenario, profiled):
    """In all its processes together; the others say why not."""
    names = ("test_a", "test_b", "test_c")
    tests = "".join(
        f"""
@pytest.mark.gomem(service="plain", live_heap="100kB")
def {name}(go_service, runs):
    go_service.get(KEPT_300_KB)
"""
        for name in names
    )
    project = scenario(HEAD + tests, more_services=profiled())
    outcome = project.run("--gomem-diagnose=1", "-n", "2")
    assert "3 failed" in outcome.text
    windows = [outcome.window(name) for name in names]
    assert sorted(runs(project, name) for name in names) == [1, 1, 2]
    assert sorted(map(first, windows)) == ["", "", "main.lean"]
    others = [window["diagnosis"] for window in windows if not window["culprits"]]
    why = "1 failed test of this run was diagnosed before it (--gomem-diagnose=1)"
    assert [one["notes"] for one in others] == [[why]] * 2
    assert f"nobody can be named: {why}" in outcome.text


def test_company_of_reruns_and_timeouts(scenario, profiled):
    """Of several attempts the last one is diagnosed; none is begun that the time may not allow, or ends the test."""
    project = scenario(
        HEAD
        + """
import signal
import time

@pytest.mark.flaky(reruns=1)
@pytest.mark.gomem(service="plain", live_heap="100kB")
def test_flaky(go_service, runs):
    go_service.get(KEPT_300_KB)

@pytest.mark.timeout(12)
@pytest.mark.gomem(service="plain", live_heap="100kB")
def test_short_of_time(go_service, runs):
    go_service.get(KEPT_300_KB)
    time.sleep(4.1)  # two more rounds do not fit into what is left of 12 s

@pytest.mark.timeout(60)
@pytest.mark.gomem(service="plain", live_heap="100kB")
def test_out_of_time(go_service, runs):
    go_service.get(KEPT_300_KB)
    if runs == 2:
        signal.raise_signal(signal.SIGALRM)  # pytest-timeout's
""",
        more_services=profiled(),
    )
    outcome = project.run(DIAGNOSED)
    assert "3 failed, 1 rerun" in outcome.text
    assert (runs(project, "test_flaky"), first(outcome.window("test_flaky"))) == (3, "main.lean")
    short = outcome.window("test_short_of_time")
    assert runs(project, "test_short_of_time") == 1
    assert "and pytest-timeout leaves " in short["diagnosis"]["notes"][0]
    ended = outcome.window("test_out_of_time")
    assert runs(project, "test_out_of_time") == 2
    assert ": Timeout (>60.0s) from pytest-timeout" in ended["diagnosis"]["notes"][0]
    assert [verdict["status"] for verdict in ended["verdicts"]] == ["fail"]


def test_what_is_worse_than_a_baseline_is_named_at_defaults(scenario, profiled):
    """By what an observed round kept with it. A new budget, also on functions, leaves the test comparable."""
    tests = (
        HEAD
        + """
@pytest.mark.gomem(service="plain", rounds=3, peak_rss={"regression": "90%"}, total_alloc={"regression": "90%"})
def test_kept(go_service, runs):
    count = int(Path("count").read_text())
    go_service.get(f"/allocate?size=1000&count={count}&keep=true")
    go_service.get("/allocate?size=1000&count=2000&keep=true&fat=true")
"""
    )
    project = scenario(tests, more_services=profiled())
    (project.folder / "count").write_text("300")
    assert project.run("--gomem-update", "--gomem-force").status == 0
    assert runs(project, "test_kept") == 4, "the last one is for the profile"
    budgets = 'live_heap="1GB", alloc_space={"main.lean": "10MB"}'
    (project.folder / "test_it.py").write_text("import pytest\n" + tests.replace("rounds=3,", f"rounds=3, {budgets},"))
    (project.folder / "count").write_text("900")
    worse = project.run(DIAGNOSED, "--gomem-confirm=3")
    window = worse.window("test_kept")
    assert window["base"] is not None
    assert (worse.status, first(window)) == (1, "main.lean")
    assert {v["metric"]: v["status"] for v in window["verdicts"] if v["kind"] == "max"} == {
        "live_heap": "pass",
        "alloc_space": "pass",
    }
    assert window["diagnosis"]["reproduced"] is True
    assert "main.lean" in worse.text


def test_a_baseline_without_a_profile_says_why(scenario, profiled):
    """Its observed round came to nothing: the figures are kept all the same."""
    project = scenario(
        HEAD
        + """
@pytest.mark.gomem(service="plain", rounds=1)
def test_kept(go_service, runs):
    go_service.get(KEPT_300_KB)
    assert runs == 1
""",
        more_services=profiled(),
    )
    outcome = project.run("--gomem-update", "--gomem-force")
    assert outcome.status == 0, outcome.text
    said = " ".join(outcome.text.split())
    assert "GomemWarning: the baseline is kept without a heap profile: an observed round came to nothing: " in said
    assert (project.folder / "gomem_baselines" / "test_it.json").exists()


def test_what_goes_wrong_when_observed_fails_no_test(scenario, profiled):
    """Fixtures that fail afterwards, and time that is over; what was recorded until then is used."""
    project = scenario(
        HEAD
        + """
import time

@pytest.fixture
def works_once(runs):
    yield
    assert runs == 1

@pytest.fixture(scope="module")
def works():
    yield
    Path("module").touch()

@pytest.mark.gomem(service="plain", rounds=1, alloc_space={"main.lean": "1MB"})
def test_functions(go_service, works, works_once, runs):
    go_service.get(KEPT_300_KB)

@pytest.mark.timeout(5)
@pytest.mark.gomem(service="plain", rounds=1)
def test_kept(go_service, runs):
    go_service.get(KEPT_300_KB)
    time.sleep(10 * (runs == 2))
""",
        more_services=profiled(),
    )
    outcome = project.run("--gomem-update", "--gomem-force")
    assert outcome.status == 0, outcome.text
    said = " ".join(outcome.text.split())
    assert re.search(r"GomemWarning: a fixture failed after an observed round: test_it.py:\d+: AssertionError: ", said)
    assert outcome.window("test_functions")["verdicts"][0]["status"] == "pass"
    assert (project.folder / "module").exists()
    assert "kept without a heap profile: an observed round came to nothing: test_it.py:" in said


def test_a_subtest_that_fails_when_observed_fails_no_test(scenario, profiled):
    """Neither that of pytest nor that of unittest; the round comes to nothing."""
    project = scenario(
        HEAD
        + """
import unittest

@pytest.mark.gomem(service="plain", live_heap="100kB")
def test_parts(go_service, runs, subtests):
    go_service.get(KEPT_300_KB)
    with subtests.test("a"):
        assert runs == 1

class TestOld(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def parts(self, go_service, runs):
        self.service, self.runs = go_service, runs

    @pytest.mark.gomem(service="plain", live_heap="100kB")
    def test_old(self):
        self.service.get(KEPT_300_KB)
        with self.subTest("a"):
            self.assertEqual(self.runs, 1)
""",
        more_services=profiled(),
    )
    outcome = project.run(DIAGNOSED)
    assert "2 failed" in outcome.text.splitlines()[-1], outcome.text
    assert "SUBFAILED" not in outcome.text
    for test, error in (("test_parts", "AssertionError: assert 2 == 1"), ("test_old", "AssertionError: 2 != 1")):
        assert runs(project, test) == 2
        (why,) = outcome.window(test)["diagnosis"]["notes"]
        assert why.startswith("an observed round came to nothing: test_it.py:")
        assert why.endswith(error)


def test_ctrl_c_while_a_cause_is_looked_for(scenario, profiled):
    """What the test has shown is reported, and the run ends as interrupted."""
    project = scenario(
        HEAD
        + """
import time

@pytest.mark.gomem(service="plain", live_heap="100kB")
def test_grows(go_service, runs):
    go_service.get(KEPT_300_KB)
    if runs == 2:
        Path("observed").touch()
        time.sleep(60)

def test_never_begun():
    pass
""",
        more_services=profiled(),
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", DIAGNOSED]
    child = subprocess.Popen(command, cwd=project.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while not (project.folder / "observed").exists() and child.poll() is None:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    text, _ = child.communicate(timeout=60)
    assert child.returncode == 2, text
    assert "1 failed" in text
    assert "live_heap is " in text
    assert "interrupted while gomem looked for the cause of a failure" in text
