"""The hooks through which users extend the plugin; its own metrics and reporters arrive by the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_gomem.measure.metric import Metric
    from pytest_gomem.observe.sources import Source
    from pytest_gomem.results.run_record import RunRecord


@pytest.hookspec
def pytest_gomem_metrics() -> Sequence[Metric]:  # type: ignore[empty-body]
    """Metrics to add; called once, before gomem.yaml is read, so from a plugin or the rootdir's conftest.py.

    A metric computes its reading from a `measure.window.Window`; its name can then be used in budgets. One that
    raises costs only itself: it is unavailable with the error as its reason.
    """


@pytest.hookspec
def pytest_gomem_sources() -> Sequence[Source]:  # type: ignore[empty-body]
    """Sources to add; called once, before the first service is started.

    A source tells quantities of a process at a window's edges. Where several tell one quantity, metrics take the most
    trusted, and the others are compared with it.
    """


@pytest.hookspec
def pytest_gomem_report(run: RunRecord, config: pytest.Config) -> None:
    """Called once at the end of a run that measured something, in the controlling process under xdist.

    run: all measured tests with their windows, metrics and verdicts.
    """
