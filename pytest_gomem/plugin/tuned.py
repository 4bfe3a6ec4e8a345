"""Prepares tests for `gomem tune`: a plugin for `-p`; one round a run, and what is to be known before the first one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gomem.plugin.use import is_measured, is_used_by_run, session_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_gomem.config.services import ServiceConfig

FILE_VARIABLE = "PYTEST_GOMEM_TUNED"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Write what is known of the tests if that is asked for, and let each of them run once."""
    if FILE_VARIABLE in os.environ:
        Path(os.environ[FILE_VARIABLE]).write_text(json.dumps(_known(config, items)))
    for item in filter(is_measured, items):
        item.add_marker(pytest.mark.gomem(rounds=1, diagnose=False), append=False)


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
