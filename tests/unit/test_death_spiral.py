"""A death spiral is told by Go's GC CPU limiter and by the room above the live heap, and doubted on a busy machine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gomem_windows import CLOSED, MIB, kernel, runtime, scheduling, window

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.judge.death_spiral import spiral_notes, spiral_verdicts
from pytest_gomem.measure.death_spiral import DeathSpiral, death_spiral, under
from pytest_gomem.measure.runtime_metrics import CYCLES, HEAP_GOAL, HEAP_LIVE, LIMITER
from pytest_gomem.measure.window import GcTrace, RuntimeMetrics
from pytest_gomem.results.window_record import BuildRecord, GcRecord, WindowRecord
from pytest_gomem.session.judging import Judging
from pytest_gomem.stats.decision import Status
from pytest_gomem.testing import fake_gc_cycle

FORCED = {"gogc": "off", "gomemlimit": "64MiB"}


def told(limiter=50, *, live=60 * MIB, goal=62 * MIB, traced=True, starved=0.02, own_cycles=frozenset()):
    """A window of the cycles 11 to 50; the limiter was last on in cycle `limiter`."""
    edges = {CYCLES: 10, LIMITER: 10}, {CYCLES: 50, LIMITER: limiter, HEAP_GOAL: goal, HEAP_LIVE: live}
    start, end = ({**runtime().end, **edge} for edge in edges)
    lines = tuple(fake_gc_cycle(number, heap_live=live, heap_goal=goal) for number in range(11, 51))
    waited = scheduling(3.0, 0.5 + 2 * starved / (1 - starved))
    return window(
        runtime=RuntimeMetrics(start, end, {}),
        gctrace=GcTrace(lines, 0, 0) if traced else Unavailable("gctrace is off"),
        end=kernel(CLOSED, 70 * MIB, 70 * MIB, cpu=3.0, scheduling=waited),
        own_cycles=own_cycles,
    )


@pytest.mark.parametrize("traced", [True, False])
def test_little_room_while_the_limiter_is_on(traced):
    """By gctrace, else by what the runtime tells at the close."""
    found = under(death_spiral(told(traced=traced)), FORCED)
    assert found == DeathSpiral(50, 40, pytest.approx(2 / 60), 60 * MIB, "off", "64MiB", pytest.approx(0.02))
    [verdict] = spiral_verdicts(found)
    assert (verdict.status, verdict.kind, verdict.actual) == (Status.FAIL, "death_spiral", pytest.approx(2 / 60))
    assert verdict.reason == (
        "death spiral: the collector took half of the CPU or more (Go's GC CPU limiter was on in cycle 50, 40 ended in "
        "the window), and had 2.10 MB of room above 62.9 MB that live under GOMEMLIMIT=64MiB (an effective GOGC of "
        "3.3%): raise the limit, or hold less"
    )
    assert not spiral_notes(found)


@pytest.mark.parametrize(
    "calm",
    [
        told(limiter=10),
        told(goal=76 * MIB),
        told(goal=76 * MIB, traced=False),
        told(own_cycles=frozenset({50})),
        window(runtime=Unavailable("no agent")),
        window(),
        told(live=0, traced=False),
    ],
    ids=["before the window", "room", "room at the close", "our own", "no agent", "Go before 1.19", "no heap"],
)
def test_what_is_none(calm):
    """A limiter that was on only before the window or for collections of ours, and a heap with room."""
    assert death_spiral(calm) is None


def test_short_press_after_much_room():
    """What the cycles around the limiter left counts, not the emptiest of them."""
    one = told()
    lines = [replace(line, heap_goal=(62 if line.number > 42 else 120) * MIB) for line in one.gctrace.cycles]
    assert death_spiral(replace(one, gctrace=GcTrace(tuple(lines), 0, 0))) is None


@pytest.mark.parametrize(
    ("settings", "is_one"),
    [({"gogc": "10", "gomemlimit": "200MiB"}, False), ({"gogc": "100", "gomemlimit": "64MiB"}, True), ({}, True)],
)
def test_gogc_that_leaves_no_room(settings, is_one):
    """Who asks for many collections by GOGC gets them, and that is no want of memory."""
    assert (under(death_spiral(told(goal=66 * MIB)), settings) is not None) == is_one


def test_doubts_are_notes():
    """A machine that withholds CPU makes the collector look busy; and without a limit it is no limit's fault."""
    for found, why in [
        (under(death_spiral(told(starved=0.4)), FORCED), "waited for a CPU for 40% of their time"),
        (under(death_spiral(told()), {"gogc": "100", "gomemlimit": "off"}), "no memory limit of Go is in force"),
    ]:
        assert not spiral_verdicts(found)
        [note] = spiral_notes(found)
        assert "this fails nothing: " in note
        assert why in note


def test_none_before_its_start():
    """Without a cycle in the window nothing has spiralled."""
    assert under(None, FORCED) is None
    assert death_spiral(told(limiter=0)) is None
    assert spiral_verdicts(None) == spiral_notes(None) == ()


def test_most_rounds_decide():
    """In several rounds a death spiral fails the test if most of them have one."""
    fallen = WindowRecord("test", "api", BuildRecord(), GcRecord(), None, 1.0, (), death_spiral=death_spiral(told()))
    calm = replace(fallen, death_spiral=None)
    judging = Judging("test_it.py::test_it")
    assert [verdict.budget.metric for verdict in judging.unasked(fallen)] == ["death_spiral"]
    assert len(judging.unasked(fallen, [fallen, calm, fallen])) == 1
    assert not judging.unasked(fallen, [calm, calm, fallen])
    assert not replace(judging, only_measures=True).unasked(fallen)
