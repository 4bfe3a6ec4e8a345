"""Sources of one definition are held against each other: real recordings agree, a source that is off does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gomem_windows import CLOSED, MIB, OPENED, cycle, kernel, memstats, pair, trace, window

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.measure.cross_checks import cross_checks, disagreement
from pytest_gomem.measure.window import GcTrace, MemStatsPair, SourceEdges
from pytest_gomem.observe.gctrace import GctraceReader
from pytest_gomem.observe.records import Observed

RECORDED = sorted((Path(__file__).parents[1] / "recorded").glob("go1.*"))
TOLD = {"total_alloc": 35_100_000, "mallocs": 250_500, "num_gc": 50, "rss": 31 * MIB, "cpu": 3.0, "fds": 1}


def beside(start=None, **told) -> SourceEdges:
    end = {**TOLD, **told}
    return SourceEdges("prometheus", 50, Observed(OPENED, start or {}), Observed(CLOSED, end))


def checks(**facts) -> dict:
    facts = {"sources": (beside(),), "after": kernel(CLOSED + 0.1, 32 * MIB, 40 * MIB, cpu=3.01), **facts}
    made = cross_checks(window(**facts))
    return {(check.quantity, check.sources[1]): check for check in made}


def test_what_agrees():
    """Counters lie between two readings, RSS and CPU near the kernel's; nothing else of a page is compared."""
    made = checks()
    assert {name for name, source in made if source == "prometheus"} == {
        "total_alloc",
        "mallocs",
        "num_gc",
        "rss",
        "cpu",
    }
    assert all(check.agrees for check in made.values())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("total_alloc", 35_049_999),
        ("total_alloc", 35_200_001),
        ("mallocs", 250_399),
        ("num_gc", 53),
        ("rss", 20 * MIB),
        ("rss", 48 * MIB),
        ("cpu", 2.8),
        ("cpu", 3.2),
    ],
)
def test_what_is_off_is_told(name, value):
    """Below the reading before, or above the one after: by the check, with both figures."""
    check = checks(sources=(beside(**{name: value}),))[name, "prometheus"]
    assert not check.agrees
    assert f"two sources disagree on {name}: " in disagreement(check)
    assert "by prometheus" in disagreement(check)


def test_rss_may_have_been_at_its_peak_meanwhile():
    """The highest RSS since the opening bounds it, not the two readings."""
    assert checks(sources=(beside(rss=40 * MIB),))["rss", "prometheus"].agrees


def test_without_a_collection_the_later_reading_bounds():
    """expvar forces none; without any later reading only the lower bound is there."""
    gone = Unavailable("none is forced")
    for later, agrees in ((memstats(50, 35_090_000, 260_000), False), (None, True)):
        made = checks(memstats=pair(after_gc=gone, later=later))
        assert made["total_alloc", "prometheus"].agrees is agrees


def test_sums_of_pauses_of_the_same_cycles():
    """Only where both saw the same cycles at both edges."""
    exact = sum(30e-6 + n * 1e-9 for n in range(11, 51))
    start = {"num_gc": 10, "pause_total": 1.0}
    for told, agrees in ((1.0 + exact, True), (1.0 + exact + 5e-6, False)):
        assert checks(sources=(beside(start, pause_total=told),))["pause_total", "prometheus"].agrees is agrees
    moved = beside({"num_gc": 9, "pause_total": 1.0}, pause_total=5.0)
    assert ("pause_total", "prometheus") not in checks(sources=(moved,))


def test_a_pause_longer_than_gctrace_saw_it():
    """gctrace's clock includes the wait for the world to stop: less than PauseNs it cannot be."""
    assert checks()["pause_total", "gctrace"].agrees
    short = [cycle(n, stw_sweep_term=1e-6, stw_mark_term=1e-6) for n in range(11, 51)]
    assert not checks(gctrace=GcTrace(tuple(short), 0, 0))["pause_total", "gctrace"].agrees


def test_forced_cycles():
    """NumForcedGC counts what gctrace calls forced; of lost lines it is not known."""
    forced = pair(end=memstats(50, 35_050_000, 250_400, num_forced_gc=3))
    lines = [cycle(n, forced=n in (20, 30, 40)) for n in range(11, 51)]
    assert checks(memstats=forced, gctrace=GcTrace(tuple(lines), 0, 0))["num_forced_gc", "gctrace"].agrees
    assert not checks(memstats=forced)["num_forced_gc", "gctrace"].agrees
    assert checks(memstats=forced, gctrace=trace(*range(11, 49), lost=2))["num_forced_gc", "gctrace"].agrees


def test_a_line_before_its_cycle():
    """A line that was read long before MemStats has no number above theirs."""
    lines = tuple(cycle(n, t=OPENED - 2.0 if n == 11 else OPENED + 1) for n in range(11, 51))
    assert not checks(gctrace=GcTrace(lines, 0, 0))["num_gc", "gctrace"].agrees


@pytest.mark.parametrize("folder", RECORDED, ids=lambda folder: folder.name)
def test_recorded_programs_agree_with_themselves(folder):
    """Of every Go release, plain and torn by logging: pauses, numbers and forced cycles."""
    for mode in ("plain", "logging"):
        truth = json.loads((folder / "truth.json").read_text())[mode]
        cycles, _ = GctraceReader().feed((folder / f"{mode}.stderr").read_bytes())
        last, pauses = truth["num_gc"], truth["pause_ns"]
        ring = tuple((last - len(pauses) + 1 + i, pause / 1e9, 0.0) for i, pause in enumerate(pauses))
        end = memstats(last, 9, 9, pauses=ring, num_forced_gc=truth["num_forced_gc"])
        both = MemStatsPair(memstats(0, 1, 1), end, Unavailable("the program has ended"), 0, 0)
        lines = GcTrace(tuple(c for c in cycles if c.number <= last), 0, 0)
        made = cross_checks(window(memstats=both, gctrace=lines))
        assert len(made) == 3
        assert [check for check in made if not check.agrees] == []
