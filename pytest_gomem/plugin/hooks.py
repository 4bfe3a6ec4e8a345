"""The pytest hooks: each calls the core and turns its errors into pytest's."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_gomem.plugin.fixtures import (  # noqa: F401 - pytest finds fixtures by their names here
    go_service,
    go_service_session,
    gomem,
    gomem_gc,
    gomem_service_options,
    gomem_session,
    gomem_session_options,
)
from pytest_gomem.plugin.options import add_options
from pytest_gomem.plugin.use import begun, is_measured, is_used_by_run, session_of

_MARKERS = (
    "gomem(service=None, ops=None, rounds=None, diagnose=True, ignore_goroutines=(), **budgets): measure this test's "
    'service and judge the budgets, such as peak_rss="1.8GB"',
    'gomem_gc(gogc=[25, 100], gomemlimit=["off", "1GiB"], ...): run the test under each combination of GC settings',
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The table of options."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """The hooks of users."""
    from pytest_gomem.plugin import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Check options and gomem.yaml before any test is collected."""
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    if is_used_by_run(config):
        session_of(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End all processes and remove the run's folder."""
    if ours := begun(config):
        ours.close()


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """--gomem-metrics."""
    if not config.getoption("gomem_metrics"):
        return None
    from pytest_gomem.report.metrics_list import metric_lines, own_metric_lines

    config._do_configure()
    print("\n".join([*metric_lines(tuple(session_of(config).registry)), *own_metric_lines()]))
    return 0


def pytest_report_header(config: pytest.Config) -> str | None:
    """Which Go, and which services."""
    ours = begun(config)
    return ours.header() if ours else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """gomem_gc as parametrization."""
    if metafunc.definition.get_closest_marker("gomem_gc"):
        session_of(metafunc.config).planning.parametrize(metafunc)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Check the markers of all selected tests before any of them runs."""
    if begun(session.config) or any(map(is_measured, items)):
        session_of(session.config).planning.plan(session, items)


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> None:
    """When pytest-timeout will end the test: a diagnosis must fit before that."""
    if begun(item.config):
        from pytest_gomem.plugin.diagnosing import note_deadline

        note_deadline(item, settings.timeout)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """The test body is the window of its service, once for each round."""
    ours = begun(item.config)
    return (yield from ours.measuring.call(item)) if ours else (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Tear down what an observed round has set up; pytest does the rest."""
    if ours := begun(item.config):
        ours.measuring.before_teardown(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the record of a measured test to its report, which takes it to the controlling process."""
    ours = begun(item.config)
    return (yield from ours.measuring.report(item, call)) if ours else (yield)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the reports; failures of the run as a whole change its exit status."""
    if ours := begun(session.config):
        status = ours.reporting.finish(session)
        session.exitstatus = session.exitstatus or status


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Under xdist: give all workers one run folder, so that a service is built once."""
    node.workerinput.update(session_of(node.config).for_workers())
