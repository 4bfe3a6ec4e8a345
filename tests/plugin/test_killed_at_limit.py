"""A service that is killed at its memory limit fails its test with the moment, the request and the line of Go."""

from __future__ import annotations

import pytest

SERVICES = """\
version: 1
services:
  api:
    binary: {binary}
    args: ["--listen", "127.0.0.1:{{port}}"]
    ready: {{http: /healthz}}
    memory_limit: {{max: 40MiB, mode: {mode}}}
"""
TESTS = """\
import pathlib

import pytest

LEAK = "/leak?n=1000000"


def test_get(go_service):
    for _ in range(200):
        go_service.get(LEAK)


def test_once_only(go_service):
    ran = pathlib.Path("ran")
    requests = 3 if ran.exists() else 200
    ran.touch()
    for _ in range(requests):
        go_service.get(LEAK)


def test_before_a_window(gomem):
    gomem.launch().load(LEAK, requests=200)
"""


@pytest.fixture
def limited(scenario, binaries, tmp_path):
    """The scenario with the service of tests/programs/limited, which has pprof and no agent."""

    def write(tests, mode="simulated"):
        made = scenario("")
        (tmp_path / "gomem.yaml").write_text(SERVICES.format(binary=binaries("limited"), mode=mode))
        (tmp_path / "test_it.py").write_text(tests)
        return made

    return write


def test_kill_is_a_verdict_with_its_culprit(limited, gomem, tmp_path):
    """In every report; and where nobody can be named, it says why."""
    outcome = limited(TESTS).run("--gomem-diagnose=20", "--gomem-artifacts", "kept", "--junit-xml", "junit.xml")
    assert outcome.status == 1
    assert "killed by pytest-gomem, which simulates a kernel, at the memory limit of 40MiB after" in outcome.text
    for foreign in ("LoadError", "RemoteDisconnected", "direct cause", "During handling"):
        assert foreign not in outcome.text
    windows = {test["nodeid"].rpartition("::")[2]: test["windows"] for test in outcome.report["tests"]}
    [window], [flaky] = windows["test_get"], windows["test_once_only"]
    assert window["oom"]["request"] == "GET /leak?n=1000000"
    assert window["oom"]["number"] > 20
    first = window["verdicts"][0]
    assert (first["metric"], first["kind"], first["status"]) == ("memory_limit", "oom", "fail")
    assert [(one["function"], one["line"]) for one in window["culprits"]] == [("main.remember", 16)]
    assert window["diagnosis"]["reproduced"] is True
    assert "peak_profile" in window["artifacts"]
    assert flaky["diagnosis"]["reproduced"] is False
    assert not flaky["culprits"]
    assert "did not come to the limit of 40MiB again" in flaky["culprit_summaries"]["memory_limit"]
    assert windows["test_before_a_window"] == []
    assert "was killed by pytest-gomem, which simulates a kernel, at its memory limit of 40MiB" in outcome.text
    junit = (tmp_path / "junit.xml").read_text()
    assert "at the memory limit of 40MiB after" in junit
    _, annotations = gomem(tmp_path, "report", "report.json", "--annotations")
    errors = [line for line in annotations.splitlines() if line.startswith("::error file=")]
    assert sum("memory limit of 40MiB" in line for line in errors) == 2
    _, explained = gomem(tmp_path, "explain", "report.json")
    assert "who   allocated by main.remember" in explained
