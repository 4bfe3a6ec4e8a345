"""Limits that a run broke, kept for `gomem accept`, and the lines about accepted ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import BYTES, UNITS, Unit, format_value
from pytest_gomem.config.accepted import Entry
from pytest_gomem.config.known_leaks import GOROUTINES
from pytest_gomem.judge.acceptances import excess, metric_of
from pytest_gomem.judge.known_leaks import FoundLeak
from pytest_gomem.judge.verdict import Accepted, Verdict
from pytest_gomem.report.text import Line, budget_name, limit_text, metric_unit, wrapped
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.stored import from_line, to_line
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import Status

ERROR_IF_STRICT = "; an error under --gomem-strict"
CACHE_KEY = "gomem/broken"
CACHE_FILE = Path(".pytest_cache/v") / CACHE_KEY


@dataclass(frozen=True)
class Broken:
    """A broken limit: its kind, and the excess as a share of it (None for a limit of 0) and in its unit.

    visible: the smallest change that stands out of the noise there, in the same unit; 0 if unknown.
    """

    nodeid: str
    metric: str
    kind: str
    share: float | None
    by: float
    unit: Unit
    visible: float = 0.0


def is_broken(verdict: Verdict) -> bool:
    """Whether a limit was broken, accepted or not."""
    return verdict.status is Status.FAIL or verdict.accepted is not None


def broken_tests(run: RunRecord) -> list[str]:
    """A JSON line for each test that broke a limit, with only what it broke."""
    return [
        to_line(replace(test, windows=tuple(map(_bare, test.windows))))
        for test in run.tests
        if any(is_broken(verdict) for window in test.windows for verdict in window.verdicts)
    ]


def _bare(window: WindowRecord) -> WindowRecord:
    verdicts = tuple(verdict for verdict in window.verdicts if is_broken(verdict))
    bare = WindowRecord(window.name, window.service, window.build, window.gc, window.ops, window.duration, ())
    return replace(bare, metrics=window.metrics, verdicts=verdicts)


def read_broken(path: Path = CACHE_FILE) -> tuple[TestRecord, ...]:
    """The tests of the last run that broke limits; raises ConfigError if none are kept."""
    try:
        return tuple(map(from_line, json.loads(path.read_bytes())))
    except OSError as error:
        hint = "run pytest first; or give --amount, or --report PATH of pytest --gomem-json=PATH"
        raise ConfigError(f"cannot be read: {error.strerror}", Place(str(path)), hint) from None
    except (RecursionError, TypeError, ValueError):
        raise ConfigError("is not what pytest keeps there: run pytest again", Place(str(path))) from None


def broken_limits(tests: tuple[TestRecord, ...]) -> Iterator[Broken]:
    """Every broken limit that has a figure."""
    for test in tests:
        for window in test.windows:
            for verdict in filter(is_broken, window.verdicts):
                by = excess(replace(verdict, status=Status.FAIL))
                if by is not None:
                    # A limit on regressions is itself a ratio.
                    unit = UNITS.get(metric_unit(window, verdict.budget.metric), verdict.limit.unit)
                    yield Broken(
                        test.nodeid, metric_of(verdict), verdict.kind, *by, unit, verdict.smallest_visible or 0.0
                    )


def accepted_text(accepted: Accepted) -> str:
    """How an acceptance is shown: up to how much, until when, by whom and why."""
    what = f"accepted up to {accepted.amount}" if accepted.amount else "muted"
    return printable(f"{what} until {accepted.expires} by {accepted.owner}: {accepted.reason}")


def accepted_lines(tests: Sequence[TestRecord], width: int) -> Iterator[Line]:
    """A line for each limit that is broken and accepted, of at most `width` cells."""
    for test in tests:
        for window in test.windows:
            for verdict in window.verdicts:
                if verdict.accepted:
                    what = f"{printable(test.nodeid)}: {budget_name(verdict)} {limit_text(verdict)}"
                    text = f"{what} is {accepted_text(verdict.accepted)}"
                    yield from ((line, "yellow") for line in wrapped(text, width, "  "))


def known_leak_lines(tests: Sequence[TestRecord], width: int) -> Iterator[Line]:
    """A line for each entry that accepts goroutines or holders of a window, of at most `width` cells."""
    for test in tests:
        for window in test.windows:
            for leak in window.known_leaks:
                if leak.count and not leak.is_over:
                    by = f"until {leak.expires} by {leak.owner}: {leak.reason}"
                    text = printable(f"{test.nodeid}: {known_leak_text(leak)}, accepted {by}")
                    yield from ((line, "yellow") for line in wrapped(text, width, "  "))


def known_leak_text(leak: FoundLeak) -> str:
    """Such as "12 leaked goroutines (created by main.serve)"."""
    if leak.kind == GOROUTINES:
        return f"{leak.count} leaked goroutine{'s' * (leak.count != 1)} ({leak.glob})"
    return f"{format_value(leak.retained, BYTES)} held by {leak.glob}"


def vanished_text(entry: Entry, why: str) -> str:
    """What to remove from gomem_accepted.yaml, and why."""
    return printable(f"{entry.place.file}:{entry.place.line}: {why}: remove the entry of '{entry.test}'")


def vanished_lines(vanished: Sequence[tuple[Entry, str]], width: int, strict: bool) -> Iterator[Line]:
    """Lines about entries to remove from gomem_accepted.yaml, and why."""
    for entry, why in vanished:
        text = vanished_text(entry, why) + ("" if strict else ERROR_IF_STRICT)
        yield from ((line, "red" if strict else "yellow") for line in wrapped(text, width, "  "))
