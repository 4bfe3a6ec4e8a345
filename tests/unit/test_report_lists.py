"""The list of metrics, and the properties of JUnit."""

from __future__ import annotations

from hypothesis import given
from report_samples import assert_golden, calmly, metric, tests, verdict, window

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import BYTES, RATIO, SECONDS
from pytest_gomem.measure.metric import Better, Metric, Noise
from pytest_gomem.report.junit import properties, suite_properties
from pytest_gomem.report.metrics_list import metric_lines
from pytest_gomem.results.run_record import TestRecord


def declared(name: str, group: str, unit, **changes) -> Metric:
    known = {
        "better": Better.LOWER,
        "noise": Noise.MODERATE,
        "sources": ("VmHWM of /proc/PID/status", "ru_maxrss"),
        "doc": "The most memory that was resident in the window.",
        "compute": lambda window: Unavailable("never computed here"),
    }
    return Metric(name=name, group=group, unit=unit, **{**known, **changes})


METRICS = (
    declared("peak_rss", "Memory", BYTES),
    declared("gc_pause_p99", "GC", SECONDS, noise=Noise.NOISY, sources=("gctrace",), doc="Stop-the-world time. " * 6),
    declared("live_heap", "Memory", BYTES, noise=Noise.NEAR_EXACT, sources=()),
    declared("gc_cpu", "GC", RATIO, better=Better.HIGHER),
)


def test_metrics_are_listed_by_group():
    """Groups keep the order of their first metric, columns align over all groups, long words wrap."""
    assert_golden("metrics_list.txt", "\n".join(metric_lines(METRICS, 80)))


def test_no_metrics_is_a_head_alone():
    """An empty registry lists nothing."""
    assert [line.split() for line in metric_lines(())] == [["name", "unit", "better", "noise"]]


def test_properties_are_base_units():
    """Values are plain decimals in base units; an unmeasured metric is a reason, never a number."""
    measured = window(metrics=(metric("peak_rss", 12_345_678.0), metric("gc_cpu", 0.1), metric("live_heap", "gone")))
    assert properties(TestRecord("t", "passed", (measured,))) == [
        ("gomem.peak_rss", "12345678"),
        ("gomem.gc_cpu", "0.1"),
        ("gomem.live_heap.unavailable", "gone"),
    ]


def test_only_key_metrics_and_judged_ones_are_properties():
    """A chart of a hundred lines tells nothing; what somebody has a budget on is of interest."""
    metrics = (metric("peak_rss", 1.0), metric("mspan_sys", 2.0), metric("scan_heap", 3.0))
    measured = window(metrics=metrics, verdicts=(verdict("scan_heap", "1MB", 3.0),))
    assert properties(TestRecord("t", "passed", (measured,))) == [("gomem.peak_rss", "1"), ("gomem.scan_heap", "3")]


def test_properties_of_a_suite_bear_the_tests_id():
    """So they stay apart where a test has no place for them."""
    one, two = (TestRecord(f"t.py::{name}", "passed", (window(metrics=(metric("ops", 3.0),)),)) for name in "ab")
    assert list(suite_properties([one, two])) == [("t.py::a::gomem.ops", "3"), ("t.py::b::gomem.ops", "3")]


def test_properties_of_several_windows_carry_their_names():
    """With several windows each property carries its window's name."""
    steady, cold = (window(name=name, metrics=(metric("gc_cycles", 3.0),)) for name in ("steady", "cold"))
    assert properties(TestRecord("t", "passed", (steady, cold))) == [
        ("gomem.steady.gc_cycles", "3"),
        ("gomem.cold.gc_cycles", "3"),
    ]


@calmly
@given(tests)
def test_properties_are_text(test):
    """Whatever the test holds, names and values are printable text, which XML can carry."""
    for name, value in properties(test):
        assert name.isprintable()
        assert value.isprintable()
        assert name.startswith("gomem.")
