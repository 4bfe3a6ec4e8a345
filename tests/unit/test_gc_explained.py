"""Why a limit on garbage collection broke: one sentence from what two windows, or one, have recorded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_samples import metric, verdict, window

from pytest_gomem.attribution.culprits import GC_METRICS
from pytest_gomem.diagnosis.gc_explained import allocation_excess, gc_sentence, with_gc_explained
from pytest_gomem.measure.cycles import JoinedCycle
from pytest_gomem.measure.registry import builtin_metrics
from pytest_gomem.results.window_record import BuildRecord, GcRecord

MB = 1e6
BROKEN = verdict("gc_cycles", "10", 30.0)
WORSE = replace(BROKEN, kind="regression", baseline=10.0, change=20.0, over=2.0)


def measured(cycles=10, allocated=100 * MB, goal=12 * MB, live=2 * MB, forced=0, **fields):
    """A window of so many collections; about allocated / (goal - live) fit."""
    figures = {"gc_cycles": cycles, "total_alloc": allocated, "heap_goal": goal, "live_heap": live}
    return window(
        metrics=tuple(metric(name, value) for name, value in figures.items() if value is not None),
        cycles=tuple(JoinedCycle(number, forced=number < forced) for number in range(int(cycles or 0))),
        **fields,
    )


def settings(**effective: str) -> GcRecord:
    return GcRecord({}, {"gogc": "100", "gomemlimit": "off", "gomaxprocs": "2", **effective})


def compared(base, head, name="gc_cycles") -> str:
    worse = replace(WORSE, budget=replace(WORSE.budget, metric=name))
    return gc_sentence(worse, replace(head, base=base))


def test_more_was_allocated():
    """At the same heap goal, three times the collections come from three times the bytes."""
    assert compared(measured(), measured(30, 300 * MB)) == (
        "30 collections instead of 10: 300 MB were allocated instead of 100 MB"
    )


def test_a_ballast_was_removed():
    """As much is allocated, and the goal follows the live heap."""
    base, head = measured(2, goal=132 * MB, live=66 * MB), measured(62, goal=4.2 * MB, live=2.1 * MB)
    assert compared(base, head) == (
        "the live heap fell from 66.0 MB to 2.10 MB, so the heap goal fell from 132 MB to 4.20 MB and collections come "
        "31 times as often: was a ballast removed?"
    )


def test_a_live_heap_that_fell_a_little_is_no_ballast():
    """Nobody asks for it."""
    told = compared(measured(), measured(14, goal=9 * MB, live=1.5 * MB))
    assert told.endswith("collections come 1.4 times as often")
    assert told.startswith("the live heap fell from 2.00 MB to 1.50 MB")


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ({"gogc": "200"}, {}, "GOGC is 100 instead of 200, so the heap goal fell from 22.0 MB to 12.0 MB"),
        ({}, {"gomemlimit": "12MiB"}, "GOMEMLIMIT is 12MiB instead of off, so the heap goal fell"),
        ({"gogc": "about 200 (words)"}, {"gogc": "100, the heap goal fits"}, "GOGC is 100 instead of about 200"),
    ],
)
def test_a_setting_lowers_the_goal(before, now, words):
    """The one that differs, as it is in force."""
    base = measured(10, goal=22 * MB, gc=settings(**before))
    assert compared(base, measured(20, gc=settings(**now))).startswith(words)


def test_the_larger_of_two_causes_is_told():
    """More was allocated, and the goal fell."""
    both = measured(45, 150 * MB, goal=5 * MB, live=2 * MB)
    assert compared(measured(), both).startswith("the heap goal fell from 12.0 MB to 5.00 MB")
    assert "300 MB were allocated" in compared(measured(), measured(45, 300 * MB, goal=8.7 * MB))


def test_the_program_forced_them():
    """A call of runtime.GC is nobody's allocation, though more may be allocated meanwhile."""
    assert compared(measured(forced=1), measured(30, 150 * MB, forced=20)) == (
        "30 collections instead of 10: 20 of them were forced by the program (runtime.GC, debug.FreeOSMemory), 1 before"
    )


def test_as_many_collections_mark_more():
    """That takes CPU, and lengthens no pause."""
    head = measured(10, 400 * MB, goal=42 * MB, live=6 * MB)
    assert compared(measured(), head, "gc_cpu") == "each collection marks more: 6.00 MB are live instead of 2.00 MB"
    assert compared(measured(), head, "gc_pause_max") == "nothing that was recorded explains it"


