"""The comparison of GC settings: its table, the best of each column, and the sentence on what extremes trade."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import assert_golden, calmly, matrix_tests, metric, tests, verdict, window

from pytest_gomem.report.matrix import matrix_lines
from pytest_gomem.report.text import display_width
from pytest_gomem.results.run_record import TestRecord


def combination(gogc: str, cycles: float | str, peak: float | str, **changes) -> TestRecord:
    measured = window(
        metrics=(metric("gc_cycles", cycles), metric("peak_rss", peak), *changes.pop("more", ())),
        ops=changes.pop("ops", 1000),
        verdicts=changes.pop("verdicts", ()),
    )
    made = TestRecord(f"test_a.py::test_m[gogc={gogc}]", "passed", (measured,), {"gogc": gogc})
    return replace(made, **changes)


def lines_of(*records: TestRecord, width: int = 200) -> list[str]:
    return [text for text, _ in matrix_lines(records, width)]


def row_of(lines: list[str], gogc: str) -> list[str]:
    return next(line.split() for line in lines if line.startswith("  ") and line.split()[0] == gogc)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_matrix_of_two_settings(width):
    """The comparison of six combinations at three widths, each line with its style."""
    lines = matrix_lines(matrix_tests(g25={"gc_pause_max": "no gctrace"}), width)
    assert_golden(f"matrix_{width}.txt", "\n".join(f"{style or '-':6} |{text}" for text, style in lines))


def test_what_is_left_of_a_memory_limit_is_a_column_where_there_is_one():
    """The most is the best."""
    small, large = (metric("memory_headroom", left) for left in (20e6, 90e6))
    lines = lines_of(combination("25", 1560.0, 1.3e9, more=(large,)), combination("100", 400.0, 1.585e9, more=(small,)))
    assert "memory_headroom" in lines[1].split()
    assert "90.0 MB*" in next(line for line in lines if line.split()[0] == "25")
    assert "memory_headroom" not in lines_of(combination("25", 1560.0, 1.3e9), combination("100", 400.0, 1e9))[1]


def test_sentence_states_ratio_and_saving():
    """The leanest combination against the one with the fewest cycles, from their figures."""
    lines = lines_of(combination("25", 1560.0, 1.3e9), combination("100", 400.0, 1.585e9))
    assert lines[-1] == "  gogc=25 costs 3.9x the GC cycles of gogc=100 and saves 18% of peak RSS"


@pytest.mark.parametrize(
    ("lean", "calm", "words"),
    [
        (110.0, 100.0, "gogc=25 costs 10% more GC cycles than gogc=100 and saves 50%"),
        (199.0, 100.0, "gogc=25 costs 99% more GC cycles than gogc=100"),
        (200.0, 100.0, "gogc=25 costs 2.0x the GC cycles of gogc=100"),
        (1600.0, 100.0, "gogc=25 costs 16x the GC cycles of gogc=100"),
        (7.0, 0.0, "gogc=25 costs 7 GC cycles where gogc=100 has none and saves 50%"),
        (100.0, 100.0, "gogc=25 has both the fewest GC cycles and the smallest peak RSS"),
        (90.0, 100.0, "gogc=25 has both the fewest GC cycles and the smallest peak RSS"),
    ],
)
def test_sentence_stays_true_at_its_edges(lean, calm, words):
    """Small ratios are percentages, none is no division, and no trade-off is said to be none."""
    assert words in lines_of(combination("25", lean, 5e8), combination("100", calm, 1e9))[-1]


@pytest.mark.parametrize(
    ("cycles", "peak", "same"), [(4.0, 14.1e6, True), (5.0, 13.0e6, True), (6.0, 13.0e6, False), (4.0, 14.2e6, False)]
)
def test_what_equal_settings_may_differ_by_is_no_trade(cycles, peak, same):
    """One cycle more, or a peak within six sigmas of what is known of its scatter: nobody is called the best."""
    lines = lines_of(combination("25", 4.0, 13.0e6), combination("100", cycles, peak))
    assert ("no more than those of equal settings can" in lines[-1]) == same


def test_sentence_needs_figures_of_two():
    """Where cycles or peak of all but one are unknown, nothing is claimed."""
    lines = lines_of(combination("25", "no gctrace", 5e8), combination("100", 400.0, 1e9))
    assert not any("costs" in line or "fewest" in line for line in lines)


def test_best_is_marked_and_all_that_print_the_same():
    """The smallest of a column is marked, ties as printed too; a column of equals has no best."""
    lines = lines_of(combination("25", 9.0, 1.0001e9), combination("50", 9.0, 1.0002e9), combination("100", 9.0, 2e9))
    assert row_of(lines, "25") == ["25", "9", "1.00", "GB*"]
    assert row_of(lines, "50") == ["50", "9", "1.00", "GB*"]
    assert row_of(lines, "100") == ["100", "9", "2.00", "GB"]


def test_more_throughput_is_better():
    """Of throughput the highest is marked."""
    slow, fast = ((metric("throughput", rate),) for rate in (50.0, 90.0))
    lines = lines_of(combination("25", 9.0, 1e9, more=slow), combination("100", 9.0, 1e9, more=fast))
    assert row_of(lines, "25")[-1] == "50/s"
    assert row_of(lines, "100")[-1] == "90/s*"


def test_a_test_that_broke_off_is_not_compared():
    """A failed body leaves lean figures: the row is shown as failed, never best, and the sentence leaves it out."""
    lines = lines_of(
        combination("25", 3.0, 1e6, outcome="failed"), combination("50", 800.0, 1e9), combination("100", 400.0, 2e9)
    )
    assert row_of(lines, "25") == ["25", "3", "1.00", "MB", "failed"]
    assert "  1 of 3 failed before their end and are not compared" in lines
    assert lines[-1].startswith("  gogc=50 costs 2.0x")


def test_a_test_that_failed_for_its_limit_is_compared():
    """A broken limit does not make the figures partial."""
    over = (verdict("peak_rss", "1MB", 1e9),)
    lines = lines_of(combination("25", 800.0, 1e9, outcome="failed", verdicts=over), combination("100", 400.0, 2e9))
    assert lines[-1].startswith("  gogc=25 costs 2.0x")


def test_a_limit_broken_in_one_window_makes_no_other_partial():
    """The body of such a test ran to its end, and so did all of its windows."""
    (whole,) = combination("25", 800.0, 1e9).windows
    (over,) = combination("25", 800.0, 1e9, verdicts=(verdict("peak_rss", "1MB", 1e9),)).windows
    both = combination("25", 0.0, 0.0, outcome="failed", windows=(replace(over, name="a"), replace(whole, name="b")))
    calm = combination("100", 400.0, 2e9)
    calm = replace(calm, windows=tuple(replace(calm.windows[0], name=name) for name in "ab"))
    assert not [line for line in lines_of(both, calm) if "failed" in line]


@pytest.mark.parametrize(("ops", "same"), [(1020, True), (1021, False)])
def test_unequal_work_is_not_compared(ops, same):
    """Up to 2% more operations count as the same work; beyond, the difference is told instead of a sentence."""
    lines = lines_of(combination("25", 800.0, 1e9, ops=ops), combination("100", 400.0, 2e9, ops=1000))
    assert ("costs" in lines[-1]) == same
    assert (f"the work differs (1000 to {ops} ops)" in lines[-1]) != same


def test_other_parameters_are_other_tables():
    """Tests that differ in more than GC settings are not compared with each other."""
    records = [
        TestRecord(f"test_a.py::test_m[{size}-gogc={gogc}]", "passed", (window(),), {"gogc": gogc})
        for size in ("small", "big")
        for gogc in ("25", "100")
    ]
    titles = [text for text in lines_of(*records) if text.startswith("gomem:")]
    assert titles == [
        "gomem: test_a.py::test_m[small] by GC settings",
        "gomem: test_a.py::test_m[big] by GC settings",
    ]


def test_axes_of_the_build_are_called_so():
    """A table of tags alone compares no GC settings; beside one of these it does."""
    tags = [
        TestRecord(f"test_a.py::test_m[tags={tag}{more}]", "passed", (window(),), {"tags": tag, **gogc})
        for more, gogc in (("", {}), ("-gogc=50", {"gogc": "50"}))
        for tag in ("off", "big")
    ]
    assert lines_of(*tags[:2])[0] == "gomem: test_a.py::test_m by build settings"
    assert lines_of(*tags[2:])[0] == "gomem: test_a.py::test_m by GC settings"


def test_a_rerun_takes_the_place_of_the_first():
    """Of a combination that ran twice the last run counts."""
    lines = lines_of(combination("25", 1.0, 1e9), combination("100", 4.0, 2e9), combination("25", 8.0, 1e9))
    assert row_of(lines, "25")[1] == "8"


def test_one_combination_is_no_comparison():
    """Tests without a matrix, and a single combination, have no table."""
    plain = TestRecord("test_a.py::test_b", "passed", (window(),))
    assert lines_of(plain, plain, combination("25", 1.0, 1e9)) == []


@calmly
@given(st.lists(tests, max_size=5), st.integers(40, 160))
def test_no_line_is_wider_than_the_terminal(records, width):
    """Whatever the tests hold, lines fit and are printable."""
    for text, _ in matrix_lines(records, width):
        assert display_width(text) <= width
        assert text.isprintable()
