"""The tables of the whole run for the page: what was compared, and the GC settings of a matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pytest_gomem.base.printable import printable
from pytest_gomem.report import matrix
from pytest_gomem.report.comparison import HEAD, cells, compared_rows, is_calm
from pytest_gomem.report.text import window_labels
from pytest_gomem.results.run_record import TestRecord

Json = dict[str, Any]


def comparison_of(test: TestRecord) -> Iterator[Json]:
    """A row for each compared metric of the test, the worse ones first; calm: it needs no attention."""
    for label, window in zip(window_labels(test), test.windows, strict=True):
        for row in compared_rows("", window) if window.base else ():
            yield {
                "window": printable(label),
                "cells": cells(row),
                "status": row.verdict.status.value,
                "calm": is_calm(row.verdict),
                "why": printable(row.verdict.reason),
            }
        if window.no_base:
            yield {
                "window": printable(label),
                "cells": [],
                "status": "",
                "calm": False,
                "why": printable(window.no_base),
            }


def columns_compared() -> Sequence[str]:
    """The heads of the cells of `comparison_of`."""
    return HEAD[1:]


def matrices_of(tests: Sequence[TestRecord]) -> list[Json]:
    """A table for each test that ran under two or more combinations of settings."""
    found = []
    for title, rows in matrix.groups_of(tests).items():
        if len(rows) < 2:
            continue
        settings = list(dict.fromkeys(key for row in rows for key in row.settings))
        names = [name for name in matrix.METRICS if any(name in row.values for row in rows)]
        best = {name: matrix.best_text(rows, name) for name in names}
        found.append(
            {
                "title": printable(title),
                "by": matrix.by_what(rows),
                "settings": [printable(key) for key in settings],
                "metrics": names,
                "rows": [_matrix_row(row, settings, best) for row in rows],
                "remarks": list(matrix.remarks(rows)),
            }
        )
    return found


def _matrix_row(row: matrix.Row, settings: Sequence[str], best: dict[str, str]) -> Json:
    texts = [row.texts.get(name, "") for name in best]
    return {
        "settings": [printable(row.settings.get(key, "-")) for key in settings],
        "texts": texts,
        "best": [row.complete and text != "" and text == best[name] for name, text in zip(best, texts, strict=True)],
        "complete": row.complete,
    }
