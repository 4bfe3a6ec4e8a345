"""The fakes that authors of metrics, sources and reporters test with."""

from __future__ import annotations

import pytest

import pytest_gomem as gm
from pytest_gomem.measure.registry import builtin_metrics, evaluate
from pytest_gomem.report.json_report import to_dict
from pytest_gomem.testing import FakeProcess, fake_memstats, fake_run, fake_window, fake_window_record

MIB = 1 << 20


@gm.metric(group="x", unit=gm.COUNT, better=gm.Better.LOWER, noise=gm.Noise.MODERATE, sources=("x",))
def answers(window):
    """Answers that were given."""
    return gm.Reading(float(window.ops), "x")


def figures(window: gm.Window) -> dict[str, float]:
    found = evaluate(window, builtin_metrics())
    reasons = [result.reason for result in found.values() if isinstance(result, gm.Unavailable)]
    assert not [reason for reason in reasons if "failed" in reason], reasons
    return {name: result.value for name, result in found.items() if isinstance(result, gm.Reading)}


def test_a_fake_window_has_the_figures_that_it_tells_of():
    """In MemStats and gctrace alike, so that no cross-check of them disagrees; what you say replaces them."""
    found = figures(fake_window())
    assert (found["peak_rss"], found["start_rss"], found["end_rss"]) == (40 * MIB, 20 * MIB, 30 * MIB)
    assert (found["total_alloc"], found["allocs"], found["gc_cycles"]) == (30_000_000, 200_000, 40)
    assert found["alloc_bytes_per_op"] == 30_000
    assert answers.compute(fake_window(ops=7)).value == 7
    assert "alloc_bytes_per_op" not in figures(fake_window(ops=None))
    stats = fake_memstats(mallocs=100, heap_objects=40)
    assert stats.frees == 60


def test_a_fake_process_is_what_you_say():
    """Values over time, readings that fail, an end; its peak follows its RSS."""
    process = FakeProcess(rss=30 * MIB, goroutines=5)
    window = process.open_window()
    process.later(3.0, rss=90 * MIB, goroutines=6)
    process.work(2.0, allocate=1000, objects=10)
    process.change(rss=40 * MIB)
    process.work(2.0)
    process.change(rss=35 * MIB)
    closed = window.close()
    found = figures(closed)
    assert (found["peak_rss"], found["end_rss"], found["goroutines"]) == (90 * MIB, 35 * MIB, 6)
    assert found["total_alloc"] == 1000
    seen = [(round(sample.t - closed.opened), sample.rss // MIB) for sample in closed.timeline]
    assert seen == [(2, 30), (2, 40), (3, 90), (4, 90), (4, 35)]
    process.failing["kernel"] = "no such file"
    assert process.open_window().close().end == gm.Unavailable("no such file")
    process.end(code=3)
    with pytest.raises(gm.ObserveError, match="process 4242 has ended"):
        process.record("status")
    with pytest.raises(TypeError, match="gorutines"):
        process.change(gorutines=1)


def test_a_fake_run_is_reported_as_a_real_one():
    """Budgets are judged, a metric of your own has its unit, and a wrong name has the nearest."""
    kept = fake_window_record({"peak_rss": 40e6, "answers": 7}, {"peak_rss": "50MB"}, own=[answers], name="kept")
    broken = fake_window_record({"live_heap": "no agent"}, {"live_heap": {"max": "1MB"}}, ops=None)
    run = fake_run({"test_it.py::test_kept": [kept], "test_it.py::test_broken": [kept, broken]})
    assert [test.outcome for test in run.tests] == ["passed", "failed"]
    assert [verdict.status for verdict in (*kept.verdicts, *broken.verdicts)] == [
        gm.Status.PASS,
        gm.Status.UNAVAILABLE,
    ]
    (test, _) = to_dict(run)["tests"]
    assert test["windows"][0]["metrics"]["answers"]["value"] == 7
    with pytest.raises(gm.ConfigError, match="did you mean peak_rss"):
        fake_window_record({"peak_rs": 1.0})
