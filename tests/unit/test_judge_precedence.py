"""Which budget applies: closest marker, then globs by literal prefix, then service, then defaults, per metric."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.errors import ConfigErrors, Place
from pytest_gomem.base.names import means_test
from pytest_gomem.base.units import BYTES, parse_quantity
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.precedence import resolve, unmatched

NODEID = "tests/test_mem.py::test_upload"


@dataclass(frozen=True)
class Table:
    defaults: Sequence[Budget] = ()
    services: Mapping[str, Sequence[Budget]] = field(default_factory=dict)
    tests: Mapping[str, Sequence[Budget]] = field(default_factory=dict)


def budget(scope: str, metric: str = "peak_rss", function: str = "", line: int = 1, regression: bool = False) -> Budget:
    limit = parse_quantity(1, BYTES)
    return Budget(metric, limit, None, None, limit if regression else None, function, scope, Place("gomem.yaml", line))


FUNCTION, CLASS, MODULE = ((budget(f"marker on {where}"),) for where in ("function", "class", "module"))
LAYERS = (
    ("marker on function", {"markers": [FUNCTION, CLASS, MODULE]}),
    ("marker on class", {"markers": [(), CLASS, MODULE]}),
    ("marker on module", {"markers": [(), (), MODULE]}),
    ("long glob", {"tests": {"tests/*": (budget("short glob"),), "tests/test_mem*": (budget("long glob"),)}}),
    ("short glob", {"tests": {"tests/*": (budget("short glob"),)}}),
    ("service", {"services": {"api": (budget("service"),), "other": (budget("other"),)}}),
    ("default", {"defaults": (budget("default"),)}),
)


@pytest.mark.parametrize("rank", range(len(LAYERS)), ids=[name for name, _ in LAYERS])
def test_the_highest_rank_present_decides(rank):
    """Of a layer and all layers below it, the layer itself decides."""
    facts: dict = {}
    for _, layer in reversed(LAYERS[rank:]):
        facts.update(layer)
    markers = facts.pop("markers", ())
    (chosen,) = resolve(NODEID, "api", markers, Table(**facts))
    assert chosen.scope == LAYERS[rank][0]


def test_merging_is_per_metric_and_replaces_the_whole_budget():
    """Another metric's default stays, and no limit of the outranked budget survives."""
    table = Table(defaults=(budget("default", regression=True), budget("default", "gc_cpu")))
    by_metric = {one.metric: one for one in resolve(NODEID, "api", [FUNCTION], table)}
    assert by_metric["peak_rss"].scope == "marker on function"
    assert by_metric["peak_rss"].regression is None
    assert by_metric["gc_cpu"].scope == "default"


def test_budgets_on_functions_are_merged_per_function_glob():
    """Different function globs stand side by side; the same glob is outranked."""
    table = Table(
        defaults=(budget("default", "alloc_space", "main.a*"), budget("default", "alloc_space", "main.b*")),
        tests={"*": (budget("glob", "alloc_space", "main.a*"),)},
    )
    scopes = {one.function: one.scope for one in resolve(NODEID, "api", (), table)}
    assert scopes == {"main.a*": "glob", "main.b*": "default"}


@pytest.mark.parametrize("order", [1, -1], ids=["in order", "reversed"])
def test_equal_globs_are_an_error_that_names_both_places(order):
    """Two globs of equal rank for one metric: file and line of both, and what to do, however the file is ordered."""
    globs = [("tests/*", (budget("a", line=3),)), ("tests/*upload", (budget("b", line=9),))]
    with pytest.raises(ConfigErrors) as caught:
        resolve(NODEID, "api", (), Table(tests=dict(globs[::order])))
    words = str(caught.value)
    assert "'tests/*' (gomem.yaml:3) and 'tests/*upload' (gomem.yaml:9)" in words
    assert "longer" in words


def test_all_ties_are_reported_at_once():
    """A tie on each of two metrics gives two errors."""
    both = (budget("x"), budget("x", "gc_cpu"))
    with pytest.raises(ConfigErrors) as caught:
        resolve(NODEID, "api", (), Table(tests={"tests/*": both, "tests/?*": both}))
    assert len(caught.value.errors) == 2


