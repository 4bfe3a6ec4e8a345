"""Owns whether a test ran to its end, so that its figures are of the whole work and its verdicts are all there."""

from __future__ import annotations

from pytest_gomem.report.model import TestRecord
from pytest_gomem.report.text import BROKEN


def ran_to_its_end(test: TestRecord) -> bool:
    """A test fails for its budgets too, and its figures are whole then; failed otherwise, it broke off somewhere."""
    judged = any(verdict.status in BROKEN for window in test.windows for verdict in window.verdicts)
    return test.outcome == "passed" or judged
