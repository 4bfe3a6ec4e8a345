"""Execution traces of real services: in a failure, by hand, and of a flight recorder."""

from __future__ import annotations

import stat
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "programs" / "churn"
SOURCE = PROGRAM.joinpath("main.go").read_text()
SERVICE = f"""\
  build: {PROGRAM}
  args: ["--listen", "127.0.0.1:{{port}}"]
  ready: {{http: /healthz}}
"""
SERVICES = f"""\
job: {{build: {PROGRAM.parent / "ending"}, args: ["--mb=20"]}}
flying: {{build: {PROGRAM.parent / "ending"}, args: ["--mb=20"], trace: {{flight: 2MiB}}}}
churn:
{SERVICE}
recorded:
{SERVICE}
  trace: {{flight: 2MiB, when: {{latency: 1us}}}}
"""
TESTS = """
@pytest.mark.gomem(service="churn", gc_assist_cpu="0.0001%", gc_pause_max="1ns")
def test_assists(go_service):
    with go_service.warmup():
        go_service.get("/churn")
    for _ in range(3):
        go_service.get("/churn")
        go_service.get("/collect")

@pytest.mark.gomem(service="churn", gc_pause_max="1s")
def test_by_hand(go_service, tmp_path):
    with go_service.trace(keep=tmp_path / "trace.out", max_size="16MiB") as t:
        go_service.get("/churn")
        with pytest.raises(gm.MeasureError, match="still being taken"):
            t.report
        with pytest.raises(gm.ObserveError, match="another trace of the service is on"), go_service.trace():
            pass
    assert t.report.cycle_count >= 1
    assert t.note == ""
    with pytest.raises(gm.ObserveError, match="cannot be kept as .*trace.out: File exists"):
        with go_service.trace(keep=tmp_path / "trace.out"):
            pass

@pytest.mark.gomem(service="api")
def test_without_agent(go_service):
    with pytest.raises(gm.ObserveError, match="no agent that takes a trace: .*; with seconds= its length is asked of"):
        with go_service.trace():
            pass
    with go_service.trace(seconds=0.2) as t:
        go_service.get("/alloc?bytes=1000")
    assert t.report.seconds > 0.1

@pytest.mark.gomem(sched_latency_p99="1ns")
def test_program(gomem):
    gomem.run("job", args=["--how=collecting"])

def test_no_recorder(gomem):
    gomem.run("flying")

@pytest.mark.gomem(service="recorded")
def test_recorded(go_service):
    go_service.get("/churn")
"""


def line_of(text):
    return SOURCE[: SOURCE.index(text)].count("\n") + 1


def test_what_an_execution_trace_tells(scenario, tmp_path):
    """Who assists and who forces, in a failure whose other rounds are apart; the trace by hand; the recorder's."""
    project = scenario("import pytest_gomem as gm\n" + TESTS, more_services=SERVICES)
    artifacts = tmp_path / "kept"
    outcome = project.run("--gomem-diagnose=20", f"--basetemp={tmp_path / 'base'}", f"--gomem-artifacts={artifacts}")

    window = outcome.window("test_assists")
    trace = window["trace"]
    assert trace["lines"][0]["frame"]["function"] == "main.churn.func1"
    assert trace["lines"][0]["frame"]["file"] == "churn/main.go"
    forced = next(cycle for cycle in trace["cycles"] if cycle["cause"] == "runtime.GC")
    assert (forced["by"]["function"], forced["by"]["line"]) == ("main.collect", line_of("runtime.GC()"))
    assert sum(cause["count"] for cause in trace["causes"]) == trace["cycle_count"]
    assert {stop["reason"] for stop in trace["stops"]} >= {"GC mark termination", "GC sweep termination"}
    assert not any("pytestGomem" in one["function"] for one in trace["goroutines"] if one["assists"])
    assert window["diagnosis"]["rounds"] == 2
    assert "longest assist" in outcome.text
    assert "go tool trace" in outcome.text
    kept = artifacts / window["artifacts"]["trace"]
    assert kept.read_bytes().startswith(b"go 1.")

    window = outcome.window("test_by_hand")
    assert {metric["reason"] for metric in window["metrics"].values()} == {
        "trace() was called in this window, and an execution trace disturbs the service"
    }
    (kept,) = (tmp_path / "base").rglob("trace.out")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    assert "FAILED test_it.py::test_without_agent" not in outcome.text

    window = outcome.window("test_program")
    assert window["trace"]["latency"]["count"] > 0
    assert window["diagnosis"]["notes"] == []

    window = outcome.window("test_no_recorder")
    assert "the flight recorder is for services" in window["trace_note"]
    assert window["metrics"]["peak_rss"]["value"] > 10e6

    window = outcome.window("test_recorded")
    assert window["trace"]["events"] > 0
    assert "read by the flight recorder after a request of" in window["trace_note"]
    assert (artifacts / window["artifacts"]["trace"]).stat().st_size > 0
    assert {metric["reason"] for metric in window["metrics"].values()} == {
        "gomem.yaml has a flight recorder for this service (trace:), which disturbs it"
    }
