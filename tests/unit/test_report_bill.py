"""The bill in the reports: a small table with a sentence, in the failure text and in the JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import validator_for
from report_samples import calmly, failing_window, metric, verdict, window

from pytest_gomem.measure.bill import ROW_KINDS, Bill, Row
from pytest_gomem.report import json_report
from pytest_gomem.report.bill import bill_lines, limit_sentence, with_advice
from pytest_gomem.report.failure import failure_text
from pytest_gomem.results.bill import against, bill_record, next_to_kept, window_bill_record
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.window_record import BillRecord, BillRow, GcRecord

NODEID = "tests/test_mem.py::test_upload"
MADE = Bill(
    (
        Row("live_heap", 91_300_000), Row("garbage", 0), Row("stacks", 20_000), Row("files", 7_100_000),
        Row("cgo", 1_580_000), Row("unexplained", 0),
    ),
    untouched=0,
    swap=0,
)  # fmt: skip
TEXT = """\
resident memory: 100 MB
  live heap               91.3 MB     91%
  binary and file pages   7.10 MB    7.1%
  cgo and mmap            1.58 MB    1.6%
  stacks                  20.0 kB   <0.1%
  The largest part of RSS is live heap: 91.3 MB of 100 MB (91.3%); look in the code: release what it still
  reaches; the heap profile (inuse_space) names who allocated it."""


def as_run(bill: BillRecord | None) -> RunRecord:
    return RunRecord("1", {}, (TestRecord(NODEID, "failed", (window(bill=bill),)),))


def test_the_table():
    """Rows that are not 0, largest first, sizes and shares aligned, then where to look."""
    assert "\n".join(bill_lines(bill_record(MADE), 110)) == TEXT


def test_a_memory_limit_is_one_sentence():
    """With what of it was measured, and with what holds it; nothing where there is no limit."""
    gc = GcRecord({"memory_limit": "256MiB"}, {"memory_limit": "256MiB, cgroup v2"})
    whole = (metric("memory_headroom", 200e6), metric("cgroup_peak", 60e6), metric("cgroup_anon_peak", "no samples"))
    words = "200 MB were left at the peak, 60.0 MB the peak of its cgroup"
    assert limit_sentence(window(gc=gc, metrics=whole)) == f"Memory limit 256MiB, cgroup v2: {words}."
    assert limit_sentence(window(gc=gc)) == "Memory limit 256MiB, cgroup v2: nothing is known of its use."
    assert limit_sentence(window(metrics=whole)) == ""


@pytest.mark.parametrize("name", ["memory_headroom", "cgroup_peak"])
def test_the_bill_is_advice_on_a_limit_that_is_nearly_reached(name):
    """It is of resident memory, as the bill is."""
    broken = verdict(name, "20MB", 15e6, "min") if name == "memory_headroom" else verdict(name, "90MB", 101e6)
    advised = with_advice(window(bill=bill_record(MADE), verdicts=(broken,)))
    assert advised.bill.sentence == bill_record(MADE).sentence


def test_an_unknown_row_keeps_its_name():
    """A row of another release's report is told by its name, as printable text."""
    rows = (BillRow("new\x1brow", 5, 1.0),)
    assert "  new\\x1brow   5.00 B   100%" in bill_lines(BillRecord(rows, 5, 5, "It is so."), 80)


def test_nothing_resident():
    """A bill of a process without memory has no rows and no shares to divide by."""
    record = bill_record(Bill((Row("live_heap", 0),), 0, 0))
    assert list(bill_lines(record, 80)) == ["resident memory: 0 B", "  Nothing is resident."]


def test_the_baseline_is_in_the_sentence():
    """A record made against a baseline tells of the change."""
    before = replace(MADE, rows=(Row("live_heap", 1_300_000), *MADE.rows[1:]))
    assert "the largest change is live heap, 90.0 MB more" in bill_record(MADE, before).sentence


def test_the_failure_text_holds_the_bill_after_the_metrics():
    """The bill is a block of its own, between the load and the notes; without one nothing is told."""
    text = failure_text(replace(failing_window(), bill=bill_record(MADE)), NODEID)[1]
    assert text.index("  load: ") < text.index("\n\n  resident memory: 100 MB\n    live heap") < text.index("  notes")
    assert "resident memory" not in failure_text(failing_window(), NODEID)[1]


rows = st.builds(BillRow, st.sampled_from([*ROW_KINDS, "other", "\udce9"]), st.integers(0, 10**15), st.floats(0, 1))
records = st.builds(
    BillRecord, st.lists(rows, max_size=12).map(tuple), st.integers(0, 10**15), st.integers(0, 10**15), st.text()
)


@calmly
@given(st.none() | records)
def test_json_there_and_back(bill):
    """Whatever the bill, its JSON obeys the schema, and what comes back makes the same report."""
    run = as_run(bill)
    data = json_report.to_dict(run)
    validator_for(json_report.report_schema()).validate(data)
    assert json_report.to_dict(json_report.from_dict(json.loads(json.dumps(data)))) == data


def test_json_shape():
    """In the JSON a bill is rows with name, bytes and share, the RSS they sum to, what is explained, the sentence."""
    record = bill_record(Bill((Row("cgo", 75), Row("unexplained", 25)), 0, 0))
    assert json_report.to_dict(as_run(record))["tests"][0]["windows"][0]["bill"] == {
        "rows": [
            {"name": "cgo", "bytes": 75, "share": 0.75, "before": None},
            {"name": "unexplained", "bytes": 25, "share": 0.25, "before": None},
        ],
        "rss": 100,
        "explained": 75,
        "sentence": record.sentence,
        "against": "",
    }
    assert json_report.to_dict(as_run(None))["tests"][0]["windows"][0]["bill"] is None


