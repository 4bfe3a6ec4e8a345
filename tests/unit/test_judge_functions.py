"""Budgets on functions: what counts, what the interval decides, and how fine the sampling must be."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pprof_profiles import HEAP, profile

from pytest_gomem.base.errors import Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import BYTES, COUNT
from pytest_gomem.config.budgets import parse_budget
from pytest_gomem.judge.figures import Asked, asked_by, figure_metric, figure_unit, figures_of, median_of
from pytest_gomem.judge.functions import (
    SIGMA_AT_LIMIT,
    FunctionValue,
    counting,
    function_values,
    judge_function,
    rate_for,
)
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.observe.effective import GO_PROFILE_RATE
from pytest_gomem.pprof.aggregate import aggregate
from pytest_gomem.pprof.model import Function, Label, Line, Location, location_ids
from pytest_gomem.stats.decision import Status

UNITS = Registry(builtin_metrics()).units()
ENCODE, CALLER, BYTES_GROW = "main.encode", "main.handle", "bytes.growSlice"
KIB = 1 << 10


def heap(*samples, rate=1):
    """A heap profile of (functions of the stack, leaf first; size; objects made; objects held)."""
    numbers: dict[str, int] = {}
    rows, labels = [], []
    for stack, size, made, held in samples:
        ids = [numbers.setdefault(name, len(numbers) + 1) for name in stack]
        rows.append((ids, (made, made * size, held, held * size)))
        labels.append((Label("bytes", None, size, ""),))
    places = {
        number: Location(None, 0, (Line(Function(name, name, "/srv/a.go", 1), 1, 0),), False)
        for name, number in numbers.items()
    }
    return profile(rows, places, HEAP, labels, period=rate)


def value(metric, glob, after, before=None, cum=False) -> FunctionValue:
    asked = Asked(metric, glob, cum)
    found = function_values([asked], after, before, GoModule("example.com/app"))[asked]
    assert isinstance(found, FunctionValue)
    return found


def budget(metric="alloc_space", limit: object = "10MB", glob=ENCODE):
    (read,) = parse_budget(metric, {glob: limit}, units=UNITS, scope="test", place=Place())
    return read


def judged(actual, interval, limit: object = "10MB", *, matched=1, strict=False, metric="alloc_space"):
    declared = budget(metric, limit)
    found = FunctionValue(*asked_by(declared), actual, interval, 8192, matched, "" if matched else "main.encoder")
    (verdict,) = judge_function(declared, found, strict=strict)
    return verdict


AFTER = heap(
    ((ENCODE, CALLER), KIB, 300, 30),
    ((BYTES_GROW, ENCODE, CALLER), KIB, 500, 50),
    ((ENCODE, ENCODE, CALLER), KIB, 7, 0),
    ((CALLER,), 16, 9, 0),
)
BEFORE = heap(((ENCODE, CALLER), KIB, 100, 10), ((BYTES_GROW, ENCODE, CALLER), KIB, 200, 20))


def test_flat_and_cumulative_values_are_those_of_pprof():
    """Flat is what the function itself makes, cumulative also what it calls, and recursion counts once."""
    rows = {row.frame.function: row for row in aggregate(AFTER, "inuse_space").rows}
    assert value("inuse_space", ENCODE, AFTER).value == rows[ENCODE].flat == 30 * KIB
    assert value("inuse_space", ENCODE, AFTER, cum=True).value == rows[ENCODE].cum == 80 * KIB
    assert value("inuse_objects", "main.*", AFTER).value == 30


def test_what_was_made_is_the_difference_and_what_is_held_is_whole():
    """A window's allocations come after its opening; what a function holds counts from whenever it was made."""
    assert value("alloc_space", ENCODE, AFTER, BEFORE).value == 207 * KIB
    assert value("alloc_objects", ENCODE, AFTER, BEFORE, cum=True).value == 507
    assert value("inuse_objects", ENCODE, AFTER, BEFORE).value == 30


