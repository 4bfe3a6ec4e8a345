"""The table of a selftest: no figure is ever cut, however long the names of the tests are."""

from __future__ import annotations

from pytest_gomem.commands.selftest import table_lines
from pytest_gomem.measure.registry import builtin_metrics
from pytest_gomem.selftest.gate import GateResult

METRICS = {metric.name: metric for metric in builtin_metrics()}
LONG = "tests/memory/test_catalog.py::TestImportOfManyItems::test_list_of_all[start=5000]"


def result(nodeid: str, metric: str, level: float, window: str = "test") -> GateResult:
    return GateResult(nodeid, window, METRICS[metric], level, level / 100, 0.05, True, "", ())


def test_figures_stand_below_the_name_of_their_test_where_both_have_no_room():
    """On a wide terminal one line holds both; the name is told once for all its metrics."""
    found = [
        result(LONG, "live_heap", 5.22e6),
        result(LONG, "alloc_bytes_per_op", 2854.0),
        result(LONG, "live_heap", 6.22e6, "late"),
    ]
    assert table_lines(found, 0.05, 80) == [
        "  metric                   level            sees  at +5%",
        LONG.replace("tests/memory/", ""),
        "  live_heap              5.22 MB    52.2 kB (1%)  rang (+5.0%)",
        "  alloc_bytes_per_op  2.85 kB/op  28.5 B/op (1%)  rang (+5.0%)",
        LONG.replace("tests/memory/", "") + " / late",
        "  live_heap              6.22 MB    62.2 kB (1%)  rang (+5.0%)",
    ]
    wide = table_lines(found, 0.05, 120)
    assert wide[0].split() == ["test", "metric", "level", "sees", "at", "+5%"]
    assert [line.split()[-7:-5] for line in wide[1:]] == [["5.22", "MB"], ["2.85", "kB/op"], ["6.22", "MB"]]
