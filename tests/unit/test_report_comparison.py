"""The table of a comparison with another side."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import assert_golden, calmly, metric, tests, usual_metrics, window

from pytest_gomem.base.errors import Place
from pytest_gomem.base.units import RATIO, Quantity
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.report.comparison import sides_lines, uncompared_line
from pytest_gomem.report.failure import failure_text
from pytest_gomem.report.text import display_width
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import BuildRecord
from pytest_gomem.stats.decision import Status


def compared(name: str, base: float | None, now: float | None, status: Status) -> Verdict:
    limit = Quantity(0.005, RATIO, "0.5%")
    budget = Budget(name, None, None, None, limit, "", "compared by default", Place(key=name))
    change = None if base is None or now is None else now - base
    return Verdict(budget, limit, "regression", now, status, None, None, "why", baseline=base, change=change)


def side(ref: str, go: str = "go1.27.0"):
    return window(build=BuildRecord(ref, go, "0a1b2c3d"), metrics=usual_metrics())


def records(go: str = "go1.27.0") -> tuple[TestRecord, ...]:
    base = side("origin/main (0a1b2c3d4e5f)", go)
    worse = (
        compared("goroutines", 0.0, 3.0, Status.FAIL),
        compared("peak_rss", 1.58e9, 1.59e9, Status.NOISY),
        compared("live_heap", 60e6, 63e6, Status.FAIL),
        compared("alloc_bytes_per_op", 30_100.0, 21_070.0, Status.IMPROVED),
    )
    same = (compared("live_heap", 60e6, 60e6, Status.PASS), compared("peak_rss", None, 1.58e9, Status.NO_BASELINE))
    new = side("working tree at 1b2c3d4e5f60 with 2 changes")
    return (
        TestRecord("tests/memory/test_mem.py::test_upload", "failed", (replace(new, base=base, verdicts=worse),)),
        TestRecord(
            "tests/memory/test_mem.py::test_download[large]", "passed", (replace(new, base=base, verdicts=same),)
        ),
        TestRecord("tests/memory/test_mem.py::test_new", "passed", (replace(new, no_base="test_mem.py:12: 404"),)),
        TestRecord("tests/memory/test_mem.py::test_other", "passed", (new,)),
    )


@pytest.mark.parametrize("width", [80, 120])
def test_table(width):
    """Worse metrics first, each test named once, what was not compared with its reason, and the count."""
    lines = sides_lines(records(), width)
    assert_golden(f"sides_{width}.txt", "\n".join(f"{style or '-':6} |{text}" for text, style in lines))


def test_what_is_the_same_is_counted_and_need_not_be_listed():
    """A suite of 100 tests has 500 such lines; what else was found is listed all the same."""
    told = [text for text, _ in sides_lines(records(), 140, hides_same=True)]
    every = [text for text, _ in sides_lines(records(), 140)]
    assert (len(every), len(told)) == (12, 10)
    assert "  tests/memory/test_mem.py::test_download[large]: why" in told, "of what is not compared the reason is left"
    assert told[-1] == f"{every[-1]}; -v lists the rest"
    calm = compared("live_heap", 60e6, 60e6, Status.PASS)
    run = (TestRecord("a.py::test_a", "passed", (replace(side("now"), base=side("main"), verdicts=(calm, calm)),)),)
    assert [text for text, _ in sides_lines(run, 120, hides_same=True)] == [
        "gomem: compared with main",
        "compared: 2 same; -v lists the rest",
    ]


def test_windows_that_were_not_compared_for_one_reason_share_it():
    """After an update of Go that is every test: the reason stands once, then the names."""
    go, thp = "no comparable baseline: go is go1.27, was go1.26", "no comparable baseline: thp is never, was always"
    several = TestRecord("t/a.py::test_b", "passed", (window(name="one", no_base=go), window(name="two", no_base=go)))
    run = [
        TestRecord(f"t/a.py::test_{name}", "passed", (window(no_base=why),)) for name, why in (("a", go), ("c", thp))
    ]
    lines = [text for text, _ in sides_lines([run[0], several, run[1]], 60)]
    assert lines[1:] == [
        "  3 windows were not compared: no comparable baseline: go is",
        "  go1.27, was go1.26",
        "    t/a.py::test_a, t/a.py::test_b / one, t/a.py::test_b /",
        "    two",
        "  t/a.py::test_c was not compared: no comparable baseline:",
        "  thp is never, was always",
        "compared: 4 windows not compared",
    ]


def test_metrics_that_were_not_compared_for_one_reason_share_a_line():
    """Each test of a service without the agent has it, with other amounts and ports; -v gives the reason of each."""
    why = "peak_rss is not comparable: it lies between {} MB and 52.0 MB; http://127.0.0.1:{}/ was asked in vain"
    lost = compared("peak_rss", None, None, Status.NO_BASELINE)
    verdicts = [replace(lost, reason=why.format(*figures)) for figures in ((20.0, 4000), (9.5, 4001), (30, 40002))]
    verdicts.append(replace(lost, budget=replace(lost.budget, scope="defaults"), reason="it was not measured"))
    run = [
        TestRecord(f"t/a.py::test_{name}", "passed", (replace(side("now"), base=side("main"), verdicts=(verdict,)),))
        for name, verdict in zip("abcd", verdicts, strict=True)
    ]
    lines = [text for text, _ in sides_lines(run, 100, hides_same=True, verbose=False)]
    assert [line.split()[:2] for line in lines[1:3]] == [["test", "metric"], ["t/a.py::test_d", "peak_rss"]]
    assert lines[3:] == [
        "  t/a.py::test_a and 2 more: peak_rss is not comparable: it lies between ... and ...; http://127....",
        "  t/a.py::test_d: it was not measured",
        "compared: 4 not compared; -v lists the rest",
    ]
    every = [text for text, _ in sides_lines(run, 200)]
    assert [line for line in every if "comparable" in line] == [
        f"  t/a.py::test_{name}: {verdict.reason}" for name, verdict in zip("abc", verdicts, strict=False)
    ]


def test_a_limit_that_cannot_be_judged_is_counted_without_a_table_too():
    """Of a window that is compared, and where somebody set it: what is compared by default has no promise to keep."""
    left_out = compared("peak_rss", None, 1.58e9, Status.NO_BASELINE)
    asked = replace(left_out, budget=replace(left_out.budget, scope="defaults"))
    alone = replace(side("now"), verdicts=(asked,))
    beside = replace(alone, base=side("main"), verdicts=(asked, left_out))
    run = tuple(TestRecord("t.py::test_a", "passed", (one,)) for one in (alone, beside))
    ((text, _),) = uncompared_line(run)
    assert text.startswith("gomem: 1 limit on regressions cannot be judged; ")
    assert [text for text, _ in sides_lines(run, 120)][-1] == "compared: 2 not compared"
    assert list(uncompared_line(run[:1])) == []


def test_go_versions_come_before_any_figure():
    """In the table and on the first screen of a failure, sides built by different releases are told."""
    lines = [text for text, _ in sides_lines(records("go1.26.8"), 120)]
    assert lines[1] == "  base and now were built by different Go versions: go1.26.8 and go1.27.0"
    failure = failure_text(records("go1.26.8")[0].windows[0], "test_a")[1].splitlines()
    since = "  since origin/main (0a1b2c3d4e5f); built by different Go versions: go1.26.8, and now go1.27.0"
    assert since in failure[:6]
    assert "different Go versions" not in failure_text(records()[0].windows[0], "test_a")[1]


def test_what_is_accepted_or_unmeasured_is_counted_too():
    """Each verdict is in the count, in the words of the table."""
    verdicts = (compared("live_heap", 6e6, 9e6, Status.WARN), compared("peak_rss", 1e9, None, Status.UNAVAILABLE))
    lines = [
        text
        for text, _ in sides_lines(
            (TestRecord("t.py::test_a", "failed", (replace(side("now"), base=side("main"), verdicts=verdicts),)),), 120
        )
    ]
    assert next(line.split() for line in lines if "live_heap" in line)[-4:] == ["accepted", "-", "-", "-"]
    assert lines[-1] == "compared: 1 unmeasured, 1 accepted"


def test_nothing_without_a_comparison():
    """A run that compared nothing has no table."""
    assert list(sides_lines((TestRecord("a", "passed", (window(metrics=(metric("peak_rss", 1.0),)),)),), 80)) == []


@calmly
@given(st.lists(tests, max_size=3), st.integers(40, 160))
def test_no_line_is_wider_than_the_terminal(run_tests, width):
    """Whatever the records hold, each line fits."""
    for text, _ in sides_lines(run_tests, width):
        assert display_width(text) <= width


def test_functions_stand_in_the_table_with_glob_and_unit():
    """What they make is in bytes, though no metric of the window is called so; their name is said once."""
    made = compared("alloc_space", 10e6, 12e6, Status.FAIL)
    reason = "alloc_space[main.encode*] is 2.00 MB worse than at main"
    made = replace(made, budget=replace(made.budget, function="main.encode*"), smallest_visible=6e5, reason=reason)
    record = replace(side("working tree"), base=side("main"), verdicts=(made,))
    (line,) = [
        text for text, _ in sides_lines([TestRecord("t.py::test_a", "failed", (record,))], 160) if "main.e" in text
    ]
    assert line.split()[1:10] == [
        "alloc_space[main.encode*]",
        "10.0",
        "MB",
        "12.0",
        "MB",
        "+20.00%",
        "worse",
        "-",
        "+600",
    ]
    told = failure_text(record, "test_a")[1]
    assert f"  FAIL  {reason}\n" in told
    assert "a change of 600 kB or more is found 19 times in 20" in told
