"""Owns whether a test ran to its end, so that its figures are of the whole work and its verdicts are all there."""

from __future__ import annotations

from pytest_gomem.judge.decide import failed
from pytest_gomem.results.run_record import TestRecord


def ran_to_its_end(test: TestRecord) -> bool:
    """A test fails for its budgets too, and its figures are whole then; failed otherwise, it broke off somewhere."""
    judged = any(failed(window.verdicts) for window in test.windows)
    return test.outcome == "passed" or judged
