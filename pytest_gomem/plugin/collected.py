"""Writes which tests pytest collects, for another process: a plugin for `-p`, used by `gomem baseline prune`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

FILE_VARIABLE = "PYTEST_GOMEM_COLLECTED"


class Collected:
    """Writes JSON: root, the rootdir; ids of all tests; modules that were collected; named, what was requested.

    named: ids, modules and folders below the rootdir; [] if the command line names none.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._modules: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be collected fails pytest; one skipped as a whole has unknown tests."""
        if report.passed:
            self._modules.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Write all tests, before -m or a plugin deselects some."""
        found: dict[str, Any] = {
            "root": str(self._config.rootpath),
            "ids": [item.nodeid for item in items],
            "modules": self._modules,
            "named": self._named(),
        }
        Path(os.environ[FILE_VARIABLE]).write_text(json.dumps(found))

    def _named(self) -> list[str]:
        if self._config.args_source is not pytest.Config.ArgsSource.ARGS:
            return []
        folder, named = self._config.invocation_params.dir, []
        for arg in self._config.args:
            path, separator, test = arg.partition("::")
            named.append(Path(os.path.relpath(folder / path, self._config.rootpath)).as_posix() + separator + test)
        return named


def pytest_configure(config: pytest.Config) -> None:
    """Register for the collection."""
    config.pluginmanager.register(Collected(config))
