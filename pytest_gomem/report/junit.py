"""A test's JUnit properties: its key metrics by name and value, for tools that chart what a CI server keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_gomem.base.printable import printable
from pytest_gomem.measure.metric import Reading
from pytest_gomem.report.failure_details import KEY_METRICS
from pytest_gomem.report.text import readings, window_labels
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import WindowRecord

Property = tuple[str, str]


def properties(test: TestRecord) -> list[Property]:
    """Pairs such as ("gomem.peak_rss", "12345678"); with several windows ("gomem.steady.peak_rss", ...).

    Of the key metrics, and of those that a limit of the window judges; of functions and types as
    "gomem.objects[*main.Session]". Values are plain decimals in base units: bytes,
    seconds, ratios (0.1 is 10%), counts, and those per second or per operation. A metric that was not measured is
    ("gomem.peak_rss.unavailable", reason): no number stands in for it.
    """
    found = []
    for label, window in zip(window_labels(test), test.windows, strict=True):
        prefix = f"gomem.{label}." if label else "gomem."
        wanted = _key_metrics(window)
        for metric, result in readings(window).items():
            if metric not in wanted:
                continue
            name = printable(prefix + metric)
            if isinstance(result, Reading):
                found.append((name, _decimal(result.value)))
            else:
                found.append((f"{name}.unavailable", printable(result.reason)))
        found += [(printable(prefix + value.asked.name), _decimal(value.value)) for value in window.counted]
    return found


def suite_properties(tests: Iterable[TestRecord]) -> Iterator[Property]:
    """The same of all tests, for the whole suite: ("test_it.py::test_logs::gomem.peak_rss", "12345678")."""
    for test in tests:
        yield from ((f"{printable(test.nodeid)}::{name}", value) for name, value in properties(test))


def _key_metrics(window: WindowRecord) -> set[str]:
    judged = {verdict.budget.metric for verdict in window.verdicts}
    return judged.union(*(names for _, names in KEY_METRICS))


def _decimal(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
