"""Prepares tests for `gomem tune`: a plugin for `-p`; one round a run, and what is to be known before the first one."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gomem.plugin.items import PLAN
from pytest_gomem.plugin.use import begun, is_measured, is_used_by_run, session_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from pytest_gomem.config.services import ServiceConfig

FILE_VARIABLE = "PYTEST_GOMEM_TUNED"


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """The budgets of gomem.yaml are not looked at: those on functions would cost further rounds."""
    if is_used_by_run(config):
        from pytest_gomem.config.gomem_yaml import BudgetTable

        session = session_of(config)
        if session.gomem_config is not None:
            session.gomem_config = replace(session.gomem_config, budgets=BudgetTable())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, None, None]:
    """Write what is known of the tests if that is asked for; let each run once, without the budgets of its markers."""
    if FILE_VARIABLE in os.environ:
        Path(os.environ[FILE_VARIABLE]).write_text(json.dumps(_known(config, items)))
    if config.pluginmanager.hasplugin("rerunfailures"):  # a service that is killed is a result, not to be tried again
        for item in items:
            item.add_marker(pytest.mark.flaky(reruns=0), append=False)
    yield
    for item in items:
        if PLAN in item.stash:
            item.stash[PLAN] = item.stash[PLAN]._replace(rounds=1, budgets=())
    session = begun(config)
    if session is not None:
        session.run.sharing = tuple((nodeid, ()) for nodeid, _ in session.run.sharing)


def _known(config: pytest.Config, items: list[pytest.Item]) -> dict[str, Any]:
    """workers: those of pytest-xdist, "" without; tests: by id; services: by name."""
    return {
        "workers": str(config.getoption("numprocesses", None) or config.getoption("tx", None) or ""),
        "tests": {
            item.nodeid: {
                "is_measured": is_measured(item),
                "matrix": sorted({key for mark in item.iter_markers("gomem_gc") for key in mark.kwargs}),
                "service": next(_services_of(item), ""),
            }
            for item in items
        },
        "services": _services(config),
    }


def _services_of(item: pytest.Item) -> Iterator[str]:
    return (str(mark.kwargs["service"]) for mark in item.iter_markers("gomem") if mark.kwargs.get("service"))


def _services(config: pytest.Config) -> dict[str, dict[str, Any]]:
    gomem_config = session_of(config).gomem_config if is_used_by_run(config) else None
    return {name: _service(one) for name, one in (gomem_config.services if gomem_config else {}).items()}


def _service(config: ServiceConfig) -> dict[str, Any]:
    program = "" if config.build else config.command[0]
    limit = config.memory_limit
    return {
        "gogc": config.gc.gogc,
        "program": str(config.base_dir / program) if "/" in program else "",
        "simulated": limit is not None and limit.mode == "simulated",
    }
