"""What a failure says of an execution trace: the sentences of each kind of limit, all of it below, and the line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_attribution_culprits import MODULE as OWN
from trace_samples import CHURN, FLUSH, REPORT

from pytest_gomem.base.errors import Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import RATIO, Quantity
from pytest_gomem.config.budgets import Budget
from pytest_gomem.diagnosis.traces import with_trace
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.report.failure import failure_text
from pytest_gomem.report.json_rules import PUBLIC
from pytest_gomem.report.traces import traced_line
from pytest_gomem.results.codec import EXACT
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import Status
from pytest_gomem.testing import fake_window_record
from pytest_gomem.tracing.found import TraceFound

LIMIT = Quantity(0.001, RATIO, "0.1%")


def broken(metric, phase=""):
    budget = Budget(metric, LIMIT, None, None, None, "", "marker", Place("test_it.py", 3), phase=phase)
    return Verdict(budget, LIMIT, "max", 0.01, Status.FAIL)


def window(*metrics, **fields):
    return replace(fake_window_record({}), verdicts=tuple(map(broken, metrics)), **fields)


class Side:
    """What the observed rounds of a side recorded: a trace."""

    there = "on the base side"
    module = OWN

    def __init__(self, report=REPORT, note=""):
        self.trace = TraceFound(report, note)


def text_of(found: WindowRecord) -> str:
    return " ".join(failure_text(found, "test_it.py::test_it")[1].split())


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("gc_assist_cpu", "longest assist 42.5 ms in main.churn /srv/app/main.go:71, 1.5 ms after cycle 7 began"),
        ("gc_pause_max", "longest stop of the world 2 ms (GC mark termination), 1.5 s after the trace began; 20 stops"),
        ("gc_cpu", "10 collections: 7 heap goal, 3 runtime.GC in main.flush /srv/app/store.go:30"),
        ("latency_p99", "goroutines waited up to 12 ms for a processor (p99 3 ms, 900 waits)"),
    ],
)
def test_each_kind_of_limit_has_its_sentence(metric, words):
    assert f"who {words}" in text_of(window(metric, trace=REPORT))


def test_a_comparison_tells_what_there_was_on_the_base_side():
    base = replace(fake_window_record({}), trace=replace(REPORT, cycle_count=4, stops=()))
    for metric, words in (
        ("gc_assist_cpu", "(heap goal); on the base side 42.5 ms"),
        ("gc_pause_max", "20 stops; on the base side 0 ns"),
        ("gc_cpu", "store.go:30; on the base side 4 collections"),
        ("latency_p99", "900 waits); on the base side 12 ms"),
    ):
        worse = replace(broken(metric), kind="regression")
        assert words in text_of(replace(window(trace=REPORT, base=base), verdicts=(worse,)))


def test_a_limit_that_no_trace_explains_has_none():
    """Nor has one on a phase: the trace is of the whole window."""
    for one in (
        window("live_heap", trace=REPORT),
        replace(window(trace=REPORT), verdicts=(broken("gc_cpu", "login"),)),
    ):
        assert "longest assist 42.5 ms in" not in text_of(one).partition("from an execution trace")[0]


def test_all_of_it_stands_below():
    told = text_of(window("gc_assist_cpu", trace=REPORT)).partition("from an execution trace")[2]
    for words in (
        "10 stops for GC sweep termination: 1 ms in all, longest 300 us",
        "40 mark assists: 200 ms in all, longest assist 42.5 ms in main.churn",
        "main.churn /srv/app/main.go:71 assists 30 times: 150 ms, 75% of all, longest 42.5 ms",
        "goroutines without a stack assists 10 times",
        "highest heap goal 8.39 MB",
    ):
        assert words in told


def test_the_line_that_assists_or_forces_is_the_culprit():
    """In the headline, and for a place in the repository."""
    assert traced_line(window(trace=REPORT), broken("gc_assist_cpu")) == CHURN
    assert traced_line(window(trace=REPORT), broken("gc_cpu")) == FLUSH
    assert traced_line(window(trace=REPORT), broken("latency_p99")) is None
    assert traced_line(window(), broken("gc_cpu")) is None
    headline = failure_text(window("gc_assist_cpu", trace=REPORT), "test_it.py::test_it")[0]
    assert "culprit main.churn /srv/app/main.go:71" in headline


def test_the_kept_trace_is_opened_by_gos_own_tool():
    found = window("gc_cpu", trace=REPORT, artifacts={"trace": "w-trace.out"})
    assert "next go tool trace w-trace.out" in text_of(found)


def test_the_trace_comes_with_short_names_of_files():
    found, seen = with_trace(window("gc_assist_cpu"), Side(), None)
    assert (found.trace.lines[0].frame.file, found.trace_note, seen) == ("main.go", "", (True,))


def test_why_there_is_none():
    found, seen = with_trace(window("gc_cpu"), Side(Unavailable("no Go toolchain")), None)
    assert (found.trace, found.trace_note, seen) == (None, "no Go toolchain", ())
    assert "no execution trace tells: no Go toolchain" in text_of(found)


def test_a_trace_that_does_not_show_it_says_so():
    """A stop far below what broke the limit; the program may have ended the trace, too."""
    calm = replace(REPORT, stops=(replace(REPORT.stops[0], longest=0.0001),))
    found, seen = with_trace(window("gc_pause_max"), Side(calm, "the trace ended early"), None)
    assert seen == (False,)
    assert (
        found.trace_note
        == "the trace ended early; no stop in it is longer than 100 us: what broke the limit was not there"
    )


def test_it_survives_the_way_through_json():
    """In the report, and between processes."""
    found = window("gc_cpu", trace=REPORT, trace_note="why")
    back = PUBLIC.decode(WindowRecord, PUBLIC.encode(WindowRecord, found))
    assert (back.trace, back.trace_note) == (REPORT, "why")
    assert EXACT.decode(WindowRecord, EXACT.encode(WindowRecord, found)).trace == REPORT
