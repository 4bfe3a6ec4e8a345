"""The account of a failed window, and its headline."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from report_samples import (
    assert_golden,
    calmly,
    dead_window,
    failing_window,
    fat_window,
    metric,
    verdict,
    window,
    windows,
)

from pytest_gomem.judge.regressions import BY_DEFAULT
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.peak import PeakMoment
from pytest_gomem.report.failure import TextOptions, failure_text, failure_texts
from pytest_gomem.report.failure_details import KEY_METRICS
from pytest_gomem.results.window_record import GcRecord, MetricValue
from pytest_gomem.stats.decision import Status

NODEID = "tests/test_mem.py::test_upload"


def text_of(measured, **options) -> str:
    return failure_text(measured, NODEID, TextOptions(**options))[1]


def flat(text: str) -> str:
    """The text in one line, however it was wrapped."""
    return " ".join(text.split())


def test_everything_wrong_at_once():
    """The whole account: broken limits, then warnings, settings, metrics, load, notes, artifacts, end of the log."""
    assert_golden("failure.txt", "\n".join(failure_text(failing_window(), NODEID)))


def test_process_died_in_the_window():
    """Without verdicts the first note is the headline; the log's control characters are shown, not obeyed."""
    assert_golden("failure_died.txt", "\n".join(failure_text(dead_window(), NODEID)))


def test_headline_is_the_first_broken_limit_and_counts_the_others():
    """The headline is one line: the first broken limit in its own words, and how many more there are."""
    headline, _ = failure_text(failing_window(), NODEID)
    assert headline.startswith("peak_rss is 2.02 GB, 222 MB (12.3%) over its limit of 1.8GB; 2 more")
    one = replace(failing_window(), verdicts=failing_window().verdicts[:1])
    assert failure_text(one, NODEID)[0] == "peak_rss is 2.02 GB, 222 MB (12.3%) over its limit of 1.8GB"


def test_kept_limits_are_not_told():
    """A window whose limits are all kept tells of none."""
    headline, text = failure_text(window(verdicts=(verdict("peak_rss", "1.8GB", 1e9),)), NODEID)
    assert headline == "no limit is broken"
    assert "FAIL" not in text


def test_unmeasured_fails_and_says_why():
    """A limit on an unavailable metric fails with the reason and the rule."""
    broken = verdict("peak_heap", "1GiB", None, reason="peak_heap is unavailable: no pprof")
    text = text_of(window(verdicts=(broken,)))
    assert "FAIL  peak_heap is unavailable: no pprof" in text
    assert "its limit of 1GiB fails, because unmeasured is not passed" in flat(text)


def test_function_budget_names_its_glob():
    """A per-function limit is told with its glob, which the verdict's words do not hold."""
    broken = verdict("total_alloc", "10MB", 2e7, reason="total_alloc is too much", function="main.encode*")
    assert "FAIL  total_alloc[main.encode*]: total_alloc is too much" in text_of(window(verdicts=(broken,)))


def test_a_verdict_without_words_is_still_told():
    """A verdict of a plugin that gave no words is told by its limit."""
    assert "FAIL  time_to_limit misses its limit of >= 24h" in text_of(
        window(verdicts=(verdict("time_to_limit", "24h", 5.0, "min"),))
    )


@pytest.mark.parametrize("name", ["peak_rss", "peak_heap"])
def test_peaks_tell_when_they_came(name):
    """A broken peak tells when RSS peaked and what stood there at the start."""
    measured = window(verdicts=(verdict(name, "1MB", 5e6),), peak_moment=PeakMoment(3.18, 3.2, 182_000_000))
    assert "RSS peaked between 3.18 s and 3.20 s of 10.20 s; it stood at 182 MB at the start" in flat(text_of(measured))


def test_an_unknown_floor_is_not_told():
    """A floor of 0 is unknown: no process lives in no memory."""
    measured = window(verdicts=(verdict("peak_rss", "1MB", 5e6),), peak_moment=PeakMoment(3.18, 3.2, 0))
    assert "RSS peaked between 3.18 s and 3.20 s of 10.20 s" in (text := flat(text_of(measured)))
    assert "it stood at" not in text


def test_other_metrics_have_no_moment():
    """The moment of the RSS peak says nothing about the live heap."""
    measured = window(verdicts=(verdict("live_heap", "1MB", 5e6),), peak_moment=PeakMoment(3.18, 3.2, 182_000_000))
    assert "RSS peaked" not in text_of(measured)


def test_a_moment_narrower_than_its_digits_is_a_point():
    """Where both ends print alike there is one moment, not a span of nothing."""
    measured = window(verdicts=(verdict("peak_rss", "1MB", 5e6),), peak_moment=PeakMoment(3.181, 3.182, 10_000_000))
    assert "RSS peaked at 3.18 s of 10.20 s" in text_of(measured)


@pytest.mark.parametrize(
    ("asked", "found", "marked"),
    [
        ("100", "100", False),
        ("100", "50", True),
        ("1GiB", "1073741824", False),
        ("1GiB", "1GB", True),
        ("off", "1GiB", True),
        ("100", "", False),
        ("", "100", False),
        ("100", "100, the memory limit lowers the heap goal", False),
        ("100", "off, no memory limit", True),
        ("96MiB, simulated", "96MiB, simulated", False),
    ],
)
def test_only_settings_that_differ_are_marked(asked, found, marked):
    """A setting is marked where what is in force is another value than asked for, whatever the spelling."""
    text = text_of(window(gc=GcRecord({"setting": asked}, {"setting": found})))
    assert ("<- differs" in text) == marked