def test_a_glob_sums_all_functions_it_matches():
    """Only * and ? are special: Go's generic functions and methods are named as they are spelled."""
    generic = heap((("main.Map[go.shape.int]",), 8, 3, 0), (("main.(*T).Get",), 8, 4, 0))
    assert value("alloc_objects", "main.Map[*]", generic, heap()).value == 3
    assert value("alloc_objects", "main.(*T).???", generic, heap()).value == 4
    found = value("alloc_objects", "main.*", generic, heap())
    assert (found.value, found.matched) == (7, 2)


def test_without_a_profile_of_the_opening_what_was_made_is_unknown():
    """Never taken for all since the start; and a profiler that is off measures nothing."""
    asked = Asked("alloc_space", ENCODE, False)
    found = function_values([asked], AFTER, None, GoModule())[asked]
    assert isinstance(found, Unavailable)
    assert "when the window opened" in found.reason
    off = function_values([asked], heap(rate=0), heap(rate=0), GoModule())[asked]
    assert isinstance(off, Unavailable)
    assert "profiler is off" in off.reason


def test_measuring_itself_counts_for_no_function():
    """The profile writer's own garbage is not the service's."""
    stack = ("compress/flate.NewWriter", "runtime/pprof.writeHeap", "net/http/pprof.handler.ServeHTTP")
    assert value("alloc_space", "*", heap((stack, KIB, 50, 0), ((CALLER,), 16, 1, 0)), heap()).value == 16


@pytest.mark.parametrize(
    ("actual", "interval", "status"),
    [
        (9_000_000, 500_000, Status.PASS),
        (9_600_000, 500_000, Status.NOISY),
        (10_500_000, 500_000, Status.NOISY),
        (10_500_001, 500_000, Status.FAIL),
        (10_000_000, 0, Status.PASS),
        (10_000_001, 0, Status.FAIL),
    ],
)
def test_the_interval_decides(actual, interval, status):
    """Outside of the interval a limit is kept or broken; inside of it nobody can tell, which fails nothing."""
    assert judged(actual, interval).status is status


def test_the_interval_stands_in_the_words():
    """A reader sees how sure the figure is, in either case; an exact figure has no interval."""
    assert (
        judged(12_100_000, 600_000).reason == "alloc_space is 12.1 MB +- 600 kB, 2.10 MB (21.0%) over its limit of 10MB"
    )
    assert judged(10_200_000, 600_000).reason.startswith(
        "alloc_space is 10.2 MB +- 600 kB: too close to its limit of 10MB"
    )
    assert judged(12_100_000, 0).reason.startswith("alloc_space is 12.1 MB, 2.10 MB (21.0%) over")


def test_floors_and_warnings_are_decided_alike():
    """The interval leaves doubt on both sides of any limit."""
    assert judged(10_200_000, 600_000, ">= 10MB").status is Status.NOISY
    assert judged(8_000_000, 600_000, ">= 10MB").status is Status.FAIL


def test_a_glob_that_matches_nothing():
    """It is 0 with a warning elsewhere; under --gomem-strict it is unmeasured, with the name that was meant."""
    assert judged(0, 0, matched=0).status is Status.PASS
    verdict = judged(0, 0, matched=0, strict=True)
    assert verdict.status is Status.UNAVAILABLE
    assert "matches no function of the heap profiles; did you mean main.encoder?" in verdict.reason


def test_nothing_seen_is_not_nothing_there():
    """Without one sample up to 3 samples' worth may be there; where all is sampled nothing is."""
    assert value("alloc_space", "main.none", heap(rate=8192), heap(rate=8192)).interval == math.ceil(
        -math.log(0.05) * 8192
    )
    assert value("alloc_space", "main.none", heap(), heap()).interval == 0


@given(st.sampled_from(["alloc_space", "inuse_space"]), st.floats(1, 1e12), st.integers(8, 1 << 30))
def test_the_rate_keeps_sigma_within_3_percent_of_bytes(metric, limit, size):
    """Whatever size the objects have: sigma of B bytes is sqrt(s B (1 - p) / p)."""
    rate = rate_for([budget(metric, limit)]) or GO_PROFILE_RATE
    p = -math.expm1(-size / rate) if rate > 1 else 1.0
    assert math.sqrt(size * limit * (1 - p) / p) <= SIGMA_AT_LIMIT * limit * 1.001
    assert rate & (rate - 1) == 0


