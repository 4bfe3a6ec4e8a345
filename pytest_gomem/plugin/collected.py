"""Tells another process which tests pytest has collected: a plugin for `-p`, used by `gomem baseline prune`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

FILE_VARIABLE = "PYTEST_GOMEM_COLLECTED"


class Collected:
    """Writes, as JSON: root, the rootdir; ids of all tests; modules that were looked into; named, what was asked for.

    named: ids, modules and folders below the rootdir; [] where the command line names none.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._modules: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """What cannot be collected fails pytest; what is skipped as a whole has tests that nobody knows."""
        if report.passed:
            self._modules.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Before -m or a plugin deselects tests, which are there all the same."""
        told: dict[str, Any] = {
            "root": str(self._config.rootpath),
            "ids": [item.nodeid for item in items],
            "modules": self._modules,
            "named": self._named(),
        }
        Path(os.environ[FILE_VARIABLE]).write_text(json.dumps(told))

    def _named(self) -> list[str]:
        if self._config.args_source is not pytest.Config.ArgsSource.ARGS:
            return []
        folder, named = self._config.invocation_params.dir, []
        for arg in self._config.args:
            path, separator, test = arg.partition("::")
            named.append(Path(os.path.relpath(folder / path, self._config.rootpath)).as_posix() + separator + test)
        return named


def pytest_configure(config: pytest.Config) -> None:
    """Take part in the collection."""
    config.pluginmanager.register(Collected(config))
