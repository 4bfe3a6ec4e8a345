"""The summary table: what fits, what is footnoted, and which limit is the tightest."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import assert_golden, calmly, metric, sample_tests, tests, usual_metrics, verdict, window

from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.attribution.goroutines import GoroutineGroup
from pytest_gomem.judge.regressions import BY_DEFAULT
from pytest_gomem.report.terminal import for_tables, summary_lines
from pytest_gomem.report.text import display_width
from pytest_gomem.results.run_record import TestRecord


def lines_of(*windows, width: int = 200) -> list[str]:
    return [text for text, _ in summary_lines([TestRecord("test_a.py::test_b", "passed", windows)], width)]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_summary_of_all_sorts_of_tests(width):
    """The summary at three widths, each line with its style."""
    lines = summary_lines(sample_tests(), width)
    assert_golden(f"summary_{width}.txt", "\n".join(f"{style or '-':6} |{text}" for text, style in lines))


def test_nothing_measured_says_nothing():
    """Without a window there is no line at all."""
    assert list(summary_lines([], 80)) == []
    assert list(summary_lines([TestRecord("test_a.py::test_b", "skipped", ())], 80)) == []


@calmly
@given(st.lists(tests, max_size=4), st.integers(40, 160))
def test_no_line_is_wider_than_the_terminal(records, width):
    """Whatever the tests hold, lines fit and are printable."""
    for text, style in summary_lines(records, width):
        assert display_width(text) <= width
        assert text.isprintable()
        assert style in {"", "green", "red", "yellow", "bold"}


def test_each_reason_has_one_footnote():
    """One reason for two metrics of two windows is one footnote; another reason is the next."""
    first = window(metrics=(metric("peak_rss", "gone"), metric("live_heap", "gone")))
    second = window(name="more", metrics=(metric("peak_rss", "gone"), metric("live_heap", "no pprof")))
    lines = lines_of(first, second)
    assert lines[1].split()[-2:] == ["-[1]", "-[1]"]
    assert lines[2].split()[-2:] == ["-[1]", "-[2]"]
    assert lines[3:5] == ["  [1] gone", "  [2] no pprof"]


def test_a_limit_and_its_metric_share_the_footnote():
    """The limit on an unavailable metric points to the metric's own reason."""
    broken = verdict("peak_rss", "1GB", None, reason="peak_rss is unavailable: gone")
    lines = lines_of(window(metrics=(metric("peak_rss", "gone"),), verdicts=(broken,)))
    assert "unmeasured[1]" in lines[1]
    assert [line for line in lines if "[2]" in line] == []


def test_a_reading_that_is_not_finite_is_no_figure():
    """nan is shown as unavailable, with the reason."""
    lines = lines_of(window(metrics=(metric("gc_cycles", math.nan),)))
    assert lines[1].endswith("-[1]")
    assert lines[2] == "  [1] not a finite number: nan from a source"


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (verdict("peak_rss", "1GB", 8.8e8), "peak_rss 1GB 12% left"),
        (verdict("peak_rss", "1GB", 1e9), "peak_rss 1GB 0% left"),
        (verdict("peak_rss", "1GB", 1.08e9), "peak_rss 1GB over by 8%"),
        (verdict("peak_rss", "1GB", 1e9 + 1), "peak_rss 1GB over by <0.1%"),
        (verdict("time_to_limit", "24h", 43_200.0, "min"), "time_to_limit >= 24h short by 50%"),
        (verdict("time_to_limit", "24h", 172_800.0, "min"), "time_to_limit >= 24h 100% left"),
        (verdict("peak_rss", "1GB", 1.08e9, "warn"), "peak_rss warn 1GB over by 8%"),
        (verdict("leaked_goroutines", "0", 3.0), "leaked_goroutines 0 over by 3"),
        (verdict("leaked_goroutines", "0", 0.0), "leaked_goroutines 0 pass"),
        (verdict("peak_rss", "1GB", 9e8, function="main.*"), "peak_rss[main.*] 1GB 10% left"),
    ],
)
def test_where_a_window_stands(made, words):
    """Both sides of ceilings, floors, warnings and of the limit 0, equal included."""
    assert " ".join(lines_of(window(verdicts=(made,)))[1].split()).endswith(words)


def test_tightest_limit_is_the_one_to_act_on_first():
    """Broken by most comes before broken by less, before unmeasured, before warned, before least left."""
    order = [
        verdict("peak_rss", "1GB", 3e9),
        verdict("live_heap", "1GB", 2e9),
        verdict("peak_heap", "1GB", None, reason="no pprof"),
        verdict("gc_cpu", "10%", 0.2, "warn"),
        verdict("goroutines", "100", 95.0),
        verdict("gc_cycles", "100", 10.0),
    ]
    for index, tightest in enumerate(order):
        lines = lines_of(window(verdicts=tuple(reversed(order[index:]))))
        assert f" {tightest.budget.metric} " in lines[1]


def test_windows_of_one_name_are_told_apart():
    """Windows of equal name are told apart by service, and by number where that repeats too."""
    api, other = window(), window(service="worker")
    assert [line.split()[2] for line in lines_of(api, other)[1:3]] == ["api.test", "worker.test"]
    assert [line.split()[2] for line in lines_of(api, api)[1:3]] == ["api.test#1", "api.test#2"]


