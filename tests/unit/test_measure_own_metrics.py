"""Figures that a service publishes itself: found on its pages, counted between two of them, or the reason why not."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_gomem.base.errors import ObserveError, Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.config.budgets import parse_budget
from pytest_gomem.config.own_metrics import own_metric
from pytest_gomem.judge.regressions import regression_verdicts
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.own_edges import OwnEdges, PageEdges, Told
from pytest_gomem.measure.registry import evaluate
from pytest_gomem.observe.own_page import Variables
from pytest_gomem.observe.text_format import parse_text_format
from pytest_gomem.stats.decision import Status
from pytest_gomem.testing import fake_window

CLIENT_GOLANG = (Path(__file__).parents[1] / "recorded" / "prometheus" / "client_golang-1.20.txt").read_text()
PAGE = r"""
# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{code="200",method="GET"} 100
http_requests_total{code="200",method="POST"} 10
http_requests_total{code="404",path="a,}\"b\\\n"} 3 1395066363000
# TYPE cache_bytes gauge
cache_bytes{shard="0"} 1e6
cache_bytes{shard="1"} 2e6
# TYPE queue_length gauge
queue_length 7
# TYPE rpc_seconds histogram
rpc_seconds_bucket{le="0.1"} 8
rpc_seconds_bucket{le="+Inf"} 9
rpc_seconds_sum 0.5
rpc_seconds_count 9
# TYPE wait_seconds summary
wait_seconds{quantile="0.99"} 0.25
wait_seconds_sum 4
wait_seconds_count 2
bare_total 5
# TYPE strange info
strange 1
# TYPE jobs counter
jobs_total 4 # {trace_id="a"} 1
# TYPE broken gauge
broken NaN
"""
JOBS = "prom:jobs_total per_op"
VARS = {"cmdline": ["./api"], "hits": {"/v1.0": 4, "GET": 9}, "cache": {"entries": 3, "name": "lru"}, "a.b": {"c": 1}}


def read(
    name: str, start: object, end: object, *, reads: int = 1, row=(), ops: int | None = 10
) -> Reading | Unavailable:
    """The metric of a window, from two pages."""
    page = name.partition(":")[0]
    edges = PageEdges(_told(start, 1), _told(end, 1 + reads), tuple(_told(one, at) for at, one in enumerate(row, -1)))
    return evaluate(fake_window(ops=ops, own=OwnEdges((name,), {page: edges})), ())[str(own_metric(name))]


def _told(page: object, reads: int) -> Told:
    return Told(parse_text_format(page) if isinstance(page, str) else Variables(page), reads)


def with_more(**added: float) -> str:
    """The page with more in these samples of one series."""
    lines = [
        f"{name} {float(value) + added[name]}" if (name := line.partition(" ")[0]) in added else line
        for line in PAGE.splitlines()
        for value in [(line.split() or ["", "0"])[1] if " " in line else "0"]
    ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "value", "note"),
    [
        ("prom:queue_length", 7, ""),
        ("prom:cache_bytes{shard=1}", 2e6, ""),
        ("prom:http_requests_total{code=404}", 0, ""),
        ("prom:http_requests_total{code=200}", 0, "sum of 2 series"),
        ("prom:http_requests_total{path='a,}\\\"b\\\\\\n'}", 0, ""),
        ("prom:http_requests_total{path=}", 0, "sum of 2 series"),
        ("prom:http_requests_total{code=500}", 0, "no series is http_requests_total{code=500} yet, so it has counted "),
        ("prom:wait_seconds{quantile=0.99}", 0.25, ""),
        ("prom:rpc_seconds_bucket{le=0.1}", 0, ""),
        ("prom:bare_total counter", 0, ""),
        ("prom:bare_total per_op", 0, ""),
        ("prom:bare_total gauge", 5, ""),
        ("prom:strange gauge", 1, ""),
        ("expvar:cache.entries", 3, ""),
        ("expvar:hits./v1.0", 4, ""),
        ("expvar:a.b.c", 1, ""),
        ("expvar:hits.GET counter", 0, ""),
    ],
)
def test_a_figure_is_found(name, value, note):
    """By its labels or its path; the type on the page says whether it counts."""
    page = PAGE if name.startswith("prom:") else VARS
    found = read(name, page, page)
    assert (found.value, found.source) == (value, {"prom": "prometheus", "expvar": "expvar"}[name.partition(":")[0]])
    assert found.note.startswith(note) if note else not found.note


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("prom:http_request_total", "no metric http_request_total: did you mean http_requests_total?"),
        ("prom:zzz", "the page has no metric zzz: it has 13 others"),
        ("prom:rpc_seconds", "is a histogram: name rpc_seconds_sum or rpc_seconds_count or rpc_seconds_bucket"),
        (
            "prom:wait_seconds",
            "is a summary: name wait_seconds_sum or wait_seconds_count or wait_seconds{quantile=...}",
        ),
        ("prom:rpc_seconds_bucket", "counts anew for each bound: name one"),
        ("prom:cache_bytes", "2 series of cache_bytes are gauges, which have no sum: name one by shard: 0, 1"),
        ("prom:cache_bytes{shard=7}", "no series is cache_bytes{shard=7}: shard is 0, 1"),
        ("prom:http_requests_total{cod=200}", "no series of http_requests_total has a label cod: did you mean code?"),
        ("prom:queue_length{a=1}", "has a label a: it has none"),
        ("prom:bare_total", "gives it no TYPE: say what it is, 'prom:bare_total counter' or"),
        ("prom:strange", "says that it is of type 'info'"),
        ("prom:queue_length counter", "says that queue_length is a gauge, and the budget that it is a counter"),
        ("prom:http_requests_total gauge", "is a counter, and the budget that it is a gauge"),
        ("prom:queue_length per_op", "is a gauge, which has no figure per operation"),
        ("prom:broken", "came out as nan"),
        ("expvar:cache.entrys", "did you mean entries?"),
        ("expvar:cach.entries", "has no variable cach.entries, as it has no cach: did you mean cache?"),
        ("expvar:cache", "cache is a map and no number, which has entries, name"),
        ("expvar:cache.name", "is text and no number"),
        ("expvar:cache.entries.x", "has nothing below it that is called x"),
        ("expvar:cmdline", "is a list and no number"),
    ],
)
def test_what_is_not_there_has_a_reason_and_the_nearest_name(name, words):
    """Never 0: a budget on it fails with these words."""
    page = PAGE if name.startswith("prom:") else VARS
    assert words in read(name, page, page).reason


def test_a_counter_is_the_close_less_the_opening():
    """Summed over its series, those that appear in the window included; of one operation if it says so."""
    end = PAGE.replace(" 100\n", " 150\n") + 'http_requests_total{code="500"} 2\n'
    assert read("prom:http_requests_total", PAGE, end).value == 52
    assert read("prom:http_requests_total{code=500}", PAGE, end).value == 2
    assert read("prom:http_requests_total{code=200} per_op", PAGE, end).value == 5
    assert read("prom:jobs_total", PAGE, with_more(jobs_total=3)).value == 3  # its TYPE is without _total
    assert read("prom:rpc_seconds_sum per_op", PAGE, with_more(rpc_seconds_sum=2)).value == pytest.approx(0.2)
    assert read("expvar:hits.GET per_op", VARS, {"hits": {"GET": 29}}).value == 2
    assert read("expvar:late counter", {}, {"late": 4}).value == 4
    assert "no operations were counted" in read("prom:jobs_total per_op", PAGE, PAGE, ops=None).reason


def test_a_gauge_is_its_close():
    """Whatever it was at the opening."""
    assert read("prom:queue_length", PAGE, with_more(queue_length=5)).value == 12
    assert read("expvar:cache.entries", VARS, {"cache": {"entries": 1}}).value == 1


@pytest.mark.parametrize(
    ("start", "end"), [(PAGE, PAGE.replace(" 100\n", " 99\n")), (PAGE, PAGE.replace('code="404"', 'code="403"'))]
)
def test_a_counter_that_was_reset_is_unavailable(start, end):
    """A series that fell, or is gone, began to count anew, even if the sum has risen."""
    assert "has begun to count anew" in read("prom:http_requests_total", start, end + "x 1\n").reason
    assert "has begun to count anew" in read("expvar:n counter", {"n": 5}, {"n": 4}).reason


def test_what_our_own_readings_count_is_left_out():
    """A page that counts its readers adds the same each time; what adds something only once is the service's work."""
    row = [with_more(jobs_total=at) for at in (0, 1, 2)]
    found = read("prom:jobs_total", row[-1], with_more(jobs_total=2 + 40 + 3), reads=3, row=row)
    assert (found.value, found.note) == (40, "without 3 that reading the page itself has counted")
    busy = [with_more(jobs_total=at) for at in (0, 0, 7)]
    assert read("prom:jobs_total", busy[-1], with_more(jobs_total=17), row=busy).value == 10


