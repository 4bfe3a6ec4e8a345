"""Owns a test's JUnit properties: its metrics as name and value, for tools that chart what a CI server keeps."""

from __future__ import annotations

from pytest_gomem.measure.metric import Reading
from pytest_gomem.printable import printable
from pytest_gomem.report.model import TestRecord
from pytest_gomem.report.text import readings, window_labels


def properties(test: TestRecord) -> list[tuple[str, str]]:
    """Pairs such as ("gomem.peak_rss", "12345678"); with several windows ("gomem.steady.peak_rss", ...).

    Values are plain decimals in base units: bytes, seconds, ratios (0.1 is 10%), counts, and those per second or per
    operation. A metric that was not measured is ("gomem.peak_rss.unavailable", reason): no number stands in for it.
    """
    found = []
    for label, window in zip(window_labels(test), test.windows, strict=True):
        prefix = f"gomem.{label}." if label else "gomem."
        for metric, result in readings(window).items():
            name = printable(prefix + metric)
            if isinstance(result, Reading):
                found.append((name, _decimal(result.value)))
            else:
                found.append((f"{name}.unavailable", printable(result.reason)))
    return found


def _decimal(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
