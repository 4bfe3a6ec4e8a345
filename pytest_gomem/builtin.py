"""Owns what the plugin itself brings by its own hooks: built-in metrics and sources, the JSON report, the history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_gomem.options import said

if TYPE_CHECKING:
    from pytest_gomem.measure.metric import Metric
    from pytest_gomem.observe.source import Source
    from pytest_gomem.report.model import RunRecord


@pytest.hookimpl(tryfirst=True)
def pytest_gomem_metrics() -> Sequence[Metric]:
    """The metrics of docs/metrics.md."""
    from pytest_gomem.measure.registry import builtin_metrics

    return builtin_metrics()


@pytest.hookimpl(tryfirst=True)
def pytest_gomem_sources() -> Sequence[Source]:
    """Agent, gctrace, MemStats by pprof, expvar, Prometheus."""
    from pytest_gomem.observe.builtin_sources import SOURCES

    return SOURCES


@pytest.hookimpl
def pytest_gomem_report(run: RunRecord, config: pytest.Config) -> None:
    """--gomem-json=PATH and --gomem-history=PATH."""
    options = said(config)
    if options["json"]:
        from pytest_gomem.report.json_report import write_json

        write_json(run, Path(str(options["json"])))
    if options["history"]:
        from pytest_gomem import clock
        from pytest_gomem.report.history.entry import entries_of
        from pytest_gomem.report.history.file import append
        from pytest_gomem.revision import revision_of

        append(Path(str(options["history"])), entries_of(run, revision_of(config.rootpath), clock.now()))