def test_columns_without_room_are_named():
    """A narrow terminal drops the less telling columns, and -v says which; a wide one shows all."""
    measured = [TestRecord("test_a.py::test_b", "passed", (window(metrics=usual_metrics()),))]
    narrow = [text for text, _ in summary_lines(measured, 60, verbose=True)]
    assert any("no room here for" in line and "gc_cpu" in line for line in narrow)
    for width, verbose in ((60, False), (120, True)):
        lines = [text for text, _ in summary_lines(measured, width, verbose=verbose)]
        assert not any("no room here for" in line for line in lines)


def test_names_of_a_table_are_spelled_alike():
    """A name with its file beside one without looks like a difference between the tests."""
    records = [TestRecord(f"tests/test_api.py::{name}", "passed", (window(),)) for name in ("test_catalogue", "test_b")]
    first_words = [[text.split()[0] for text, _ in summary_lines(records, width)][1:3] for width in (40, 46, 200)]
    assert first_words[0] == ["test_catalogue", "test_b"]
    assert first_words[1] == ["test_api.py::test_catalogue", "test_api.py::test_b"]
    assert first_words[2] == [record.nodeid for record in records]


def test_a_broken_limit_names_the_line_of_its_culprit():
    """Also on a narrow terminal, before any figure; of goroutines it is where they wait. A kept limit has none."""
    leak = Culprit("main.fill", "cmd/api/cache.go", 48, "live_heap", 0, 5, 1, 0.9, "reason")
    lock = GoroutineGroup("chan receive", "main.wait", "wait.go", 7, "", 0, 300)
    usual = {"metrics": usual_metrics(), "culprits": (leak,), "goroutine_groups": (lock,)}
    heap, goroutines = verdict("live_heap", "1MB", 61.2e6), verdict("goroutines", "1", 12.0)
    kept = window(**usual, verdicts=(verdict("live_heap", "1GB", 61.2e6),))
    windows = [window(**usual, verdicts=(heap,)), window(**usual, verdicts=(goroutines,)), kept]
    tests = [for_tables(TestRecord(f"test_a.py::test_{n}", "failed", (one,))) for n, one in enumerate(windows)]
    lines = [text for text, _ in summary_lines(tests, 70)]
    assert lines[0].split()[-3:] == ["tightest", "limit", "culprit"]
    assert [line.split()[-1] for line in lines[1:4]] == ["cache.go:48", "wait.go:7", "left"]
    assert "culprit" not in next(text for text, _ in summary_lines(tests[2:], 70))
    assert "culprit" not in next(text for text, _ in summary_lines(tests, 40))


def test_totals_count_limits_and_windows():
    """The last line counts windows, tests and what became of the limits."""
    kept = window(verdicts=(verdict("peak_rss", "1GB", 8e8), verdict("live_heap", "1GB", 8e8)))
    assert lines_of(kept)[-1] == "1 window in 1 test; limits: 2 kept"
    assert lines_of(window())[-1] == "1 window in 1 test; limits: none declared"


def test_reasons_of_one_kind_are_one_footnote_of_one_line():
    """Each process has a port and a pid of its own; what does not fit in the line is shown by -v."""
    reasons = [
        f"http://127.0.0.1:{port}/debug/pprof: {'no answer ' * 9}from pid {port}\nand more" for port in (4001, 4002)
    ]
    measured = [window(name=f"w{n}", metrics=(metric("live_heap", reason),)) for n, reason in enumerate(reasons)]
    lines = lines_of(*measured, width=80)
    assert [line.split()[-1] for line in lines[1:3]] == ["-[1]", "-[1]"]
    assert [line for line in lines[3:-1] if line.startswith("  [1] http://127.0.0.1:4001/") and line.endswith("...")]
    assert len(lines) == 5
    record = TestRecord("test_a.py::test_b", "passed", tuple(measured))
    whole = [text for text, _ in summary_lines([record], 80, verbose=True)]
    assert " ".join(" ".join(whole[3:-1]).split()).endswith("from pid 4001 and more")


@pytest.mark.parametrize("width", [70, 80, 200])
def test_what_broke_has_its_column(width):
    """Where the terminal is narrow other columns go first, and a metric that has none otherwise gets one."""
    broken = verdict("gc_cpu", "1%", 0.043), verdict("peak_heap", "1GB", 3e9)
    first = window(metrics=(*usual_metrics(), metric("peak_heap", 3e9)), verdicts=broken[:1])
    lines = lines_of(first, replace(first, name="second", verdicts=broken[1:]), width=width)
    assert "GC CPU" in lines[0]
    assert "peak_heap" in lines[0]
    assert "4.30%" in lines[1]
    assert "3.00 GB" in lines[2]


def test_the_name_of_a_limit_is_whole():
    """Two metrics whose names are cut could be taken for each other; of a glob on functions the end gives way."""
    whole = lines_of(window(verdicts=(verdict("leaked_goroutines", "0", 3.0),)), width=60)[1]
    assert " leaked_goroutines 0 " in whole
    glob = "example.com/shop/internal/catalogue.(*Index).rebuild*"
    cut = lines_of(window(verdicts=(verdict("peak_rss", "1GB", 9e8, function=glob),)), width=90)[1]
    assert re.search(r" peak_rss\[example.com/s.*\.\.\. 1GB ", cut)


def test_totals_count_what_was_declared():
    """What is compared unasked has a table of its own."""
    unasked = verdict("live_heap", "1GB", 1.0, scope=BY_DEFAULT)
    assert lines_of(window(verdicts=(verdict("peak_rss", "1GB", 8e8), unasked)))[-1].endswith("limits: 1 kept")
