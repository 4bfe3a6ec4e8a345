"""What a run leaves behind: tables, JSON, JUnit, artifacts, and the same under xdist."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from shell import shell

MATRIX = """
@pytest.mark.gomem_gc(gogc=[25, 100, "off"], gomemlimit=["off", "64MiB"])
@pytest.mark.gomem(service="api", live_heap="250MB")
def test_matrix(go_service):
    for _ in range(20):
        go_service.get("/alloc?bytes=2000000&keep=false")
    assert go_service.gc.gogc in (25, 100, "off")
"""


@pytest.mark.parametrize("mode", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_matrix_and_tables(scenario, mode):
    """gomem_gc makes a test per combination; what must not run is skipped with its reason; one table compares them."""
    outcome = scenario(MATRIX).run(*mode)
    assert outcome.status == 0, outcome.text
    assert "5 passed, 1 skipped" in outcome.text
    assert "test_matrix by GC settings" in outcome.text
    ids = {t["nodeid"].split("[")[1] for t in outcome.report["tests"] if t["windows"]}
    assert "gogc=25-gomemlimit=off]" in ids
    assert "gogc=off-gomemlimit=off]" not in ids
    cycles = {
        t["nodeid"].split("[")[1]: t["windows"][0]["metrics"]["gc_cycles"]["value"]
        for t in outcome.report["tests"]
        if t["windows"]
    }
    assert cycles["gogc=25-gomemlimit=off]"] > cycles["gogc=100-gomemlimit=off]"]
    requested = outcome.window("[gogc=off-gomemlimit=64MiB]")["gc"]["requested"]
    assert requested["gogc"] == "off"
    assert requested["gomemlimit"] == "64MiB"


def test_quiet(scenario):
    """Under -q no table is printed."""
    outcome = scenario("def test_it(go_service): pass").run("-q")
    assert outcome.status == 0
    assert "peak RSS" not in outcome.text


def test_to_collect_keeps_the_report_of_the_run(dry_scenario):
    """It measures nothing, and `gomem tighten` collects before it reads the report that it is given."""
    project = dry_scenario("def test_it(gomem): pass")
    html = project.folder / "page.html"
    assert project.run(f"--gomem-html={html}").status == 0
    before = (project.folder / "report.json").read_text(), html.read_text()
    assert project.run("--collect-only", f"--gomem-html={html}").status == 0
    assert ((project.folder / "report.json").read_text(), html.read_text()) == before


def test_artifacts_that_cannot_be_written_hide_no_verdict(scenario):
    """The broken budget is told, and the body's own error, with the reason why nothing was kept."""
    project = scenario(
        """
        @pytest.mark.gomem(peak_rss="1kB")
        def test_budget(go_service):
            pass

        def test_body(go_service):
            assert go_service.pid == 0
        """
    )
    (project.folder / "file").touch()
    outcome = project.run("--gomem-artifacts=file/artifacts")
    assert "2 failed" in outcome.text
    assert "over its limit of 1kB" in outcome.text
    assert "assert go_service.pid == 0" in outcome.text
    assert outcome.text.count("--gomem-artifacts: cannot write ") == 2
    assert "save_artifacts" not in outcome.text


def test_summaries_say_it_in_one_line(scenario, gomem):
    """Where CI is set pytest's short summary is not cut, and JUnit's message never is: the account stands once."""
    project = scenario(
        """
        @pytest.mark.gomem(service="api", live_heap="1MB", peak_rss="1kB")
        def test_limits(go_service):
            go_service.get("/alloc?bytes=10000000&keep=true")

        def test_checked(gomem):
            api = gomem.launch("api")
            with gomem.measure(api) as window:
                api.get("/alloc?bytes=10000000&keep=true")
            window.check(live_heap="1MB")

        @pytest.mark.gomem(service="broken")
        def test_not_built(go_service):
            pass

        @pytest.fixture
        def broken(gomem):
            return gomem.launch("broken")

        def test_no_fixture(broken):
            pass
        """,
        more_services="broken: {build: ./src}",
    )
    source = project.folder / "src"
    source.mkdir()
    (source / "go.mod").write_text("module example.com/broken\n\ngo 1.21\n")
    (source / "main.go").write_text("package main\n\nfunc main() {\n\ta := 1\n}\n")
    outcome = project.run("--junit-xml=junit.xml", "--gomem-diagnose=20", env={"CI": "true"})
    grown = r"live_heap is 10\.\d MB, 9\.\d+ MB \(9\d\d%\) over its limit of 1MB"
    culprit = r"culprit main\.\(\*keeper\)\.alloc \(\S*handlers\.go:\d+\)"
    unbuilt = "building service 'broken' failed: ./main.go:4:2: declared and not used: a"
    told = {
        "FAILED test_it.py::test_limits": f"{grown}, {culprit}; 1 more limit is broken",
        "FAILED test_it.py::test_checked": f"{grown}, {culprit}",
        "ERROR test_it.py::test_not_built": re.escape(unbuilt),
        "ERROR test_it.py::test_no_fixture": re.escape(unbuilt),
    }
    summary = outcome.text.partition("short test summary info")[2]
    lines = "\n".join(f"{re.escape(test)} - {words}" for test, words in told.items())
    assert re.search(f"^{lines}\n=+ 2 failed, 2 errors in ", summary, re.MULTILINE), summary
    assert "session/gomem.py" not in outcome.text  # a fixture of the user's that launches shows none of our frames
    junit = ElementTree.parse(project.folder / "junit.xml")
    cases = [*junit.iter("failure"), *junit.iter("error")]
    around = ["{}", "{}", 'failed on setup with "{}"', 'failed on setup with "{}"']
    for case, form, words in zip(cases, around, told.values(), strict=True):
        assert re.fullmatch(form.format(words), case.get("message")), case.get("message")
    assert "declared at test_it.py:3 test_limits" in cases[0].text
    status, told = gomem(project.folder, "explain", "report.json", "test_limits")
    assert status == 0
    assert re.search(r"^  who +allocated by main\.\(\*keeper\)\.alloc \(\S*handlers\.go:\d+\): ", told, re.MULTILINE)
    assert "  next  pytest test_it.py::test_limits --gomem-artifacts=gomem-artifacts\n" in told
    assert told in outcome.text, "the report tells what the run told"


