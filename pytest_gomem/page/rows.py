"""The list of tests: how each came out, its tightest limit, and its key figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_gomem.base.printable import printable
from pytest_gomem.judge.decide import FAILING
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Reading
from pytest_gomem.report.terminal import COLUMNS, culprit_place, standing, tightest
from pytest_gomem.report.text import budget_name, known, limit_text, readings, value_text
from pytest_gomem.results.keys import FINE
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import Status

Json = dict[str, Any]
_WORST = -1e9  # of a limit of 0, which is missed by no share


def row_of(test: TestRecord) -> Json:
    """The figures of the window with the tightest limit; those of the first window if there is no limit."""
    window = _tightest_window(test.windows)
    row: Json = {"id": printable(test.nodeid), "status": status_of(test), "outcome": printable(test.outcome)}
    if window is None:
        return {**row, "windows": 0, "figures": {}}
    verdict = tightest(window.verdicts)
    return {
        **row,
        "windows": len(test.windows),
        "of": printable(window.name) if len(test.windows) > 1 else "",
        "limit": limit_of(verdict) if verdict else None,
        "culprit": printable(culprit_place(window)),
        "figures": _figures(window),
    }


def status_of(test: TestRecord) -> str:
    """What needs most attention: failed, warned, noisy, passed, or skipped.

    As elsewhere, a broken limit that fails no test is a warning, and a test that is expected to fail is a skipped one.
    """
    statuses = {verdict.status for window in test.windows for verdict in window.verdicts}
    if test.outcome not in FINE:
        return "failed"
    if test.outcome == "xfailed":
        return "skipped"
    if not statuses.isdisjoint((*FAILING, Status.WARN)):
        return "warned"
    if Status.NOISY in statuses:
        return "noisy"
    return "skipped" if test.outcome == "skipped" else "passed"


def limit_of(verdict: Verdict) -> Json:
    """A verdict beside its limit. used: of the limit, as a ratio; room: what is left, negative if it is broken."""
    over, left = known(verdict.over), known(verdict.headroom)
    used = 1 + over if over is not None else 1 - left if left is not None else None
    room = None if used is None else _rounded(1 - used)
    if room is None and verdict.status in FAILING:
        room = _WORST if verdict.status is Status.FAIL else 0.0
    return {
        "name": budget_name(verdict),
        "limit": limit_text(verdict),
        "standing": standing(verdict),
        "status": verdict.status.value,
        "used": None if used is None else _rounded(used),
        "room": room,
    }


def counts(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many tests have each status."""
    found = dict.fromkeys(("failed", "warned", "noisy", "passed", "skipped"), 0)
    for row in rows:
        found[row["status"]] += 1
    return found


def _tightest_window(windows: Sequence[WindowRecord]) -> WindowRecord | None:
    limits = {id(verdict): window for window in windows for verdict in window.verdicts}
    first = tightest([verdict for window in windows for verdict in window.verdicts])
    return limits[id(first)] if first else next(iter(windows), None)


def _figures(window: WindowRecord) -> dict[str, tuple[float, str]]:
    """The value and the text of each key metric that was measured."""
    found, units = readings(window), {metric.name: metric.unit for metric in window.metrics}
    return {
        name: (_rounded(result.value), value_text(result.value, units[name]).removesuffix("/op"))
        for name in COLUMNS
        if isinstance(result := found.get(name), Reading)
    }


def _rounded(value: float) -> float:
    """Five digits, which are enough to sort by and to draw."""
    rounded = float(f"{value:.5g}")
    if not math.isfinite(rounded):  # of the largest numbers that there are
        return value
    return int(rounded) if rounded.is_integer() else rounded
