"""The text of a test of a report: its failures as the run printed them, or how its limits stand."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_gomem.base.printable import printable
from pytest_gomem.judge.decide import FAILING
from pytest_gomem.report.failure import DEFAULTS, TextOptions, failure_texts
from pytest_gomem.report.failure_details import WIDTH, log_lines, note_lines
from pytest_gomem.report.terminal import standing
from pytest_gomem.report.text import budget_name, columns, limit_text, metric_unit, value_text, wrapped
from pytest_gomem.results.keys import FINE
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import WindowRecord


def has_failed(test: TestRecord) -> bool:
    """Whether a test failed, has no result, or broke a limit that was only reported."""
    broken = (verdict.status in FAILING for window in test.windows for verdict in window.verdicts)
    return test.outcome not in FINE or any(broken)


def text_of(test: TestRecord, options: TextOptions = DEFAULTS) -> str:
    """The failures of a test; without any its outcome, and each verdict with the room that is left."""
    texts = [text for _, text in failure_texts(test.windows, test.nodeid, options)]
    return "\n\n".join(texts or ["\n".join(_calm_lines(test))])


def headline_of(test: TestRecord) -> str:
    """What is wrong with a test that failed or has no result, in one line."""
    first, *others = [headline for headline, _ in failure_texts(test.windows, test.nodeid)] or [_without_limit(test)]
    return first + (f"; {len(others)} more failure{'s' * (len(others) > 1)}" if others else "")


def _without_limit(test: TestRecord) -> str:
    return printable(test.reason) or "no limit is broken: pytest shows its error"


def _calm_lines(test: TestRecord) -> Iterator[str]:
    why = "" if test.outcome in FINE else _without_limit(test)
    yield printable(f"{test.nodeid}: {test.outcome}") + (f", {why}" if why else "")
    for window in test.windows:
        yield printable(f"  window '{window.name}' of {window.service}, {window.duration:.1f} s")
        yield from (f"    {line}" for line in columns(list(standings(window)), right=[1]))
        if window.no_base:
            yield from wrapped(f"not compared: {window.no_base}", WIDTH, "    ")
        if test.outcome not in FINE:
            yield from note_lines(window.notes)
            yield from log_lines(window.log_tail, whole=False)


def standings(window: WindowRecord) -> Iterator[tuple[str, ...]]:
    """For each verdict its metric, what was measured, the limit, and where it stands."""
    for verdict in window.verdicts:
        unit = metric_unit(window, verdict.budget.metric, verdict.limit.unit.name)
        value = "-" if verdict.actual is None else value_text(verdict.actual, unit)
        yield budget_name(verdict), value, limit_text(verdict), standing(verdict)
