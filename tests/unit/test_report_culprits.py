"""The text of culprits, and their way through a report."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import validator_for
from report_samples import calmly, failing_window, verdict, window

from pytest_gomem.attribution.causes import Cause
from pytest_gomem.attribution.culprits import SAMPLE_OF, Culprit, Findings
from pytest_gomem.attribution.modules import ModuleChange
from pytest_gomem.attribution.origin import Site, Through
from pytest_gomem.report import json_report
from pytest_gomem.report.culprits import culprit_lines, summary
from pytest_gomem.report.failure import failure_text
from pytest_gomem.report.json_rules import PUBLIC
from pytest_gomem.report.text import display_width
from pytest_gomem.results.run_record import TestRecord

LEAK = Culprit(
    "main.(*leakyLog).add", "logs.go", 62, "live_heap", 1_000_000, 236_000_000, 2_000_000, 0.98,
    "allocated 235 MB of the live heap, not there when the window opened",
    (Site("main.logTo.func1", "logs.go", 30), Site("main.main", "main.go", 20)),
)  # fmt: skip
SMALL = replace(LEAK, function="main.newEntry", line=9, before=0, after=3_000_000, share=0.0125, callers=())
CHURN = Culprit(
    "main.encodeFresh", "encode.go", 44, "total_alloc", 0, 595_000_000, 12_300_000, 0.997,
    "allocated 595 MB in the window, of which 0.1% is still live",
)  # fmt: skip


def lines(*culprits, width=108, **summaries):
    return list(culprit_lines(culprits, summaries, width))


def test_a_line_for_each_culprit_then_the_summary_then_the_story_of_the_first():
    """Aligned columns: function, place, figures; below them what they explain, and why the first is guilty."""
    assert lines(LEAK, SMALL, live_heap="2 of 212 functions, 99% of the growth") == [
        "allocated by (live_heap), estimated from samples",
        "  main.(*leakyLog).add  logs.go:62  235 MB more live (+- 2.00 MB), 98% of the growth",
        "  main.newEntry         logs.go:9   3.00 MB more live (+- 2.00 MB), 1.2% of the growth",
        "  2 of 212 functions, 99% of the growth",
        "  main.(*leakyLog).add (logs.go:62) allocated 235 MB of the live heap, not there when the window opened;",
        "  called by main.logTo.func1 (logs.go:30), main.main (main.go:20)",
    ]


def test_churn_is_told_as_churn():
    """What was allocated is not what is held, and a share of it is of the total."""
    assert lines(CHURN, total_alloc="1 of 3 functions, 100% of the total") == [
        "allocated by (total_alloc), estimated from samples",
        "  main.encodeFresh  encode.go:44  595 MB (+- 12.3 MB), 100% of the total",
        "  1 of 3 functions, 100% of the total",
        "  main.encodeFresh (encode.go:44) allocated 595 MB in the window, of which 0.1% is still live",
    ]


REDIS = "github.com/redis/go-redis/v9"
BUFFERS = replace(
    LEAK, function="main.open", file="cache.go", line=40, metric="total_alloc", is_between=True, callers=(),
    reason="allocates 38.5 MB more in bufio.NewReaderSize than in the baseline", leaf="bufio.NewReaderSize",
    through=Through(f"{REDIS}/internal/pool.NewConnWithBufferSize", "conn.go", 85, REDIS),
    module_change=ModuleChange(REDIS, "v9.11.0", "v9.12.0"),
    causes=(Cause("callee", "bufio.NewReaderSize (bufio/bufio.go:57) allocates it on its behalf"),),
)  # fmt: skip


def test_the_first_sentence_names_the_third_party_function_and_the_module_that_changed():
    """Where the line is the user's own; what the reason has said is not told again as a cause."""
    told = " ".join(" ".join(lines(BUFFERS, total_alloc="-")[3:]).split())
    assert told == (
        "main.open (cache.go:40), through go-redis pool.NewConnWithBufferSize, allocates 38.5 MB more in "
        "bufio.NewReaderSize than in the baseline; github.com/redis/go-redis/v9 changed from v9.11.0 to v9.12.0"
    )
    second = " ".join(" ".join(lines(LEAK, replace(BUFFERS, metric="live_heap"), live_heap="-")[4:]).split())
    assert second.endswith(
        "main.open (cache.go:40): through go-redis pool.NewConnWithBufferSize; "
        "github.com/redis/go-redis/v9 changed from v9.11.0 to v9.12.0"
    )


@pytest.mark.parametrize(
    ("function", "module", "words"),
    [
        ("example.com/dep.Open", "example.com/dep", "through dep.Open"),
        ("gopkg.in/yaml%2ev3.Load", "gopkg.in/yaml.v3", "through yaml.v3.Load"),
        ("v2.F", "v2", "through v2.F"),
        ("a.b/c/v2/d.(*T[e.f/g.H]).F", "a.b/c/v2", "through c d.(*T[e.f/g.H]).F"),
    ],
)
def test_a_third_party_function_is_called_as_in_go(function, module, words):
    """After its module, unless its package says it already."""
    through = Through(function, "", 0, module)
    assert f"(cache.go:40), {words}, allocates" in lines(replace(BUFFERS, through=through), total_alloc="-")[3]