@pytest.mark.parametrize("edge", ["start", "end"])
def test_a_page_that_could_not_be_read_is_the_reason(edge):
    """A gauge needs the close alone."""
    lost = Unavailable("http://127.0.0.1:1/metrics got no answer")
    edges = PageEdges(**{"start": _told(PAGE, 1), "end": _told(PAGE, 2), edge: lost})
    names = ("prom:queue_length", "prom:jobs_total")
    found = evaluate(fake_window(own=OwnEdges(names, {"prom": edges})), ())
    assert found["prom:jobs_total"] == lost
    assert found["prom:queue_length"] == (lost if edge == "end" else Reading(7, "prometheus"))


@settings(max_examples=30)
@given(st.text() | st.lists(st.sampled_from((CLIENT_GOLANG + PAGE).splitlines()), max_size=9).map("\n".join))
def test_any_page_is_read_or_refused(text):
    """With the line of what is wrong."""
    with suppress(ObserveError):
        page = parse_text_format(text)
        assert page.names
        for name in page.names:
            assert page.series(name)


@settings(max_examples=20)
@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.dictionaries(st.text(), x)),
    st.text(),
)
def test_any_variables_give_a_figure_or_a_reason(value, rest):
    """Whatever a service publishes below the name."""
    published = Variables(json.loads(json.dumps({"a": value})))
    name = "expvar:a" + (f".{rest.strip()}" if rest.strip() and "" not in rest.strip().split(".") else "")
    edges = PageEdges(Told(published, 1), Told(published, 2))
    with suppress(ValueError):
        (found,) = evaluate(fake_window(own=OwnEdges((name,), {"expvar": edges})), ()).values()
        assert isinstance(found, Reading) or found.reason