def test_junit_and_artifacts(scenario, gomem):
    """JUnit carries the key metrics as properties, of the suite: junit-10.xsd, of xunit2, allows none in a test.

    A failed test leaves its service's log and profiles as artifacts, to which the page links, and the failure's next
    command draws them.
    """
    project = scenario(
        """
        @pytest.mark.gomem(peak_rss="1kB")
        def test_it(go_service):
            go_service.get("/stderr?lines=3&len=40")
        """
    )
    outputs = ("--junit-xml=junit.xml", "--gomem-html=page.html", "--gomem-artifacts=artifacts")
    outcome = project.run(*outputs, "--gomem-diagnose=20")
    assert outcome.status == 1
    junit = ElementTree.parse(project.folder / "junit.xml")
    names = [p.get("name") for p in junit.iterfind("./testsuite/properties/property")]
    assert "test_it.py::test_it::gomem.peak_rss" in names
    assert len(names) < 30
    assert {child.tag for case in junit.iter("testcase") for child in case} == {"failure"}
    log = outcome.window("test_it")["artifacts"]["log"]
    assert f'"./artifacts/{log}"' in (project.folder / "page.html").read_text()
    assert len((project.folder / "artifacts" / log).read_text().splitlines()) >= 3
    told = gomem(project.folder, "explain", "report.json")[1]
    assert told in outcome.text
    (command,) = re.findall(r"^  next  (gomem flame --sample inuse_space artifacts/.*)$", told, re.MULTILINE)
    assert shell(project.folder, command).returncode == 0
    assert (project.folder / "flame.html").exists()


def test_header_and_metrics_list(scenario):
    """The header names the Go command; --gomem-metrics lists every metric and runs nothing."""
    project = scenario("def test_it(go_service): pass")
    assert "gomem: go1." in project.run("--collect-only").text
    outcome = project.run("--gomem-metrics")
    assert outcome.status == 0
    assert "peak_rss" in outcome.text
    assert "collected" not in outcome.text


def test_users_metric_and_reporter(scenario):
    """A metric and a reporter of the user's conftest arrive by the documented hooks."""
    outcome = scenario(
        """
        @pytest.mark.gomem(rss_swing="1kB")
        def test_it(go_service):
            go_service.get("/alloc?bytes=20000000&keep=true")
        """,
        conftest="""
        import pytest_gomem as gm

        @gm.metric(
            group="memory", unit=gm.BYTES, better=gm.Better.LOWER, noise=gm.Noise.MODERATE, sources=("timeline",)
        )
        def rss_swing(window):
            "Highest minus lowest sampled RSS."
            values = [sample.rss for sample in window.timeline] or [0]
            return gm.Reading(window.end.rss - window.start.rss, "timeline")

        def pytest_gomem_metrics():
            return [rss_swing]

        def pytest_gomem_report(run, config):
            print("reporter saw", len(run.tests))
        """,
    ).run("-s")
    assert outcome.status == 1
    assert "rss_swing is" in outcome.text
    assert "reporter saw 1" in outcome.text


def test_ini_twin(scenario):
    """An option of the ini file has the effect of its flag."""
    outcome = scenario(
        """
        @pytest.mark.gomem(peak_rss="1kB")
        def test_it(go_service): pass
        """,
        ini="gomem_report_only = true",
    ).run()
    assert "1 passed" in outcome.text


def test_neighbours(scenario):
    """rerunfailures runs a broken budget again; pytest-timeout ends a stuck test and its service."""
    outcome = scenario(
        """
        import time

        @pytest.mark.flaky(reruns=1)
        @pytest.mark.gomem(peak_rss="1kB")
        def test_rerun(go_service): pass

        @pytest.mark.timeout(2, func_only=True)
        def test_stuck(go_service):
            time.sleep(60)
        """
    ).run()
    assert "2 failed, 1 rerun" in outcome.text
    assert len(outcome.report["tests"]) == 2
