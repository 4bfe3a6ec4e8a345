"""Owns what the plugin itself brings by its own hooks: the built-in metrics and the JSON report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_gomem.options import said

if TYPE_CHECKING:
    from pytest_gomem.measure.metric import Metric
    from pytest_gomem.report.model import RunRecord


@pytest.hookimpl(tryfirst=True)
def pytest_gomem_metrics() -> Sequence[Metric]:
    """The metrics of docs/metrics.md."""
    from pytest_gomem.measure.registry import builtin_metrics

    return builtin_metrics()


@pytest.hookimpl
def pytest_gomem_report(run: RunRecord, config: pytest.Config) -> None:
    """--gomem-json=PATH."""
    path = said(config)["json"]
    if path:
        from pytest_gomem.report.json_report import write_json

        write_json(run, Path(str(path)))
