"""The pytest hooks: each reads what pytest says, calls the core, and turns its errors into pytest's."""

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
from pytest_gomem.plugin.stash import begun, edge_of
from pytest_gomem.plugin.use import is_measured, is_used_by_run

_MARKERS = (
    "gomem(service=None, ops=None, rounds=None, **budgets): measure this test's service and judge the budgets, "
    'such as peak_rss="1.8GB"',
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
    """Judge options and gomem.yaml before any test is collected."""
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    if is_used_by_run(config):
        edge_of(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave no process and no folder behind."""
    if edge := begun(config):
        edge.close()


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """--gomem-metrics."""
    if not config.getoption("gomem_metrics"):
        return None
    config._do_configure()
    return edge_of(config).print_metrics()


def pytest_report_header(config: pytest.Config) -> str | None:
    """Which Go, and which services."""
    edge = begun(config)
    return edge.header() if edge else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """gomem_gc as parametrization."""
    if metafunc.definition.get_closest_marker("gomem_gc"):
        edge_of(metafunc.config).parametrize(metafunc)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Judge the markers of all selected tests before any of them runs."""
    if begun(session.config) or any(map(is_measured, items)):
        edge_of(session.config).plan(session, items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """The test body is the window of its service, once for each round."""
    edge = begun(item.config)
    measured = edge.measured(item) if edge else None
    if measured is None:
        return (yield)
    from pytest_gomem.plugin import rounds

    return (yield from rounds.call(item, measured))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give the record of a measured test to its report, which carries it to the controlling process."""
    edge = begun(item.config)
    return (yield from edge.told(item, call)) if edge else (yield)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the reports; what fails the run as a whole shows in its exit status."""
    if edge := begun(session.config):
        status = edge.reporting.finish(session)
        session.exitstatus = session.exitstatus or status


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The tables, in pytest's own style."""
    edge = begun(config)
    lines = edge.reporting.summary(terminalreporter._tw.fullwidth) if edge else []
    if lines:
        from pytest_gomem.base.printable import printable

        terminalreporter.section("gomem", "=")
        for text, style in lines:
            terminalreporter.write_line(printable(text), **({style: True} if style else {}))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Under xdist: one run folder for all workers, so that a service is built once; their records come back to us."""
    node.workerinput.update(edge_of(node.config).state.for_workers())
