"""Owns how accepted limits are shown: each with its reason, and those that have nothing left to accept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_gomem.base.printable import printable
from pytest_gomem.config.accepted import Acceptance
from pytest_gomem.judge.verdict import Accepted
from pytest_gomem.report.text import Line, budget_name, limit_text, wrapped
from pytest_gomem.results.run_record import TestRecord


def accepted_text(accepted: Accepted) -> str:
    """Up to how much, until when, by whom and why."""
    what = f"accepted up to {accepted.amount}" if accepted.amount else "muted"
    return printable(f"{what} until {accepted.expires} by {accepted.owner}: {accepted.reason}")


def accepted_lines(tests: Sequence[TestRecord], width: int) -> Iterator[Line]:
    """A line for each limit that is broken and accepted; no line is wider than `width` cells."""
    for test in tests:
        for window in test.windows:
            for verdict in window.verdicts:
                if verdict.accepted:
                    what = f"{printable(test.nodeid)}: {budget_name(verdict)} {limit_text(verdict)}"
                    text = f"{what} is {accepted_text(verdict.accepted)}"
                    yield from ((line, "yellow") for line in wrapped(text, width, "  "))


def vanished_lines(vanished: Sequence[tuple[Acceptance, str]], width: int, strict: bool) -> Iterator[Line]:
    """What is to be removed from gomem_accepted.yaml, and why."""
    for entry, why in vanished:
        end = "" if strict else "; an error under --gomem-strict"
        text = printable(f"{entry.place.file}:{entry.place.line}: {why}: remove the entry of '{entry.test}'{end}")
        yield from ((line, "red" if strict else "yellow") for line in wrapped(text, width, "  "))
