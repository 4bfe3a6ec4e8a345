"""A window is summarized by one call, which works out once what many figures need."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gomem_windows import window

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.measure import cycles
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.measure.summary import summarize
from pytest_gomem.measure.window import Phase, once_per_window

REGISTRY = Registry(builtin_metrics())


def test_cycles_are_joined_once_per_window(monkeypatch):
    """A dozen metrics, the series, the cross checks and the cycles themselves are made of them; a phase has its own."""
    joined, join = [], cycles._numbered
    monkeypatch.setattr(cycles, "_numbered", lambda one, pair: joined.append(one.name) or join(one, pair))
    part = Phase("login", 101.0, 102.0, None, replace(window(), name="login", is_phase=True))
    found = summarize(window(name="whole", phases=(part,)), REGISTRY)
    assert sorted(joined) == ["login", "whole"]
    assert len(found.cycles) == found.metrics["gc_cycles"].value == found.phases[0]["gc_cycles"].value == 40


def test_a_reason_is_kept_too():
    """Whoever asks again is told the same; a changed copy of the window is another window."""
    asked = []

    @once_per_window
    def duration(one):
        asked.append(one)
        if one.duration < 1:
            raise ObserveError("the window is too short")
        return one.duration

    short = window(closed=window().opened)
    for _ in range(2):
        with pytest.raises(ObserveError, match="too short"):
            duration(short)
    assert duration(replace(short, closed=short.opened + 5)) == 5.0
    assert len(asked) == 2


def test_summary_of_an_empty_window_is_empty():
    """Where nothing was read nothing is computed, and nothing raises."""
    gone = Unavailable("nothing was read")
    every = (
        "start",
        "end",
        "gctrace",
        "memstats",
        "smaps",
        "opening_smaps",
        "runtime",
        "after",
        "startup_peak",
        "left",
    )
    found = summarize(window(**dict.fromkeys(every, gone), timeline=(), ops=None, loads=()), REGISTRY)
    assert all(isinstance(result, Unavailable) for result in found.metrics.values())
    assert (found.bill, found.opening_bill, found.peak_moment) == (None, None, None)
    assert (found.loads, found.series, found.cycles, found.size_classes, found.histograms) == ((), {}, (), (), {})
