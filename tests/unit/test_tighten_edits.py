"""Tightened limits in the text of gomem.yaml and of test files: only numbers change, or the reason is told."""

from __future__ import annotations

import ast
import re

import pytest

from pytest_gomem.base.errors import Place
from pytest_gomem.config.gomem_yaml import load_config
from pytest_gomem.config.marker import parse_marker
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.tighten import python_edits, yaml_edits
from pytest_gomem.tighten.known_figures import Known
from pytest_gomem.tighten.new_limits import NewLimit, Reach, Tighter
from pytest_gomem.tighten.wording import difference, tighter_lines

UNITS = Registry(builtin_metrics()).units()
BY = Reach(Known("t.py::test_a", "api", "test", {}, None), 40e6, 8, 1e6)
BUDGETS = """\
# the budgets, kept by ops
budgets:
    defaults: {live_heap: 64MiB, threads: 50}   # two
    services:
        api:
            peak_rss: "<= 25 MB"  # quoted
            'goroutines': 200
            "prom:jobs_total{a='x'}": 50
            live_heap:
                warn: 60MB   # first
                max: '70MB'
    tests:
        "t.py::*": {heap_released: ">= 2MB", phases: {login: {live_heap: 5MB}}}
"""
HEAD = "version: 1\nservices: {api: {binary: ./x}}\n"


def tighter(budget) -> Tighter:
    """Every limit with a 9 before it, which is one of its own kind."""
    limits = {"max": budget.max, "min": budget.min, "warn": budget.warn}
    new = tuple(NewLimit(kind, old, f"9{old.written}") for kind, old in limits.items() if old is not None)
    return Tighter(budget, new, BY)


def changed(tmp_path, text: str) -> yaml_edits.Edited:
    path = tmp_path / "gomem.yaml"
    path.write_bytes(text.encode())
    table = load_config(path, UNITS).budgets
    every = [*table.defaults, *(b for named in (table.services, table.tests) for many in named.values() for b in many)]
    return yaml_edits.edited(text, [tighter(budget) for budget in every], str(path))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_only_numbers_change(tmp_path, ending, start):
    """Comments, quotes, blanks, order, line ends and the mark of the byte order stay."""
    text = start + (HEAD + BUDGETS).replace("\n", ending)
    found = changed(tmp_path, text)
    expected = re.sub(r"(64MiB|50(?=[}\s])|25 MB|200|60MB|70MB|2MB|5MB)", r"9\1", text)
    assert found.text == expected
    assert (len(found.done), found.undone) == (8, ())


@pytest.mark.parametrize(
    ("budgets", "why"),
    [
        ("{defaults: {live_heap: &a 64MiB, peak_rss: *a}}", "the value is shared by an anchor"),
        ("{defaults: &a {live_heap: 64MiB}, services: {api: *a}}", "the value is shared by an anchor"),
        ("{defaults: {live_heap: &a {max: 64MiB}, peak_rss: *a}}", "the value is shared by an anchor"),
        ("{defaults: {live_heap: &a 64MiB}}", "cannot be changed in place"),
        ("{defaults: {live_heap: !!str 64MiB}}", "cannot be changed in place"),
        ('{defaults: {live_heap: "\\x364MiB"}}', "cannot be changed in place"),
        ("{defaults: {live_heap: 0x40}}", "cannot be changed in place"),
        ("\n  defaults:\n    live_heap: >-\n      64MiB\n", "cannot be changed in place"),
    ],
)
def test_what_cannot_be_changed_in_place_is_left(tmp_path, budgets, why):
    """With the reason, and the text as it was."""
    text = f"{HEAD}budgets: {budgets}\n"
    found = changed(tmp_path, text)
    assert (found.text, found.done) == (text, ())
    assert all(why in reason for _, reason in found.undone)


def test_a_number_in_another_spelling(tmp_path):
    """1.50 is what was read as 1.5."""
    found = changed(tmp_path, f"{HEAD}budgets: {{defaults: {{allocs_per_op: 1.50, peak_rss: 5e3}}}}\n")
    assert found.text.endswith("{allocs_per_op: 91.5, peak_rss: 95000.0}}\n")


TESTS = """\
import pytest

LIMIT = "70MB"
shared = pytest.mark.gomem(peak_rss="25MB")
pytestmark = [pytest.mark.slow, pytest.mark.gomem(threads=50)]


@pytest.mark.gomem(live_heap="64MiB", peak_rss={"max": '80MB', "warn": "70MB"}, ops=3)  # ä
@pytest.mark.gomem(**{"prom:jobs_total": 5}, phases={"login": {"live_heap": "5MB"}})
def test_a(go_service): ...


@shared
def test_shared(go_service): ...


@pytest.mark.gomem(live_heap=LIMIT, peak_rss=64 * 1024, total_alloc="1" "0MB")
def test_computed(go_service): ...


@pytest.mark.gomem(live_heap="64MiB")
@pytest.mark.gomem(live_heap="64MiB")
def test_twice(go_service): ...


class TestB:
    pytestmark = pytest.mark.gomem(peak_rss="30MB")

    @pytest.mark.gomem(live_heap=">= 2MB")
    async def test_b(self, go_service): ...
"""


