"""The names of metrics that a service publishes itself: every spelling, one canonical form, and mistakes."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.errors import ConfigError, ConfigErrors, Place
from pytest_gomem.base.units import BYTES, BYTES_PER_OP, COUNT, COUNT_PER_OP, RATIO, SECONDS, SECONDS_PER_OP
from pytest_gomem.config.accepted import Acceptance, amount, load_accepted, metric_name
from pytest_gomem.config.accepting import add
from pytest_gomem.config.budgets import parse_budget
from pytest_gomem.config.marker import parse_marker
from pytest_gomem.config.own_metrics import OwnMetric, own_metric

PLACE = Place("test_mem.py", 7, "test_upload @pytest.mark.gomem")


@pytest.mark.parametrize(
    ("written", "canonical", "unit"),
    [
        ("prom:http_requests_total", "prom:http_requests_total", COUNT),
        ('prom: http_requests_total {code="500",}', "prom:http_requests_total{code=500}", COUNT),
        ("prom:x{b=2, a = '1'}", "prom:x{a=1,b=2}", COUNT),
        ("prom:x{}", "prom:x", COUNT),
        ('prom:x{path="/a,b}",q="say \\"hi\\"\\n\\\\"}', 'prom:x{path="/a,b}",q="say \\"hi\\"\\n\\\\"}', COUNT),
        ("prom:x{empty=,spaced=a b}", 'prom:x{empty="",spaced="a b"}', COUNT),
        ("prom:x_total  per_op", "prom:x_total per_op", COUNT_PER_OP),
        ("prom:x_total{a=1}per_op counter", "prom:x_total{a=1} counter per_op", COUNT_PER_OP),
        ("prom:cache_bytes gauge", "prom:cache_bytes gauge", BYTES),
        ("prom:sent_bytes_total per_op", "prom:sent_bytes_total per_op", BYTES_PER_OP),
        ("prom:request_seconds_sum", "prom:request_seconds_sum", SECONDS),
        ("prom:request_seconds_sum per_op", "prom:request_seconds_sum per_op", SECONDS_PER_OP),
        ("prom:request_seconds_count", "prom:request_seconds_count", COUNT),
        ("prom:request_seconds_bucket{le=0.5}", "prom:request_seconds_bucket{le=0.5}", COUNT),
        ("prom:hit_ratio", "prom:hit_ratio", RATIO),
        ("prom:bytes", "prom:bytes", BYTES),
        ("prom:kilobytes", "prom:kilobytes", COUNT),
        ("expvar:cache.entries", "expvar:cache.entries", COUNT),
        ("expvar: cache.heldBytes counter  per_op", "expvar:cache.heldBytes counter per_op", BYTES_PER_OP),
        ("expvar:by path./v1 hits", "expvar:by path./v1 hits", COUNT),
    ],
)
def test_every_spelling_has_one_name_and_a_unit(written, canonical, unit):
    """So that a marker replaces the budget of gomem.yaml, however each of them writes it."""
    found = own_metric(written)
    assert (str(found), found.unit) == (canonical, unit)
    assert own_metric(canonical) == found
    (budget,) = parse_budget(written, 5, units={}, scope="defaults", place=PLACE)
    assert (budget.metric, budget.max.unit) == (canonical, unit)
    assert metric_name(written, {}, PLACE) == canonical


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,5}", fullmatch=True), st.text(max_size=8), max_size=3))
def test_any_label_value_can_be_written(labels):
    """The canonical form of any series reads back as that series."""
    metric = OwnMetric("prom", "x", tuple(sorted(labels.items())))
    assert own_metric(str(metric)) == metric


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("prom:", "names no metric"),
        ("prom:5xx", "names no metric"),
        ("prom:http-requests", "'-' is in no name of a Prometheus metric"),
        ("prom:x{", "mistake in its labels at its end"),
        ("prom:x{a=1", "mistake in its labels at its end"),
        ("prom:x{a}", "mistake in its labels before '}'"),
        ("prom:x{a=1,,b=2}", "mistake in its labels before ',b=2}'"),
        ('prom:x{a="1}', "mistake in its labels before"),
        ("prom:x{a=b=c}", "mistake in its labels before '=c}'"),
        ("prom:x{a=1,a=2}", "the label 'a' is given twice"),
        ("prom:x{a=~1}", "'=~' is not known here"),
        ("prom:x{a!=1}", "leave it out to take all its values"),
        ("prom:x per_opp", "did you mean per_op?"),
        ("prom:x countre", "did you mean counter?"),
        ("prom:x sum", "what may follow: counter, gauge, per_op"),
        ("prom:x counter gauge", "says it twice"),
        ("prom:x per_op per_op", "says it twice"),
        ("prom:x gauge per_op", "a gauge has no figure per operation"),
        ("expvar:", "names no variable"),
        ("expvar:a..b", "names no variable"),
        ("expvar:a per-op", "did you mean per_op?"),
        ("expvar: counter", "names no variable"),
    ],
)
def test_a_malformed_name_is_a_mistake_with_its_place(written, words):
    """At the collection, with the test's file and line."""
    with pytest.raises(ConfigErrors) as refused:
        parse_marker({written: 0}, units={}, scope="marker on function", place=PLACE)
    assert words in str(refused.value)
    assert "test_mem.py:7" in str(refused.value)


def test_a_mistyped_kind_of_page_names_both():
    """As does any other unknown metric with a colon."""
    with pytest.raises(ConfigErrors, match=r'unknown metric \'prometheus:x\'\n.*"prom:NAME{label=value}"'):
        parse_budget("prometheus:x", 0, units={}, scope="", place=PLACE)


def test_limits_are_in_the_unit_of_the_name():
    """Other units are refused as for every metric."""
    (budget,) = parse_budget("prom:cache_bytes", {"max": "64MB", "warn": "60MB"}, units={}, scope="", place=PLACE)
    assert (budget.max.value, budget.warn.value) == (64e6, 60e6)
    with pytest.raises(ConfigErrors, match="'MB' does not fit count"):
        parse_budget("prom:cache_entries", "64MB", units={}, scope="", place=PLACE)
    (in_phase,) = parse_budget("phases", {"login": {"prom:x_total per_op": 2}}, units={}, scope="", place=PLACE)
    assert (in_phase.metric, in_phase.phase) == ("prom:x_total per_op", "login")


def test_an_unknown_name_is_refused_anywhere_else():
    """Also in gomem_accepted.yaml."""
    with pytest.raises(ConfigError, match="names no metric"):
        metric_name("prom:5", {}, PLACE)


def test_it_can_be_accepted(tmp_path):
    """gomem_accepted.yaml holds the name in quotes, whatever a label is."""
    file, metric = tmp_path / "gomem_accepted.yaml", str(own_metric('prom:jobs_bytes{a=" #: {}"}'))
    entry = Acceptance("t.py::test_a", metric, amount("5MB", BYTES, PLACE), "r", "ann", date(2030, 1, 1), PLACE)
    add(file, entry, {})
    (read,) = load_accepted(file, {})
    assert (read.metric, read.amount.quantity.value) == (metric, 5e6)