def compared(*limits: str, base: list[float], head: list[float]) -> dict[str, Status]:
    """The verdicts of a comparison of these rounds of the metric."""
    found = [
        b for limit in limits for b in parse_budget(JOBS, {"regression": limit}, units={}, scope="", place=Place())
    ]
    rounds = [[{JOBS: value} for value in side] for side in (base, head)]
    return {v.budget.metric: v.status for v in regression_verdicts(found, {}, *rounds, against="main")}


def test_it_is_compared_only_if_regression_names_it():
    """As a noisy metric: eight rounds of each side, and lower is better."""
    more = [value + 1 for value in range(8, 16)]
    assert compared(base=list(range(8)), head=more) == {}
    assert compared("5%", base=list(range(8)), head=more) == {JOBS: Status.FAIL}
    assert compared("5%", base=more, head=list(range(8))) == {JOBS: Status.IMPROVED}
    assert compared("5%", base=more[:3], head=[99.0] * 3) == {JOBS: Status.NOISY}
    assert compared("5%", base=[], head=more) == {JOBS: Status.NO_BASELINE}


def test_a_strange_line_costs_its_own_metric_alone():
    """With its number; what is no such page at all is refused when it is looked for."""
    page = PAGE + '{"utf-8.name", a="b"} 5\njobs_total{a=b} 1\nqueue_length 8\n'
    assert read("prom:cache_bytes{shard=1}", page, page).value == 2e6
    number = page.count("\n")
    assert (
        f"line {number - 1} is not of the Prometheus text format: 'jobs_total"
        in read("prom:jobs_total", page, page).reason
    )
    assert f"line {number}: queue_length is there twice" in read("prom:queue_length", page, page).reason
    for text, words in (("<html>", "line 1 is not of the"), ("# no\n\n", "has no sample"), ("", "has no sample")):
        with pytest.raises(ObserveError, match=words):
            parse_text_format(text)