def in_python(nodeid: str, scope: str = "function", **limits: object) -> python_edits.Edited:
    budgets = parse_marker(limits, units=UNITS, scope=f"marker on {scope}", place=Place("t.py", 9, "x")).budgets
    return python_edits.edited(TESTS, [(tighter(budget), nodeid) for budget in budgets])


@pytest.mark.parametrize(
    ("nodeid", "scope", "limits", "line"),
    [
        ("t.py::test_a[x-1]", "function", {"live_heap": "64MiB"}, 'live_heap="964MiB"'),
        ("t.py::test_a", "function", {"peak_rss": {"max": "80MB", "warn": "70MB"}}, """'980MB', "warn": "970MB"}"""),
        ("t.py::test_a", "function", {"prom:jobs_total": 5}, '"prom:jobs_total": 95}'),
        ("t.py::test_a", "function", {"phases": {"login": {"live_heap": "5MB"}}}, '{"live_heap": "95MB"}'),
        ("t.py::test_a", "module", {"threads": 50}, "gomem(threads=950)"),
        ("t.py::TestB::test_b", "class", {"peak_rss": "30MB"}, 'gomem(peak_rss="930MB")'),
        ("t.py::TestB::test_b", "function", {"live_heap": ">= 2MB"}, 'live_heap=">= 92MB"'),
    ],
)
def test_a_literal_is_found_in_its_marker(nodeid, scope, limits, line):
    """On the function, its class or the module, also in a dict; all else stays."""
    found = in_python(nodeid, scope, **limits)
    assert (len(found.done), found.undone) == (1, ())
    assert line in found.text
    old, new = TESTS.splitlines(), found.text.splitlines()
    assert sum(one != other for one, other in zip(old, new, strict=True)) == 1
    ast.parse(found.text)


def test_a_byte_order_mark_stays():
    """Some editors of Windows write one; Python counts no column for it."""
    text = """\ufeffimport pytest; pytestmark = pytest.mark.gomem(threads=50)\r\ndef test_a(go_service): ...\r\n"""
    (budget,) = parse_marker(
        {"threads": 50}, units=UNITS, scope="marker on module", place=Place("t.py", 1, "x")
    ).budgets
    found = python_edits.edited(text, [(tighter(budget), "t.py::test_a")])
    assert found.text == text.replace("threads=50", "threads=950")


@pytest.mark.parametrize(
    ("nodeid", "limits", "why"),
    [
        ("t.py::test_shared", {"peak_rss": "25MB"}, "is not a literal of the marker"),
        ("t.py::test_computed", {"live_heap": "70MB"}, "is not a literal of the marker"),
        ("t.py::test_computed", {"peak_rss": 65536}, "is not a literal of the marker"),
        ("t.py::test_computed", {"total_alloc": "10MB"}, "is not a literal of the marker"),
        ("t.py::test_inherited", {"live_heap": "70MB"}, "is not a literal of the marker"),
        ("t.py::test_twice", {"live_heap": "64MiB"}, "several markers there have this limit"),
    ],
)
def test_what_a_test_computes_is_told(nodeid, limits, why):
    """Nothing is guessed."""
    found = in_python(nodeid, **limits)
    assert (found.text, found.done) == (TESTS, ())
    ((_, reason),) = found.undone
    assert why in reason


def test_the_difference_can_be_applied():
    """As git and patch take it, also of a file without a last line end; a form feed is no line end."""
    lines = list(difference("a b/t.py", "x\n\f1\ny", "x\n\f2\ny"))
    assert lines == [
        "--- a/a b/t.py",
        "+++ b/a b/t.py",
        "@@ -1,3 +1,3 @@",
        " x",
        "-\f1",
        "+\f2",
        " y",
        "\\ No newline at end of file",
    ]


def test_the_difference_keeps_what_a_source_file_holds():
    """Tabs, carriage returns and a byte order mark, or it could not be applied; a command to a terminal is escaped."""
    lines = list(
        difference("t.py", "\ufeffa\r\n\t1\r\n\x1b[2J\r\n::error::\n", "\ufeffa\r\n\t2\r\n\x1b[2J\r\n::error::\n")
    )
    assert lines[3:] == [" \ufeffa\r", "-\t1\r", "+\t2\r", " \\x1b[2J\\r", " \\::error::"]


def test_a_change_says_why(tmp_path):
    """What was measured, in how many rounds, and the smallest visible change."""
    (one,) = (done for done in changed(tmp_path, f"{HEAD}budgets: {{defaults: {{live_heap: 64MiB}}}}").done)
    where, why = tighter_lines(one)
    assert where.endswith("gomem.yaml:3 budgets.defaults.live_heap: max 64MiB -> 964MiB")
    assert why == "  t.py::test_a / api/test: 40.0 MB at worst in 8 rounds, smallest visible change 1.00 MB"
