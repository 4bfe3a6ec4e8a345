"""Budgets: ceilings, floors and mappings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.errors import ConfigError, ConfigErrors, Place
from pytest_gomem.base.units import BYTES, COUNT, RATIO, SECONDS, format_value
from pytest_gomem.config.budgets import PER_FUNCTION, Budget, parse_budget, parse_budgets
from pytest_gomem.config.fields import located

UNITS = {"peak_rss": BYTES, "gc_cpu": RATIO, "goroutines": COUNT, "time_to_limit": SECONDS, "alloc_space": BYTES}
PLACE = Place("gomem.yaml", 3, "budgets.defaults.m")
LIMITS = ("max", "min", "warn", "regression")


def read(metric: str, value: object) -> tuple[Budget, ...]:
    return parse_budget(metric, value, units=UNITS, scope="defaults", place=PLACE)


def limits(budget: Budget) -> dict[str, float]:
    return {key: limit.value for key in LIMITS if (limit := getattr(budget, key)) is not None}


@pytest.mark.parametrize(
    ("metric", "value", "expected"),
    [
        ("peak_rss", "1.8GB", {"max": 1.8e9}),
        ("peak_rss", "<= 1.8GB", {"max": 1.8e9}),
        ("peak_rss", 1000, {"max": 1000.0}),
        ("time_to_limit", ">= 24h", {"min": 86400.0}),
        ("time_to_limit", ">=24h", {"min": 86400.0}),
        ("goroutines", 0, {"max": 0.0}),
        ("gc_cpu", "10%", {"max": 0.1}),
        ("peak_rss", {"max": "64MiB", "warn": "60MiB"}, {"max": 2.0**26, "warn": 60 * 2.0**20}),
        ("peak_rss", {"regression": "2%"}, {"regression": 0.02}),
        ("time_to_limit", {"min": "24h", "warn": "48h"}, {"min": 86400.0, "warn": 172800.0}),
        ("goroutines", {"min": 3, "max": 3}, {"min": 3.0, "max": 3.0}),
        ("goroutines", {"min": 3, "max": 9, "warn": 3}, {"min": 3.0, "max": 9.0, "warn": 3.0}),
    ],
)
def test_a_budget_is_read(metric: str, value: object, expected: dict[str, float]) -> None:
    """A text is a ceiling or a floor, a mapping sets what it names; all in base units."""
    (budget,) = read(metric, value)
    assert limits(budget) == pytest.approx(expected)
    assert (budget.metric, budget.function, budget.scope, budget.place) == (metric, "", "defaults", PLACE)


def test_headroom_has_a_short_name() -> None:
    """It is a floor, and one metric cannot be budgeted by both of its names."""
    units = {**UNITS, "memory_headroom": BYTES}
    (short,), (plain,) = (
        parse_budget(name, value, units=units, scope="defaults", place=PLACE)
        for name, value in (("min_headroom", "20MiB"), ("memory_headroom", ">= 20MiB"))
    )
    assert (short.metric, limits(short)) == (plain.metric, limits(plain)) == ("memory_headroom", {"min": 20 * 2.0**20})
    for name, wrong, words in (
        ("memory_headroom", "20MiB", "is the least that is left of a limit, not the most\n  write '>= 20MiB'"),
        ("min_headroom", {"min": "20MiB"}, "min_headroom is one size"),
        ("min_headroom", "20 parsec", "does not fit bytes"),
        ("phases", {"login": {"min_headroom": "20MiB"}}, "min_headroom cannot be budgeted in a phase"),
    ):
        with pytest.raises((ConfigError, ConfigErrors)) as caught:
            parse_budget(name, wrong, units=units, scope="defaults", place=PLACE)
        assert words in str(caught.value)
    both = located({"min_headroom": "20MiB", "memory_headroom": ">= 20MiB"}, PLACE)
    with pytest.raises(ConfigErrors, match="memory_headroom is budgeted too, and both are one metric"):
        parse_budgets(both, units, "defaults")


def test_time_to_limit_names_the_memory_it_is_about() -> None:
    """A size that is no limit of the metric itself; other metrics do not have it."""
    (budget,) = read("time_to_limit", {"min": "24h", "limit": "512MiB"})
    assert budget.memory is not None
    assert (limits(budget), budget.memory.value, str(budget.memory)) == ({"min": 86400.0}, 2.0**29, "512MiB")
    (plain,) = read("time_to_limit", ">= 24h")
    assert plain.memory is None
    for metric, wrong, words in (
        ("time_to_limit", "24h", "the least time that the memory lasts, not the most\n  write '>= 24h'"),
        ("time_to_limit", {"max": "24h", "limit": "512MiB"}, "not the most"),
        ("time_to_limit", {"limit": "512MiB"}, "sets no limit"),
        ("time_to_limit", {"min": "24h", "limit": 0}, "reached from the start"),
        ("time_to_limit", {"min": "24h", "limit": "1h"}, "does not fit bytes"),
        ("peak_rss", {"max": 1, "limit": "512MiB"}, "unknown key 'limit'"),
        ("phases", {"login": {"time_to_limit": {"min": 1, "limit": 5}}}, "a phase has no limit of its own"),
    ):
        with pytest.raises(ConfigErrors, match=words):
            read(metric, wrong)


def test_the_written_limit_is_kept_without_its_sign() -> None:
    """A message can repeat the limit as its author wrote it."""
    (budget,) = read("time_to_limit", ">= 24 h")
    assert str(budget.min) == "24 h"


def test_a_budget_per_function_gives_one_for_each_glob() -> None:
    """Each glob takes any kind of budget, and its place names it."""
    small, large = read("alloc_space", {"main.encode*": "10MB", "main.Map[...]": {"max": "1GB", "regression": "5%"}})
    assert (small.function, limits(small)) == ("main.encode*", {"max": 1e7})
    assert (large.function, limits(large)) == ("main.Map[...]", {"max": 1e9, "regression": 0.05})
    assert not small.cum
    (whole,) = read("alloc_space", {"main.encode*": {"max": "10MB", "cum": True}})
    assert (whole.cum, limits(whole)) == (True, {"max": 1e7})
    assert small.place.key == "budgets.defaults.m['main.encode*']"
    assert "alloc_space" in PER_FUNCTION


def test_a_budget_per_type_gives_one_for_each_glob() -> None:
    """Objects are counts, object_bytes are bytes; both need an observed round, as functions do."""
    session, cache = read("objects", {"*main.Session": 0, "main.Cache": {"max": 1, "min": 1}})
    assert (session.type, session.glob, session.function, limits(session)) == (
        "*main.Session",
        "*main.Session",
        "",
        {"max": 0.0},
    )
    assert limits(cache) == {"max": 1.0, "min": 1.0}
    (held,) = read("object_bytes", {"[]uint8": "10MB"})
    assert (held.metric, held.type, limits(held)) == ("object_bytes", "[]uint8", {"max": 1e7})


@pytest.mark.parametrize(
    ("metric", "value", "says"),
    [
        ("peak_rrs", "1GB", "did you mean peak_rss?  all names: pytest --gomem-metrics"),
        ("zebra", "1GB", "\n  all names: pytest --gomem-metrics"),
        ("peak_rss", "1.8XB", "'XB' does not fit bytes"),
        ("peak_rss", "5ms", "'ms' does not fit bytes"),
        ("peak_rss", "-1GB", "not a quantity"),
        ("peak_rss", -1, "at least 0"),
        ("peak_rss", "24MBnonsense", "does not fit"),
        ("peak_rss", "> 1GB", "'<= 64MiB'"),
        ("peak_rss", "< 1GB", "'<= 64MiB'"),
        ("peak_rss", "== 1GB", "'<= 64MiB'"),
        ("peak_rss", ">=", "not a quantity"),
        ("peak_rss", "", "not a quantity"),
        ("peak_rss", True, "not a quantity"),
        ("peak_rss", None, "expected a quantity in bytes, not nothing"),
        ("peak_rss", ["1GB"], "expected a quantity in bytes, not a list"),
        ("peak_rss", {}, "sets no limit"),
        ("peak_rss", {"maximum": 1}, "m.maximum: unknown key 'maximum'\n  did you mean max?"),
        ("peak_rss", {"max": "5ms"}, "m.max: '5ms'"),
        ("peak_rss", {"max": {"max": 1}}, "m.max: expected a quantity in bytes, not a mapping"),
        ("peak_rss", {"max": ">= 1GB"}, "m.max: '>= 1GB' is not a quantity"),
        ("peak_rss", {"max": 1, "min": 2}, "m.max: max 1 is below min 2"),
        ("peak_rss", {"warn": 2}, "m.warn: warn 2 has no limit to warn before"),
        ("peak_rss", {"max": 2, "warn": 2}, "m.warn: warn 2 is not below max 2"),
        ("peak_rss", {"min": 2, "warn": 2}, "m.warn: warn 2 is not above min 2"),
        ("peak_rss", {"min": 2, "max": 9, "warn": 1}, "m.warn: warn 1 is not above min 2"),
        ("peak_rss", {"max": 1, "regression": "2MB"}, "m.regression: '2MB'"),
        ("alloc_space", "10MB", "per function"),
        ("alloc_space", {}, "per function"),
        ("alloc_space", {"max": "10MB"}, "where a function glob belongs"),
        ("alloc_space", {"": "10MB"}, "where a function glob belongs"),
        ("alloc_space", {"main.*": {"cum": True}}, "sets no limit"),
        ("alloc_space", {"main.*": {"max": 1, "cum": 1}}, "m['main.*'].cum: expected true or false"),
        ("alloc_space", {"cum": True}, "where a function glob belongs"),
        ("objects", 5, 'per type, not 5\n  name types by globs, as in  objects: {"*main.Session": ...}'),
        ("objects", {"max": 5}, "where a type glob belongs"),
        ("objects", {"main.T": {"max": 5, "cum": True}}, "unknown key 'cum'"),
        ("objects", {"main.T": "10MB"}, "m['main.T']: '10MB'"),
        ("peak_rss", {"max": 1, "cum": True}, "unknown key 'cum'"),
        ("alloc_space", {"main.*": "10ms"}, "m['main.*']: '10ms'"),
    ],
)
def test_what_is_no_budget_is_refused(metric: str, value: object, says: str) -> None:
    """Each wrong budget gives one message with file, line, key, and what would be right."""
    with pytest.raises(ConfigErrors) as caught:
        read(metric, value)
    (error,) = caught.value.errors
    assert says in str(error)
    assert str(error).startswith("gomem.yaml:3 budgets.defaults.m")


def test_all_mistakes_of_a_mapping_are_reported() -> None:
    """Two wrong limits and a wrong key give three messages."""
    with pytest.raises(ConfigErrors) as caught:
        read("peak_rss", {"max": "x", "min": "y", "mx": 1})
    assert len(caught.value.errors) == 3


@given(st.floats(min_value=0, max_value=1e15), st.floats(min_value=0, max_value=1e15))
def test_order_is_what_decides(low: float, high: float) -> None:
    """A mapping with max and min passes exactly where max is at least min."""
    try:
        (budget,) = read("peak_rss", {"min": low, "max": high})
    except ConfigErrors:
        assert high < low
    else:
        assert limits(budget) == {"min": low, "max": high}


@given(st.integers(min_value=1, max_value=10**14))
def test_a_printed_value_is_a_valid_budget(size: int) -> None:
    """What a report prints can be pasted as a budget."""
    (budget,) = read("peak_rss", f"<= {format_value(size, BYTES)}")
    assert limits(budget)["max"] == pytest.approx(size, rel=0.006)
