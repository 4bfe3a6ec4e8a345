"""The answer of the trace reader as frozen data."""

from __future__ import annotations

import pytest

from pytest_gomem.tracing.model import HEAP_GOAL, Frame, report_from_json

LINE = {"function": "main.churn", "file": "/src/main.go", "line": 71}
ANSWER = {
    "format": "go 1.26",
    "events": 7,
    "seconds": 1.5,
    "cycle_count": 1,
    "cycles": [{"index": 1, "start": 0.5, "duration": None, "cause": "heap goal", "by": LINE, "stack": ["a", "b"]}],
    "causes": [{"cause": "heap goal", "count": 1, "total": 0.25, "longest": 0.25}],
    "stops": [{"reason": "GC mark termination", "count": 1, "total": 1e-4, "longest": 1e-4, "longest_start": 0.75}],
    "assist_count": 1,
    "assist_seconds": 0.0425,
    "assists": [{"start": 0.5015, "duration": 0.0425, "goroutine": 7, "frame": LINE, "cycle": 1, "after": 0.0015}],
    "lines": [{"frame": None, "count": 1, "total": 0.0425, "longest": 0.0425}],
    "goroutines": None,
    "latency": {"count": 3, "p50": 1e-6, "p99": 2e-6, "longest": 3e-6, "precision": 0.1},
    "problems": ["the trace ends within a batch"],
}


def test_an_answer_becomes_frozen_data():
    report = report_from_json(ANSWER)
    assert report.cycles[0].cause == HEAP_GOAL
    assert report.cycles[0].stack == ("a", "b")
    assert report.cycles[0].by == Frame("main.churn", "/src/main.go", 71)
    assert report.longest_assist is not None
    assert report.longest_assist.frame == Frame("main.churn", "/src/main.go", 71)
    assert report.longest_assist.leaf is None
    assert report.lines[0].frame is None
    assert report.goroutines == ()
    assert report.latency is not None
    assert report.latency.count == 3
    assert report.problems == ("the trace ends within a batch",)


@pytest.mark.parametrize(
    "wrong", [{}, {"format": "go 1.26"}, {**ANSWER, "more": 1}, {**ANSWER, "stops": [{}]}, {**ANSWER, "cycles": 7}]
)
def test_any_other_answer_is_an_error(wrong):
    with pytest.raises((KeyError, TypeError, ValueError)):
        report_from_json(wrong)