def test_between_two_sides_churn_is_growth_too():
    """What one version allocates more than another is "more", and its share is of the growth."""
    between = replace(CHURN, is_between=True)
    assert "595 MB more (+- 12.3 MB), 100% of the growth" in lines(between, total_alloc="-")[1]


def test_without_an_earlier_profile_nothing_is_called_growth():
    """A share is then of the heap as it stands."""
    assert "236 MB live (+- 2.00 MB), 98% of the heap" in lines(replace(LEAK, before=None), live_heap="-")[1]


def test_objects_are_called_objects():
    """Metrics of objects are not in bytes."""
    culprit = replace(LEAK, metric="heap_objects", before=0, after=1_200_000, interval=40_000)
    assert "1.20M objects more live (+- 40.0k), 98% of the growth" in lines(culprit, heap_objects="-")[1]


def test_each_metric_has_its_own_block():
    """Culprits stand under the metric they are culprits of."""
    text = lines(LEAK, CHURN, live_heap="A", total_alloc="B")
    assert [line.split()[0] for line in text if not line.startswith("  called by")] == [
        "allocated", "main.(*leakyLog).add", "A", "main.(*leakyLog).add",
        "allocated", "main.encodeFresh", "B", "main.encodeFresh",
    ]  # fmt: skip


def test_what_is_known_of_a_line_is_told_once():
    """Live heap and peak often have one culprit: callers and causes would stand there twice."""
    text = lines(LEAK, replace(LEAK, metric="peak_rss"), live_heap="A", peak_rss="B")
    assert [line.split()[0] for line in text] == [
        "allocated", "main.(*leakyLog).add", "A", "main.(*leakyLog).add", "called",
        "allocated", "main.(*leakyLog).add", "B",
    ]  # fmt: skip


def test_a_limit_and_a_comparison_of_one_metric_tell_their_lines_apart():
    """The growth in the window and that since the other side are two questions."""
    text = lines(replace(LEAK, is_between=True, after=3_000_000), LEAK, live_heap="A; compared with the base: B")
    assert [line.strip()[:36].rstrip() for line in text[1:5]] == [
        "main.(*leakyLog).add  logs.go:62  23", "compared with the base:",
        "main.(*leakyLog).add  logs.go:62  2.", "A; compared with the base: B",
    ]  # fmt: skip
    assert "235 MB more" in text[1]
    assert "2.00 MB more" in text[3]
    assert "compared with the base:" not in lines(replace(LEAK, is_between=True), live_heap="B")[1]


def test_nobody_named_is_told_with_the_reason():
    """A metric without culprits says why."""
    assert lines(peak_rss="no line has more of the live heap than before") == [
        "allocated by (peak_rss), estimated from samples",
        "  no line has more of the live heap than before",
    ]


def test_no_findings_no_words():
    """Where nobody was looked for, nothing is said."""
    assert lines() == []


def test_a_long_name_loses_its_path_before_it_is_cut():
    """The folder stands in the place already; only what is still too long is cut, in the middle."""
    path = "example.com/company/some/deeply/nested/service/internal/"
    short, long = f"{path}web.(*Page).Show", f"{path}web.{'A' * 60}.End"
    text = lines(replace(LEAK, function=short), replace(LEAK, function=long), live_heap="-", width=100)
    assert text[1].startswith("  web.(*Page).Show ")
    assert text[2].startswith("  web.AAA")
    assert ".End " in text[2]


_names = st.text(max_size=150) | st.sampled_from(["main.f", "a/b.F[c/d.E]", "日本語" * 40, "\x1b[31m"])
_amounts = st.integers(0, 2**50)
_sites = st.builds(Site, _names, _names, st.integers(0, 10**6))
_culprits = st.builds(
    Culprit, _names, _names, st.integers(0, 10**6), st.sampled_from(sorted(SAMPLE_OF)), st.none() | _amounts, _amounts,
    _amounts, st.floats(0, 1), _names, st.lists(_sites, max_size=3).map(tuple), leaf=_names,
    through=st.none() | st.builds(Through, _names, _names, st.integers(0, 10**6), _names),
    module_change=st.none() | st.builds(ModuleChange, _names, _names, _names),
)  # fmt: skip
_found = st.lists(_culprits, max_size=5).map(tuple)
_summaries = st.dictionaries(st.sampled_from(sorted(SAMPLE_OF)), _names, min_size=5)