def test_processors_and_go_versions():
    """What else may differ, where collections are as many."""
    slow = measured(gc=settings(gomaxprocs="8"))
    assert compared(measured(gc=settings()), slow, "gc_pause_max") == "GOMAXPROCS is 8 instead of 2"
    old = BuildRecord("", "go1.25.1")
    assert compared(measured(build=old), measured()) == (
        "it was built by go1.26.0 instead of go1.25.1; nothing else that was recorded explains it"
    )
    told = compared(measured(build=old), measured(20, goal=7 * MB))
    assert told.endswith("times as often; it was built by go1.26.0 instead of go1.25.1")


def test_from_no_collection_at_all():
    """A base without a collection counts as one with one."""
    told = compared(measured(0, 2 * MB), measured(12, 200 * MB))
    assert told == "12 collections instead of 0: 200 MB were allocated instead of 2.00 MB"


def test_what_was_not_measured_explains_nothing():
    """A side may lack any figure."""
    nothing = measured(None, None, None, None)
    for base, head in ((nothing, measured(30)), (measured(), nothing), (nothing, nothing)):
        assert compared(base, head) == "nothing that was recorded explains it"
    assert compared(measured(live=None), measured(30, goal=4 * MB, live=None)).startswith(
        "the heap goal fell from 12.0 MB"
    )
    assert compared(measured(goal=None), measured(30)) == "nothing that was recorded explains it"
    assert gc_sentence(BROKEN, nothing) == "nothing that was recorded explains it"


def test_a_limit_alone_tells_allocation_and_goal():
    """There is nothing to compare with."""
    assert gc_sentence(BROKEN, measured(12, 480 * MB, goal=40 * MB)) == (
        "12 collections: 480 MB were allocated at a heap goal of 40.0 MB"
    )
    assert gc_sentence(BROKEN, measured(1, goal=None)) == "1 collection: 100 MB were allocated"
    tuned = measured(gc=settings(gogc="25", gomemlimit="64MiB"))
    assert gc_sentence(BROKEN, tuned).endswith("heap goal of 12.0 MB (GOGC=25, GOMEMLIMIT=64MiB)")
    assert gc_sentence(BROKEN, measured(forced=9)).endswith(
        "; 9 of them were forced by the program (runtime.GC, debug.FreeOSMemory)"
    )
    assert gc_sentence(BROKEN, replace(measured(30, 300 * MB), base=measured())).startswith("30 collections: 300 MB")


def test_the_allocation_that_explains_it():
    """What culprits must show: the bytes more, or a limit's excess as a share of all bytes."""
    worse = replace(measured(30, 300 * MB), base=measured())
    assert allocation_excess(WORSE, worse) == pytest.approx(200 * MB)
    assert allocation_excess(BROKEN, worse) == pytest.approx(200 * MB)  # 30 collections, and 10 allowed
    assert allocation_excess(WORSE, replace(measured(30, goal=5 * MB), base=measured())) == 0.0
    assert allocation_excess(WORSE, measured(30, 300 * MB)) == 0.0
    assert allocation_excess(replace(WORSE, actual=None), worse) == 0.0
    assert allocation_excess(verdict("live_heap", "1MB", 2 * MB), worse) == 0.0


def test_sentences_stand_before_what_culprits_explain():
    """A limit and a comparison of one metric are told apart; a phase is not explained."""
    judged = replace(
        measured(30, 300 * MB),
        base=measured(),
        verdicts=(BROKEN, WORSE, replace(BROKEN, budget=replace(BROKEN.budget, metric="gc_rate", phase="login"))),
        culprit_summaries={"gc_cycles": "1 of 3 functions, 98% of the total", "live_heap": "all"},
    )
    assert with_gc_explained(judged).culprit_summaries == {
        "gc_cycles": "30 collections: 300 MB were allocated at a heap goal of 12.0 MB; compared with the base: "
        "30 collections instead of 10: 300 MB were allocated instead of 100 MB; 1 of 3 functions, 98% of the total",
        "live_heap": "all",
    }
    assert with_gc_explained(replace(judged, verdicts=())) == replace(judged, verdicts=())


def test_metrics_of_the_collector_are_covered():
    """All but what it scans, which is memory."""
    known = {metric.name for metric in builtin_metrics() if metric.group == "gc"}
    assert known == {*GC_METRICS, "scan_heap", "scan_stack", "scan_globals", "scan_total"}
