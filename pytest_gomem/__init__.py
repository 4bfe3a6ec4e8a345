"""Memory-regression tests of Go services in pytest: all names that your tests and extensions need.

Each is imported when you first use it, so that `import pytest_gomem` costs nothing. Every deeper module is private.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from typing import Any

    from pytest import hookimpl as hookimpl  # noqa: PT013 - as every name here

    from pytest_gomem.base.errors import BudgetBroken as BudgetBroken
    from pytest_gomem.base.errors import BuildError as BuildError
    from pytest_gomem.base.errors import ConfigError as ConfigError
    from pytest_gomem.base.errors import ConfigErrors as ConfigErrors
    from pytest_gomem.base.errors import GomemError as GomemError
    from pytest_gomem.base.errors import LaunchError as LaunchError
    from pytest_gomem.base.errors import LoadError as LoadError
    from pytest_gomem.base.errors import MeasureError as MeasureError
    from pytest_gomem.base.errors import ObserveError as ObserveError
    from pytest_gomem.base.errors import Place as Place
    from pytest_gomem.base.errors import ServiceDied as ServiceDied
    from pytest_gomem.base.errors import ToolchainError as ToolchainError
    from pytest_gomem.base.unavailable import Unavailable as Unavailable
    from pytest_gomem.base.units import BYTES as BYTES
    from pytest_gomem.base.units import BYTES_PER_OP as BYTES_PER_OP
    from pytest_gomem.base.units import BYTES_PER_SECOND as BYTES_PER_SECOND
    from pytest_gomem.base.units import COUNT as COUNT
    from pytest_gomem.base.units import COUNT_PER_OP as COUNT_PER_OP
    from pytest_gomem.base.units import PER_SECOND as PER_SECOND
    from pytest_gomem.base.units import RATIO as RATIO
    from pytest_gomem.base.units import SECONDS as SECONDS
    from pytest_gomem.base.units import SECONDS_PER_OP as SECONDS_PER_OP
    from pytest_gomem.base.units import Quantity as Quantity
    from pytest_gomem.base.units import Unit as Unit
    from pytest_gomem.base.units import format_value as format_value
    from pytest_gomem.base.units import parse_quantity as parse_quantity
    from pytest_gomem.config.gc_settings import GcSettings as GcSettings
    from pytest_gomem.config.marker import Combination as Combination
    from pytest_gomem.judge.verdict import Verdict as Verdict
    from pytest_gomem.load.http_client import Response as Response
    from pytest_gomem.load.http_client import Stream as Stream
    from pytest_gomem.load.spec import LoadRecord as LoadRecord
    from pytest_gomem.measure.bill import Bill as Bill
    from pytest_gomem.measure.metric import Better as Better
    from pytest_gomem.measure.metric import Metric as Metric
    from pytest_gomem.measure.metric import Noise as Noise
    from pytest_gomem.measure.metric import Prior as Prior
    from pytest_gomem.measure.metric import Reading as Reading
    from pytest_gomem.measure.metric import metric as metric
    from pytest_gomem.measure.window import Window as Window
    from pytest_gomem.observe.records import QUANTITIES as QUANTITIES
    from pytest_gomem.observe.records import MemStats as MemStats
    from pytest_gomem.observe.records import Observed as Observed
    from pytest_gomem.observe.sources import Reader as Reader
    from pytest_gomem.observe.sources import Source as Source
    from pytest_gomem.observe.sources import Target as Target
    from pytest_gomem.report.json_report import report_schema as report_schema
    from pytest_gomem.results.run_record import RunRecord as RunRecord
    from pytest_gomem.results.run_record import TestRecord as TestRecord
    from pytest_gomem.results.window_record import MetricValue as MetricValue
    from pytest_gomem.results.window_record import PhaseRecord as PhaseRecord
    from pytest_gomem.results.window_record import WindowRecord as WindowRecord
    from pytest_gomem.retention.model import Holder as Holder
    from pytest_gomem.retention.model import Retention as Retention
    from pytest_gomem.scaffold.config_schema import config_schema as config_schema
    from pytest_gomem.session.execution_trace import Trace as Trace
    from pytest_gomem.session.gomem import Gomem as Gomem
    from pytest_gomem.session.gomem import Launchpad as Launchpad
    from pytest_gomem.session.measurement import Measurement as Measurement
    from pytest_gomem.session.service import Service as Service
    from pytest_gomem.stats.decision import Status as Status
    from pytest_gomem.tracing.model import TraceReport as TraceReport

_NAMES = {
    "pytest": "hookimpl",
    "pytest_gomem.base.errors": "BudgetBroken BuildError ConfigError ConfigErrors GomemError LaunchError LoadError"
    " MeasureError ObserveError Place ServiceDied ToolchainError",
    "pytest_gomem.base.unavailable": "Unavailable",
    "pytest_gomem.base.units": "BYTES BYTES_PER_OP BYTES_PER_SECOND COUNT COUNT_PER_OP PER_SECOND RATIO SECONDS"
    " SECONDS_PER_OP Quantity Unit format_value parse_quantity",
    "pytest_gomem.config.gc_settings": "GcSettings",
    "pytest_gomem.config.marker": "Combination",
    "pytest_gomem.judge.verdict": "Verdict",
    "pytest_gomem.load.http_client": "Response Stream",
    "pytest_gomem.load.spec": "LoadRecord",
    "pytest_gomem.measure.bill": "Bill",
    "pytest_gomem.measure.metric": "Better Metric Noise Prior Reading metric",
    "pytest_gomem.measure.window": "Window",
    "pytest_gomem.observe.records": "MemStats Observed QUANTITIES",
    "pytest_gomem.observe.sources": "Reader Source Target",
    "pytest_gomem.report.json_report": "report_schema",
    "pytest_gomem.results.run_record": "RunRecord TestRecord",
    "pytest_gomem.results.window_record": "MetricValue PhaseRecord WindowRecord",
    "pytest_gomem.retention.model": "Holder Retention",
    "pytest_gomem.scaffold.config_schema": "config_schema",
    "pytest_gomem.session.execution_trace": "Trace",
    "pytest_gomem.session.gomem": "Gomem Launchpad",
    "pytest_gomem.session.measurement": "Measurement",
    "pytest_gomem.session.service": "Service",
    "pytest_gomem.stats.decision": "Status",
    "pytest_gomem.tracing.model": "TraceReport",
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names.split()}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - the names are text


def __dir__() -> list[str]:
    return sorted(__all__)


if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for one that is there

    def __getattr__(name: str) -> Any:
        """Import the name from its home, once."""
        if name not in _HOMES:
            raise AttributeError(f"module 'pytest_gomem' has no attribute '{name}'")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value
