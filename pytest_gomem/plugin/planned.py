"""Writes what pytest's tests declare, for another process: a plugin for `-p`, used by `gomem tighten`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_gomem.plugin.items import PLAN, test_id
from pytest_gomem.plugin.use import SERVICE_FIXTURE, SESSION_FIXTURE, begun, fixture_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_gomem.config.services import ServiceConfig

FILE_VARIABLE = "PYTEST_GOMEM_PLANNED"


class Planned:
    """Writes JSON, null if no test uses the plugin.

    root: the rootdir. tests: each with its id, service and marker budgets. whole: whether these are all. config: the
    gomem.yaml. baselines: the folder of the run's baselines. history: its file if one is kept.
    """

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write all tests that measure something; -k, -m and plugins have deselected by now."""
        from pytest_gomem.config.budgets import Budget
        from pytest_gomem.results.codec import EXACT

        ours, file = begun(session.config), Path(os.environ[FILE_VARIABLE])
        if ours is None:
            file.write_text("null")
            return
        hint = tuple[tuple[Budget, ...], ...]
        services = {} if ours.gomem_config is None else ours.gomem_config.services
        tests = [
            {
                "nodeid": test_id(item),
                "service": item.stash[PLAN].service or _only(item, services),
                "markers": EXACT.encode(hint, item.stash[PLAN].budgets),
            }
            for item in session.items
            if PLAN in item.stash
        ]
        found = {
            "root": str(session.config.rootpath),
            "tests": tests,
            "whole": ours.selection.has_all(),
            "config": "" if ours.gomem_config is None else str(ours.gomem_config.path),
            "baselines": str(ours.baselines.folder),
            "history": str(ours.settings.history or ""),
        }
        file.write_text(json.dumps(found))


def _only(item: pytest.Item, services: Mapping[str, ServiceConfig]) -> str | None:
    """The service of a test that names none: the only one, for a fixture that launches it."""
    is_launched = not {SERVICE_FIXTURE, SESSION_FIXTURE}.isdisjoint(fixture_names(item))
    return next(iter(services)) if is_launched and len(services) == 1 else None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register for the collection."""
    config.pluginmanager.register(Planned())
