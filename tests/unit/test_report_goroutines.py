"""The text of goroutines, and which broken limit is told first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import calmly, metric, verdict, window

from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.attribution.goroutines import GoroutineGroup
from pytest_gomem.attribution.origin import Site
from pytest_gomem.report.first_verdict import explaining_first
from pytest_gomem.report.goroutines import goroutine_culprit, goroutine_lines, goroutine_sentence, main_group
from pytest_gomem.report.text import display_width

LOCKED = GoroutineGroup(
    "sync.Mutex.Lock", "main.(*mu).forceLock", "mu.go", 12, "example.com/app/web.(*Server).handle (web/server.go:40)",
    2, 302, ("sync.(*Mutex).Lock (sync/mutex.go:46)", "main.(*mu).forceLock (mu.go:12)"),
)  # fmt: skip
SENDING = replace(LOCKED, state="chan send", function="main.send", line=7, created_by="", before=0, after=4, stack=())
STILL = replace(SENDING, function="main.main", before=1, after=1)


def lines(*groups, width=108):
    return list(goroutine_lines(groups, width))


def test_a_line_for_each_group_that_grew_with_the_stack_of_the_first():
    """How many more, what they wait for, where, and who created them; groups that did not grow are not shown."""
    assert lines(LOCKED, SENDING, STILL) == [
        "goroutines by state, function and creation site",
        "  +300  sync.Mutex.Lock  main.(*mu).forceLock (mu.go:12), created by web.(*Server).handle (web/server.go:40)",
        "        sync.(*Mutex).Lock (sync/mutex.go:46)",
        "        main.(*mu).forceLock (mu.go:12)",
        "    +4  chan send        main.send (mu.go:7)",
    ]


def test_without_growth_all_are_shown_by_number():
    """A budget on all goroutines may be broken from the start, or the opening could not be read."""
    many = replace(STILL, before=None, after=30)
    assert lines(STILL, many)[1:] == ["  30  chan send  main.main (mu.go:7)"]
    assert lines(STILL, replace(many, before=30))[1:] == [
        "  30  chan send  main.main (mu.go:7)",
        "   1  chan send  main.main (mu.go:7)",
    ]
    assert lines() == []


def test_twelve_lines_at_most():
    """What does not fit is counted."""
    found = lines(LOCKED, *[replace(SENDING, line=number) for number in range(1, 31)])
    assert len(found) == 12
    assert found[-1] == "  23 more groups: +92"
    assert lines(*[replace(SENDING, line=number) for number in range(1, 12)])[-1] == "  1 more group: +4"


_text = st.text(max_size=30)
_groups = st.builds(
    GoroutineGroup,
    _text, _text, _text, st.integers(0, 9999), _text, st.none() | st.integers(0, 10**6), st.integers(0, 10**6),
    st.lists(_text, max_size=6).map(tuple),
)  # fmt: skip


@calmly
@given(st.lists(_groups, max_size=20))
def test_any_groups_fit(groups):
    """Whatever names a program has."""
    found = lines(*groups, width=60)
    assert len(found) <= 12
    assert all(display_width(line) <= 60 and line.isprintable() for line in found)


def test_a_group_in_one_sentence():
    """For the first lines of a failure, and for its headline."""
    assert goroutine_sentence(LOCKED) == (
        "300 more goroutines in main.(*mu).forceLock (mu.go:12), created by web.(*Server).handle (web/server.go:40), "
        "state: sync.Mutex.Lock"
    )
    assert goroutine_sentence(STILL) == "1 goroutine in main.main (mu.go:7), state: chan send"
    assert goroutine_culprit(LOCKED) == (
        "main.(*mu).forceLock (mu.go:12), 300 goroutines created by web.(*Server).handle (web/server.go:40)"
    )
    assert main_group((STILL, SENDING)) == SENDING
    assert main_group((replace(STILL, before=5), replace(STILL, before=50, after=40))).after == 40
    assert main_group(()) is None


# Which limit comes first

HEAP, RSS, TOTAL = (verdict(name, "1MB", 9e6) for name in ("live_heap", "peak_rss", "total_alloc"))
COUNT = verdict("goroutines", "20", 312.0)
CULPRIT = Culprit("main.(*mu).forceLock", "mu.go", 11, "live_heap", 0, 8_000_000, 1000, 0.95, "holds 8 MB")


def first(*broken, culprits=(CULPRIT,), groups=(LOCKED,)):
    metrics = (
        metric("live_heap", 9e6),
        metric("peak_rss", 9e6),
        metric("total_alloc", 9e6),
        metric("goroutines", 312.0),
    )
    found = window(metrics=metrics, verdicts=broken, culprits=culprits, goroutine_groups=groups)
    ordered = explaining_first(broken, found)
    assert sorted(map(id, ordered)) == sorted(map(id, broken))
    return ordered[0].budget.metric


@pytest.mark.parametrize(
    "culprit",
    [
        CULPRIT,
        replace(CULPRIT, function="example.com/app/web.(*Server).handle"),  # created them, with what they hold
        replace(CULPRIT, function="main.newEntry", callers=(Site("main.(*mu).forceLock", "mu.go", 12),)),
        replace(CULPRIT, function="runtime.malg"),
        replace(CULPRIT, metric="heap_objects"),
    ],
)
def test_goroutines_come_first_if_they_hold_the_memory(culprit):
    """Their own function has allocated it, or the one that created them."""
    memory = HEAP if culprit.metric == "live_heap" else verdict("heap_objects", "1", 9e6)
    assert first(memory, COUNT, culprits=(culprit,)) == "goroutines"


def test_memory_that_others_hold_stays_first():
    """Both have grown, and neither explains the other."""
    cache = replace(CULPRIT, function="main.(*cache).fill")
    assert first(HEAP, COUNT, culprits=(cache,)) == "live_heap"
    called = replace(cache, callers=(Site("example.com/app/web.(*Server).handle", "web/server.go", 30),))
    assert first(HEAP, COUNT, culprits=(called,)) == "live_heap"  # what created them does other work too
    assert first(HEAP, COUNT, culprits=(replace(cache, share=0.6), replace(CULPRIT, share=0.2))) == "live_heap"
    assert first(HEAP, COUNT, culprits=(replace(cache, share=0.2), replace(CULPRIT, share=0.6))) == "goroutines"


def test_few_goroutines_explain_nothing():
    """Fewer than 10 may be there for the memory, as workers of a pool that grew."""
    assert first(HEAP, COUNT, groups=(replace(LOCKED, after=11),)) == "live_heap"
    assert first(HEAP, COUNT, groups=()) == "live_heap"


def test_each_limit_on_memory_before_it_must_be_explained():
    """What the goroutines do not explain stays before them; what comes after them may have other reasons."""
    churn = replace(CULPRIT, metric="total_alloc", function="main.encode")
    assert first(TOTAL, HEAP, COUNT, culprits=(CULPRIT, churn)) == "total_alloc"
    assert first(HEAP, COUNT, TOTAL, culprits=(CULPRIT, churn)) == "goroutines"
    assert first(TOTAL, COUNT, culprits=()) == "total_alloc"  # stacks are not allocated as objects are


def test_culprits_of_the_same_samples_count_for_each_metric():
    """The profile of live_heap explains peak_rss too: only one of them has culprits."""
    assert first(RSS, HEAP, COUNT) == "goroutines"


@pytest.mark.parametrize(("growth", "told"), [(1.4e6, "goroutines"), (9e6, "peak_rss")])
def test_memory_without_culprits_may_be_stacks(growth, told):
    """300 goroutines take 768 kB at least."""
    assert first(verdict("peak_rss", "1MB", 1e6 + growth), COUNT, culprits=()) == told
    compared = replace(RSS, kind="regression", actual=30e6 + growth, baseline=30e6)
    assert first(compared, replace(COUNT, kind="regression"), culprits=()) == told


def test_a_comparison_has_its_own_culprits():
    """Those of a limit tell what grew in the window, not since the base."""
    compared = replace(HEAP, kind="regression", baseline=1e6)
    assert first(compared, COUNT, culprits=(replace(CULPRIT, is_between=True),)) == "goroutines"
    assert first(compared, COUNT) == "live_heap"


def test_without_a_limit_on_goroutines_the_order_stays():
    """Nor for one of a phase, which the stacks are not of, nor for what is no memory."""
    assert first(HEAP, RSS) == "live_heap"
    assert first(HEAP, replace(COUNT, budget=replace(COUNT.budget, phase="login"))) == "live_heap"
    assert first(verdict("gc_cycles", "1", 9.0), COUNT, culprits=()) == "gc_cycles"
