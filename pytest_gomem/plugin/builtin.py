"""What the plugin adds through its own hooks: built-in metrics and sources, and the reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_gomem.plugin.use import session_of

if TYPE_CHECKING:
    from pytest_gomem.measure.metric import Metric
    from pytest_gomem.observe.sources import Source
    from pytest_gomem.results.run_record import RunRecord


@pytest.hookimpl(tryfirst=True)
def pytest_gomem_metrics() -> Sequence[Metric]:
    """The metrics of docs/metrics.md."""
    from pytest_gomem.measure.registry import builtin_metrics

    return builtin_metrics()


@pytest.hookimpl(tryfirst=True)
def pytest_gomem_sources() -> Sequence[Source]:
    """Agent, gctrace, MemStats by pprof, expvar, Prometheus."""
    from pytest_gomem.observe.sources import SOURCES

    return SOURCES


@pytest.hookimpl
def pytest_gomem_report(run: RunRecord, config: pytest.Config) -> None:
    """Write what the options ask for."""
    from pytest_gomem.plugin.reporters import write_reports

    write_reports(run, session_of(config))
