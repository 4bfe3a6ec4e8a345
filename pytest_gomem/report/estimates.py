"""What a pass of an estimate is worth: the note of each passing limit on one, which has its bound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_gomem.base.printable import printable
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Reading
from pytest_gomem.report.text import readings
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import Status


def estimate_lines(name: str, window: WindowRecord) -> Iterator[str]:
    """Such as "test_soak: heap_growth_per_op: no growth above 12.0 B/op can be told from these 20 cycles"."""
    results = readings(window)
    for metric in dict.fromkeys(_passing(window.verdicts)):
        result = results.get(metric)
        if isinstance(result, Reading) and result.interval is not None and result.note:
            yield printable(f"{name}: {metric}: {result.note}")


def _passing(verdicts: Iterable[Verdict]) -> Iterator[str]:
    return (verdict.budget.metric for verdict in verdicts if verdict.status is Status.PASS)