@calmly
@given(records)
def test_any_bill_is_printable(bill):
    """Names and sentences of any origin leave the terminal alone."""
    assert all(line.isprintable() for line in bill_lines(bill, 60))


def test_the_base_side_stands_beside():
    """Each row with its size on the other side, also one that has gone; the sentence tells the largest change."""
    now = BillRecord((BillRow("live_heap", 30_000_000, 0.75), BillRow("stacks", 0, 0.0)), 40_000_000, 0, "as it was")
    base = BillRecord((BillRow("live_heap", 10_000_000, 0.5), BillRow("stacks", 1_000_000, 0.05)), 20_000_000, 0, "")
    lines = list(bill_lines(against(now, base), 200, base))
    assert lines[0] == "resident memory: 40.0 MB; on the base side 20.0 MB"
    assert [line.split("   ")[-1] for line in lines[1:3]] == ["base 10.0 MB", "base 1.00 MB"]
    assert "the largest change is live heap, 20.0 MB more" in lines[3]


def test_a_bill_next_to_another():
    """Each row with what it was before, and the sentence on what changed most; a small change is not worth it."""
    opening, close = Bill((Row("cgo", 10), Row("files", 50)), 0, 0), Bill((Row("cgo", 70), Row("files", 50)), 0, 0)
    record = window_bill_record(close, opening)
    assert [(row.name, row.before) for row in record.rows] == [("cgo", 10), ("files", 50)]
    text = "\n".join(bill_lines(record, 110))
    assert "10.0 B at the opening" in text
    assert "the largest change is cgo and mmap, 60.0 B more (10.0 B to" in text
    assert window_bill_record(close, close) == window_bill_record(close, None) == bill_record(close)


def test_the_baselines_bill_is_that_of_one_round():
    """Of three rounds the one in the middle by RSS stands next to the window's; rows that were not kept make none."""
    now = bill_record(Bill((Row("cgo", 70), Row("files", 50)), 0, 0))
    rounds = [{"rss_cgo": cgo, "rss_files": files, "live_heap": 1.0} for cgo, files in ((40, 60), (90, 0), (20, 60))]
    beside = next_to_kept(now, rounds)
    assert ([row.before for row in beside.rows], beside.against) == ([90, 0], "in the baseline")
    assert beside.sentence.startswith(
        "RSS grew by 30.0 B to 120 B; the largest change is binary and file pages, 50.0 B"
    )
    assert "90.0 B in the baseline" in "\n".join(bill_lines(beside, 110))
    assert next_to_kept(now, [{"rss_cgo": 40.0}]) == now
    assert next_to_kept(now, []) == now


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (
            verdict("allocs_per_op", "3/op", 60.0),
            "counts what was allocated, and this bill shows what stayed. Allocate less",
        ),
        (
            verdict("total_alloc", "1MB", 60e6, phase="upload"),
            "counts what was allocated, and this bill shows what stayed",
        ),
        (
            verdict("live_heap", "1MB", 91.3e6),
            "counts what is still reachable: look in the code: release what it still",
        ),
        (verdict("goroutines", "3", 60.0), "counts goroutines: look in the code: end goroutines"),
        (verdict("gc_pause_p99", "1ms", 0.5), "is not of resident memory: no row of this bill explains it"),
        (verdict("peak_rss", "50MB", 255e6), "The peak of 255 MB was gone at the close, when this bill was made"),
        (verdict("peak_rss", "50MB", 101e6), "The largest part of RSS is live heap"),
        (verdict("end_rss", "50MB", 255e6), "The largest part of RSS is live heap"),
    ],
)
def test_the_advice_follows_the_limit_that_broke(broken, says):
    """A smaller binary is no answer to allocations; without a broken limit the bill speaks for itself."""
    own = bill_record(MADE)
    advised = with_advice(window(bill=own, verdicts=(verdict("fds", "9", 1), broken))).bill
    assert advised is not None
    assert says in advised.sentence
    resident = with_advice(window(bill=own, verdicts=(broken, verdict("end_rss", "50MB", 101e6)))).bill
    assert resident == own, "one of them is what the bill is of"
    assert with_advice(window(bill=own, verdicts=(verdict("fds", "9", 1),))).bill == own
    assert with_advice(window(verdicts=(broken,))).bill is None
    assert with_advice(window(bill=own, verdicts=(verdict("allocs_per_op", "3/op", None),))).bill == own, "unmeasured"


def test_the_bill_says_what_of_live_heap_is_not_resident():
    """As of a ballast that nobody writes; not what the median of the rounds has more than the last one's bill."""
    ballast = (metric("live_heap", 1.1653e9), metric("rss_live_heap", 91.3e6))
    told = with_advice(window(bill=bill_record(MADE), metrics=ballast)).bill
    assert told is not None
    assert told.sentence.endswith(
        "allocated it. live_heap counts 1.17 GB: 1.07 GB of it are pages that were never touched, or are swapped out."
    )
    scattered = (metric("live_heap", 97.4e6), metric("rss_live_heap", 97.3e6))
    assert with_advice(window(bill=bill_record(MADE), metrics=scattered)).bill == bill_record(MADE)