def test_usual_settings_are_left_out():
    """Defaults in force say nothing; one that was asked for, or that the program set itself, does. -v shows all."""
    usual = {"gogc": "100", "gomemlimit": "off", "gomaxprocs": "2", "godebug": ""}
    assert "GC settings" not in text_of(window(gc=GcRecord({"gogc": "100"}, usual)))
    assert "GC settings" not in text_of(window(gc=GcRecord({}, {"gogc": "100, the heap goal fits any from 90 to 110"})))
    for gc in (GcRecord({"gogc": "50"}, {"gogc": "50"}), GcRecord({}, {"gogc": "50"})):
        assert re.search(r"^  GC settings .*\n    gogc .* 50$", text_of(window(gc=gc)), re.MULTILINE)
    assert text_of(window(gc=GcRecord({}, usual)), lines=None).count("\n    go") == 3


def test_a_long_line_of_the_log_is_cut():
    """It would take half of the screen; -v shows all of it."""
    measured = window(log_tail="short\n" + "x" * 500)
    assert text_of(measured).endswith("  end of the log\n    short\n    " + "x" * 103 + "...")
    assert text_of(measured, lines=None).endswith("x" * 500)


def test_a_failure_keeps_to_sixty_lines_and_counts_the_rest():
    """What broke, who and the next command stand first, each section keeps its title, and -v has every line."""
    short = text_of(fat_window(), report="out/report.json").split("\n")
    whole = text_of(fat_window(), lines=None).split("\n")
    assert len(short) == 60
    more, hint = short[-1].split(" more lines: ")
    assert hint == f"run with -v, or gomem explain out/report.json {NODEID} -v"
    assert int(more) == len(list(filter(None, whole))) - len(list(filter(None, short[:-1])))
    titles = ["  limits", "  GC settings", "  resident memory", "  notes", "  artifacts", "  end of the log"]
    for title in ["  who ", *titles]:
        assert [line for line in short if line.startswith(title)], title
    assert short[-3].startswith("    line 19 x"), "of the log the end matters most"
    first = short[: short.index("", 2)]
    assert [line[:6] for line in first if line[2:6].strip()][1:] == ["  FAIL"] * 4 + ["  who ", "  next"]
    assert len(first) < 25


@pytest.mark.parametrize("lines", range(4, 80, 5))
def test_whatever_room_there_is_is_used_and_not_more(lines):
    """Down to a few lines, of which the title is the first and the count the last."""
    text = text_of(fat_window(), lines=lines).split("\n")
    assert lines - 3 <= len(text) <= lines
    assert text[0].startswith(f"{NODEID}: ")
    assert text[-1].endswith(" more lines: run with -v")


def test_a_short_failure_is_whole():
    """No count where nothing is missing."""
    assert "more line" not in text_of(failing_window())


def test_the_windows_of_a_test_share_its_lines():
    """Three failures of one test are no three screens; what kept its limits has no text."""
    calm = window(verdicts=(verdict("peak_rss", "1.8GB", 1e9),))
    texts = [text for _, text in failure_texts([fat_window(), calm, fat_window(), fat_window()], NODEID)]
    assert len(texts) == 3
    assert len("\n\n".join(texts).split("\n")) <= 60
    assert failure_texts([calm], NODEID) == []


def test_a_group_of_key_metrics_may_be_long():
    """The metrics of leaks are five, where the other groups have four at most."""
    names = dict(KEY_METRICS)["leaks"]
    known = tuple(MetricValue(name, "count", Reading(1.0, "a source")) for name in names)
    told = text_of(window(metrics=known, verdicts=(verdict("peak_rss", "1B", 2.0),)))
    assert "   ".join(f"{name} 1" for name in names) in told


def test_unavailable_key_metrics_are_not_in_the_block():
    """The block of key metrics holds what was measured alone."""
    text = text_of(window(metrics=(metric("peak_rss", 5e6), metric("live_heap", "no pprof"))))
    assert "peak_rss 5.00 MB" in text
    assert "live_heap" not in text


@calmly
@given(windows)
def test_any_window_has_a_text(measured):
    """Whatever the window holds, the headline is one line and nothing but line ends controls the terminal."""
    headline, text = failure_text(measured, NODEID)
    assert headline.isprintable()
    assert text.replace("\n", "").isprintable()


def test_the_title_counts_what_the_user_declared():
    """Metrics that are compared unasked are counted by themselves, and only where one got worse."""
    declared, unasked = verdict("peak_rss", "1.8GB", 2e9), verdict("live_heap", "1GB", 1.0, scope=BY_DEFAULT)
    worse = replace(unasked, status=Status.FAIL)
    for verdicts, title in (
        ((declared, unasked, unasked), ": 1 of 1 limits broken  ("),
        ((declared, unasked, worse), ": 1 of 1 limits broken, 1 of 2 compared metrics worse  ("),
        ((unasked, worse), ": 1 of 2 compared metrics worse  ("),
        ((), ": no limit judged  ("),
    ):
        assert title in text_of(window(verdicts=verdicts)).split("\n")[0]
