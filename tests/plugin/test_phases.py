"""Phases: windows within the window, with every metric and budgets of their own, that leave its figures as they are."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

PROGRAMS = Path(__file__).parents[1] / "programs"
BUILT = f"""\
built:
  build: {PROGRAMS}/server
  args: ["--listen", "127.0.0.1:{{port}}"]
  ready: {{http: /healthz}}
"""
GROWING = """
    @pytest.mark.gomem(service="built"{budgets})
    def test_phases(go_service):
        go_service.get("/alloc?bytes=100000000")
        go_service.free()
        with go_service.phase("small"):
            go_service.get("/alloc?bytes=1000000")
            go_service.get("/alloc?bytes=1000000")
        with go_service.phase("big", ops=1, collect=True):
            go_service.get("/alloc?bytes=30000000&keep=true")
        for _ in range(2):
            with go_service.phase("again"):
                go_service.get("/alloc?bytes=1000000")
        go_service.gc_now()
"""


def phases_of(window) -> dict:
    return {phase["name"]: {n: m["value"] for n, m in phase["metrics"].items()} for phase in window["phases"]}


def test_every_metric_of_each_phase(scenario):
    """Each has its own figures and operations; the window keeps its peak from before, and no reading of theirs."""
    outcome = scenario(GROWING.format(budgets=""), more_services=BUILT).run()
    assert outcome.status == 0, outcome.text
    window = outcome.window("test_phases")
    whole = {name: metric["value"] for name, metric in window["metrics"].items()}
    phases = phases_of(window)
    assert list(phases) == ["small", "big", "again", "again#2"]
    assert set(phases["small"]) == set(whole)
    assert whole["peak_rss"] > 100e6
    assert phases["small"]["peak_rss"] < 40e6 < 60e6 + phases["big"]["peak_rss"]
    assert phases["big"]["peak_rss"] > 30e6
    assert window["peak_moment"]["latest"] <= window["phases"][0]["start"]
    assert (phases["small"]["ops"], phases["big"]["ops"], whole["ops"]) == (2, 1, 6)
    assert 2e6 < phases["small"]["total_alloc"] < 2.2e6
    assert 1e6 < phases["small"]["alloc_bytes_per_op"] < 1.1e6
    assert 30e6 < phases["big"]["total_alloc"] < 30.2e6
    assert 134e6 < whole["total_alloc"] < 136e6
    assert 30e6 < phases["big"]["live_heap"] < 31e6
    reasons = {phase["name"]: phase["metrics"]["live_heap"]["reason"] for phase in window["phases"]}
    assert "a phase forces no collection" in reasons["small"]
    assert reasons["big"] is None
    # The cycles that "big" forced are in no figure.
    numbers = [cycle["number"] for cycle in window["cycles"]]
    assert max(later - earlier for earlier, later in pairwise(numbers)) > 3
    assert 0 < whole["gc_cpu"] < 1
    assert whole["gc_cycles"] == len(numbers)
    assert sum(phases[name]["gc_cycles"] for name in phases) <= whole["gc_cycles"]
    assert "test_phases / small" in outcome.text
    assert "test_phases / again#2" in outcome.text
    assert {check["agrees"] for check in window["cross_checks"]} == {True}, window["cross_checks"]


def test_budgets_of_phases(scenario):
    """They rank and fail as others do; the text names the phase. A phase's live_heap is collected for its budget."""
    budgets = ', phases={"big": {"live_heap": "1MB"}, "small": {"peak_rss": "90MB"}, "missing": {"ops": 1}}'
    outcome = scenario(
        GROWING.format(budgets=budgets).replace(", collect=True", ""),
        more_services=BUILT,
        budgets="""
            budgets:
              defaults: {phases: {elsewhere: {peak_rss: 1B}}}
              services: {built: {phases: {again: {total_alloc: 1B}, small: {peak_rss: 1B}}}}
        """,
    ).run()
    assert outcome.status == 1
    verdicts = {(v["phase"], v["metric"]): v["status"] for v in outcome.window("test_phases")["verdicts"]}
    assert verdicts == {
        ("again", "total_alloc"): "fail",
        ("again#2", "total_alloc"): "fail",
        ("big", "live_heap"): "fail",
        ("missing", "ops"): "unavailable",
        ("small", "peak_rss"): "pass",
    }
    assert "live_heap of phase 'big' is 30." in outcome.text
    assert "over its limit of 1MB" in outcome.text
    assert "ops of phase 'missing' is unavailable: there was no such phase in the window" in outcome.text
    assert "total_alloc of phase 'again#2' is 1.0" in outcome.text
    assert outcome.window("test_phases")["culprits"] == []
    assert outcome.window("test_phases")["culprit_summaries"] == {
        "live_heap": "nobody is named for phase 'big': the profiles are of the whole window",
        "total_alloc": "nobody is named for phase 'again#2': the profiles are of the whole window",
    }