def test_tie_that_decides_nothing_is_no_error():
    """A marker, or a longer glob, makes an equal rank below it harmless."""
    tied = {"tests/*": (budget("a"),), "tests/*upload": (budget("b"),)}
    assert resolve(NODEID, "api", [FUNCTION], Table(tests=tied))[0].scope == "marker on function"
    longer = {**tied, "tests/test_mem*": (budget("long"),)}
    assert resolve(NODEID, "api", (), Table(tests=longer))[0].scope == "long"


def test_equal_globs_for_different_metrics_are_fine():
    """Equal rank matters per metric only."""
    table = Table(tests={"tests/*": (budget("a"),), "tests/*upload": (budget("b", "gc_cpu"),)})
    assert {one.scope for one in resolve(NODEID, "api", (), table)} == {"a", "b"}


@pytest.mark.parametrize(
    ("glob", "nodeid", "applied"),
    [
        ("tests/test_mem.py::test_upload*", "tests/test_mem.py::test_upload[a-1]", True),
        ("tests/test_mem.py::test_upload", "tests/test_mem.py::test_upload[a-1]", True),
        ("tests/test_mem.py::test_upload[a-1]", "tests/test_mem.py::test_upload[a-1]", True),
        ("tests/test_mem.py::test_upload[a-1]", "tests/test_mem.py::test_upload[a-2]", False),
        ("tests/test_mem.py::test_upload[a-1]", "tests/test_mem.py::test_uploada", False),
        ("tests/test_mem.py::test_up", "tests/test_mem.py::test_upload", False),
        ("a.py::test_x", "a.py::test_x[b::c[0]]", True),
        ("tests/[old]/a.py::test_x", "tests/[old]/a.py::test_x[1]", True),
        ("tests/", "tests/[old]/a.py::test_x[1]", False),
        ("a.py::TestC::test_x", "a.py::TestC::test_x[1]", True),
    ],
)
def test_glob_means_the_whole_id_or_the_id_without_parameters(glob, nodeid, applied):
    """A glob without parameters means all combinations; brackets are no special characters."""
    assert means_test(glob, nodeid) is applied


def test_unmatched_globs_are_named_with_their_places():
    """A glob that means no collected test is reported, a used one is not."""
    table = Table(tests={"gone*": (budget("a", line=7),), "tests/*": (budget("b"),), "empty*": ()})
    assert unmatched(table, [NODEID]) == [("gone*", Place("gomem.yaml", 7)), ("empty*", Place())]


GLOBS = st.sampled_from(["*", "tests/*", "tests/*upload", "tests/test_mem*", NODEID, "other*", "t?sts*", "**"])
METRICS = st.sampled_from(["peak_rss", "gc_cpu", "live_heap"])
BUDGETS = st.lists(METRICS, max_size=3, unique=True)


def outcome(markers, table):
    try:
        return resolve(NODEID, "api", markers, table)
    except ConfigErrors as ties:
        return sorted(str(tie) for tie in ties.errors)


@given(
    st.lists(BUDGETS, max_size=3), st.dictionaries(GLOBS, BUDGETS, max_size=6), BUDGETS, BUDGETS, st.randoms()
)  # fmt: skip
def test_rank_is_total_and_does_not_depend_on_order(markers, tests, service, defaults, shuffle: random.Random):
    """Each metric named anywhere that applies gets exactly one budget or one error, however the file is ordered."""
    layers = [[budget(f"marker {at}", name) for name in names] for at, names in enumerate(markers)]
    globs = {glob: [budget(glob, name) for name in names] for glob, names in tests.items()}
    table = Table([budget("default", n) for n in defaults], {"api": [budget("service", n) for n in service]}, globs)

    items = [(glob, shuffle.sample(budgets, len(budgets))) for glob, budgets in globs.items()]
    shuffle.shuffle(items)
    mixed = Table(shuffle.sample(table.defaults, len(table.defaults)), table.services, dict(items))
    result = outcome(layers, table)
    assert outcome(layers, mixed) == result

    if isinstance(result, tuple):
        applying = [names for glob, names in tests.items() if means_test(glob, NODEID)]
        named = {name for names in (*markers, *applying, service, defaults) for name in names}
        assert [one.metric for one in result] == sorted(named)
