"""A metric of the user's own in what stands beside the run: gomem accept and its file, baselines, doctor."""

from __future__ import annotations

import pytest
from own_metric import CONFTEST

from pytest_gomem.baseline.snapshot import Snapshot
from pytest_gomem.baseline.store import Store

TESTS = """
@pytest.mark.gomem(rss_kept="1kB", live_heap="1kB")
def test_kept(go_service):
    go_service.get("/alloc?bytes=20000000&keep=true")
"""
TEST = "test_it.py::test_kept"


@pytest.fixture
def accept(gomem):
    return lambda project, *argv: gomem(project.folder, "accept", *argv, "--reason", "r", "--owner", "ann")


def test_it_is_accepted_before_anything_ran(scenario, accept):
    """pytest is asked for it and its unit; a run takes the entry, also under xdist, and the next one goes behind it."""
    project = scenario(TESTS, conftest=CONFTEST)
    for words, says in (
        (("rss_kep", "--mute"), "did you mean rss_kept?"),
        (("rss_kept", "--amount", "5 parsec"), "'parsec' does not fit bytes"),
    ):
        status, text = accept(project, TEST, *words)
        assert (status, says in text) == (2, True), text
    assert not (project.folder / "gomem_accepted.yaml").exists()
    status, text = accept(project, TEST, "rss_kept", "--amount", "50MB")
    assert (status, f"rss_kept of {TEST} is accepted up to 50MB" in text) == (0, True), text
    status, text = accept(project, TEST, "live_heap", "--amount", "50MB")  # beside an entry that it must know
    assert status == 0, text
    for args in ((), ("-n1",)):
        outcome = project.run("--gomem-strict", *args)
        assert outcome.status == 0, outcome.text
        accepted = {v["metric"]: v["accepted"] for v in outcome.window("test_kept")["verdicts"]}
        assert accepted["rss_kept"]["amount"] == "50MB"
    assert outcome.value("test_kept", "rss_kept") > 15e6  # of 20 MB, some on pages that were resident before


def test_it_is_accepted_from_what_a_run_broke(scenario, accept):
    """By as much as the report says, in its unit: nobody else is asked."""
    project = scenario(TESTS, conftest=CONFTEST)
    conftest = project.folder / "conftest.py"
    whole = conftest.read_text()
    assert project.run().status == 1
    conftest.write_text("import nothing_like_it")
    status, text = accept(project, "test_kept", "rss_kept", "--report", "report.json")
    assert (status, f"rss_kept (max) of {TEST} is accepted up to" in text) == (0, True), text
    conftest.write_text(whole)
    outcome = project.run()
    assert {v["metric"]: v["status"] for v in outcome.window("test_kept")["verdicts"]}["rss_kept"] == "warn"


def test_what_keeps_pytest_from_telling(dry_scenario, accept):
    """A broken conftest.py is shown in pytest's words; a metric of our own needs no pytest."""
    project = dry_scenario(TESTS, conftest="import nothing_like_it")
    status, text = accept(project, TEST, "rss_kept", "--mute")
    assert status == 2
    assert "pytest could not be asked for the metrics of plugins" in text
    assert "No module named 'nothing_like_it'" in text
    assert accept(project, TEST, "live_heap", "--mute")[0] == 0


def test_mistakes_of_the_file_are_told_in_our_words(dry_scenario, accept):
    """With file and line, also beside a metric of the user's own, which is none of them."""
    project = dry_scenario(TESTS, conftest=CONFTEST)
    assert accept(project, TEST, "rss_kept", "--mute")[0] == 0
    file = project.folder / "gomem_accepted.yaml"
    file.write_text(file.read_text().replace("owner", "ownr"))
    status, text = accept(project, TEST, "live_heap", "--mute")
    assert status == 2
    assert "gomem_accepted.yaml:8 accepted[0].ownr: unknown key 'ownr'" in text
    assert "unknown metric" not in text


def test_baselines_show_it_in_its_unit(dry_scenario, gomem):
    """Without a conftest.py that can be read it is a figure without one."""
    project = dry_scenario(TESTS, conftest=CONFTEST)
    kept = Snapshot({"go": "go1.26"}, {"rss_kept": (2e7, 2.1e7, 2.2e7)}, 10, "0a1b2c3", "2026-01-31")
    Store(project.folder / "gomem_baselines").change("test_it.py", lambda _: {"test_kept": {"api/test": (kept,)}})
    status, text = gomem(project.folder, "baseline", "show")
    assert (status, "rss_kept  21.0 MB  20.0 MB  22.0 MB" in text) == (0, True), text
    (project.folder / "conftest.py").write_text("import nothing_like_it")
    status, text = gomem(project.folder, "baseline", "show")
    assert (status, "rss_kept  2.1e+07" in text) == (0, True), text


def test_doctor_knows_it(dry_scenario, gomem):
    """A budget on it in gomem.yaml is in order, and one on a metric that nobody declares is not."""
    project = dry_scenario(TESTS, conftest=CONFTEST, budgets="budgets: {defaults: {rss_kept: 1GB}}")
    _, text = gomem(project.folder, "doctor")
    assert "ok    gomem.yaml     in order; services: api" in text
    yaml = project.folder / "gomem.yaml"
    yaml.write_text(yaml.read_text().replace("rss_kept", "rss_kep"))
    _, text = gomem(project.folder, "doctor")
    assert "unknown metric 'rss_kep'" in text
    assert "did you mean rss_kept?" in text