@given(st.floats(1, 1e9), st.integers(8, 1 << 20))
def test_the_rate_keeps_sigma_within_3_percent_of_objects(limit, size):
    """Of N objects sigma is sqrt(N (1 - p) / p), worst for the smallest."""
    rate = rate_for([budget("alloc_objects", limit)]) or GO_PROFILE_RATE
    p = -math.expm1(-size / rate) if rate > 1 else 1.0
    assert math.sqrt(limit * (1 - p) / p) <= SIGMA_AT_LIMIT * limit * 1.001


def test_the_finest_budget_sets_the_rate():
    """10 MB ask for 8 KiB, 100 kB for 64 bytes, a limit of 0 for every allocation; a coarse one for nothing."""
    assert rate_for([budget(limit="10MB")]) == 8192
    assert rate_for([budget(limit="10MB"), budget(limit={"max": "1GB", "warn": "100kB"})]) == 64
    assert rate_for([budget(limit=0)]) == 1
    assert rate_for([budget(limit="10GB")]) is None
    assert rate_for(parse_budget("peak_rss", "1kB", units=UNITS, scope="", place=Place())) is None


def test_only_the_stacks_of_a_budget_count_for_its_culprits():
    """By the leaf, or with `cum` by any frame."""
    flat, cum = (counting(Asked("alloc_space", ENCODE, cum)) for cum in (False, True))
    leaves = [next(location_ids(stack)) for stack in AFTER.stacks]
    names = [AFTER.location(leaf).lines[0].function.name for leaf in leaves]
    assert [flat(AFTER, stack) for stack in AFTER.stacks] == [name == ENCODE for name in names]
    assert [cum(AFTER, stack) for stack in AFTER.stacks] == [True, True, True, False]


def test_several_rounds_have_a_median():
    """Its interval is that of the round nearest to it."""
    asked = Asked("alloc_space", ENCODE, False)
    rounds = [FunctionValue(*asked, made, width, 8192, 1) for made, width in ((10, 1), (30, 3), (22, 2))]
    assert (median_of(rounds).value, median_of(rounds).interval) == (22, 2)
    assert (median_of(rounds[:2]).value, median_of(rounds[:2]).interval) == (20, 1)


def test_a_regression_beside_a_limit_asks_for_a_finer_rate():
    """A comparison wants six sigmas of what it is to see, and no more than 40 000 samples of the functions."""
    assert rate_for([budget(limit={"max": "10MB", "regression": "5%"})]) == 512
    assert rate_for([budget(limit={"max": "10MB", "regression": "50%"})]) == 8192
    assert rate_for([budget(limit={"max": "10MB", "regression": "0%"})]) == 128
    assert rate_for([budget(limit={"regression": "5%"})]) == 4096


def test_a_figure_of_a_round_has_a_name_of_its_own():
    """Sample type, glob and cum tell figures apart, each with its interval; all else is none of them."""
    both = [FunctionValue("alloc_space", "main.Map[*]", cum, 10, 2, 8192, 1) for cum in (False, True)]
    figures = figures_of(both)
    assert figures == {
        "alloc_space[main.Map[*]]": 10,
        "alloc_space[main.Map[*]] interval": 2,
        "alloc_space[main.Map[*]] cum": 10,
        "alloc_space[main.Map[*]] cum interval": 2,
    }
    assert [figure_metric(name, ()) is not None for name in figures] == [True, False, True, False]
    assert [figure_unit(name) for name in figures] == [BYTES] * 4
    assert figure_unit("inuse_objects[main.*]") is COUNT
    others = ("live_heap", "live_heap[main.*]", "alloc_space", "alloc_space[]")
    assert not any(figure_unit(name) for name in others)
