"""What the plugin adds through its own hooks: built-in metrics and sources, the JSON report, the history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_gomem.plugin.use import session_of

if TYPE_CHECKING:
    from pathlib import Path

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
    """Write --gomem-json=PATH and --gomem-history=PATH, and keep what `gomem accept` needs."""
    from pytest_gomem.config.fields import Mistakes

    settings, mistakes = session_of(config).settings, Mistakes()
    _remember_broken(run, config)
    with mistakes.kept():  # if one cannot be written, still write the other
        if settings.json:
            from pytest_gomem.report.json_report import write_json

            write_json(run, settings.json)
    with mistakes.kept():
        if settings.history:
            _add_to_history(run, settings.history, config)
    mistakes.raise_all()


def _add_to_history(run: RunRecord, path: Path, config: pytest.Config) -> None:
    from pytest_gomem.base import clock
    from pytest_gomem.git.repository import revision_of
    from pytest_gomem.history.entry import entries_of
    from pytest_gomem.history.file import append

    append(path, entries_of(run, revision_of(config.rootpath), clock.now()))


def _remember_broken(run: RunRecord, config: pytest.Config) -> None:
    """Keep broken limits in pytest's cache, unless -p no:cacheprovider is set or `gomem selftest` runs."""
    from pytest_gomem.instruments.injected_load import in_selftest
    from pytest_gomem.report.accepted import CACHE_KEY, broken_tests

    if in_selftest():
        return
    cache = getattr(config, "cache", None)
    broken = broken_tests(run)
    if cache is not None and broken:
        cache.set(CACHE_KEY, broken)