@calmly
@given(_found, _summaries)
def test_any_culprits_fit_into_the_failure(culprits, summaries):
    """Whatever Go calls its functions, no line is wider than 110 cells or controls the terminal."""
    text = failure_text(window(culprits=culprits, culprit_summaries=summaries), "test_a.py::test_b")[1]
    assert max(map(display_width, text.splitlines())) <= 110
    assert text.replace("\n", "").isprintable()


def test_the_failure_tells_culprits_after_the_broken_limits():
    """Who did it follows what broke, before the settings."""
    told = replace(failing_window(), culprits=(LEAK,), culprit_summaries={"live_heap": "1 of 1 function, all"})
    text = failure_text(told, "test_a.py::test_b")[1]
    order = [text.index(words) for words in ("FAIL  gc_pause_p99", "  allocated by (live_heap)", "GC settings")]
    assert order == sorted(order)


def test_the_headline_names_the_first_culprit_of_what_broke_first():
    """That of another metric is not its cause."""
    told = failing_window()
    for metric, ends in (
        ("peak_rss", f"limit of 1.8GB, culprit {LEAK.function} ({LEAK.file}:{LEAK.line}); 2 more"),
        ("live_heap", "limit of 1.8GB; 2 more"),
    ):
        headline, _ = failure_text(replace(told, culprits=(replace(LEAK, metric=metric),)), "test_a.py::test_b")
        assert headline.endswith(f"{ends} limits are broken")


def test_the_headline_names_no_culprit_of_something_else():
    """Of a comparison of the same metric, of the whole window where a phase broke, of another function."""
    limit = verdict("live_heap", "1MB", 5e6, reason="broken")
    other = verdict("total_alloc", "1MB", 5e6, function="main.b*")
    made = replace(LEAK, metric="total_alloc")
    for verdicts, culprit, is_named in (
        ((limit,), LEAK, True),
        ((limit,), replace(LEAK, is_between=True), False),
        ((replace(limit, kind="regression"),), replace(LEAK, is_between=True), True),
        ((replace(limit, kind="regression"),), LEAK, False),
        ((verdict("live_heap", "1MB", 5e6, phase="load"),), LEAK, False),
        ((other, limit), made, True),
        ((verdict("total_alloc", "1MB", 5e6, function="main.a*"), other), made, False),
    ):
        headline, _ = failure_text(window(verdicts=verdicts, culprits=(culprit,)), "test_a.py::test_b")
        assert (f", culprit {LEAK.function} (" in headline) == is_named, headline


@pytest.mark.parametrize(
    ("functions", "words"),
    [(212, "2 of 212 functions, 91% of the growth"), (2, "2 of 2 functions, 91% of the growth")],
)
def test_summary_counts_functions_and_their_share(functions, words):
    """How many of how many functions are shown, and the share of the growth that they explain."""
    shown = (replace(LEAK, share=0.89), replace(LEAK, line=63, share=0.015), replace(SMALL, share=0.005))
    assert summary(Findings("live_heap", shown, functions, 1)) == words


def test_summary_of_nobody_is_the_reason():
    """Without culprits the summary is why there are none."""
    assert summary(Findings("live_heap", (), 3, 100, "within the noise")) == "within the noise"


def wired(measured):
    """The payload of a test with this window, as JSON text brings it home, and the window made from it."""
    payload = json.loads(json.dumps(json_report.test_to_dict(TestRecord("a", "failed", (measured,)))))
    return payload["windows"][0], PUBLIC.decode(TestRecord, payload).windows[0]


def test_json_has_the_change_as_an_interval():
    """The JSON's keys are those of the contract; the interval is the change's, from low to high."""
    data, _ = wired(window(culprits=(LEAK,), culprit_summaries={"live_heap": "all"}))
    assert data["culprits"] == [
        {
            "function": "main.(*leakyLog).add", "file": "logs.go", "line": 62, "metric": "live_heap",
            "before": 1_000_000, "after": 236_000_000, "interval": [233_000_000, 237_000_000], "share": 0.98,
            "reason": "allocated 235 MB of the live heap, not there when the window opened",
            "callers": [
                {"function": "main.logTo.func1", "file": "logs.go", "line": 30},
                {"function": "main.main", "file": "main.go", "line": 20},
            ],
            "is_between": False,
            "leaf": "", "causes": [], "through": None, "module_change": None, "sample_type": "",
        }
    ]  # fmt: skip
    assert data["culprit_summaries"] == {"live_heap": "all"}


@calmly
@given(_found, _summaries)
def test_culprits_survive_the_way_through_json(culprits, summaries):
    """The report obeys the schema, and from what it says of them the same report can be made again."""
    data, back = wired(window(culprits=culprits, culprit_summaries=summaries))
    validator_for({"$ref": "#/$defs/window", "$defs": json_report.report_schema()["$defs"]}).validate(data)
    assert wired(back)[0] == data
    assert [culprit.interval for culprit in back.culprits] == [culprit.interval for culprit in culprits]
