"""Writes which metrics pytest's plugins declare, for another process: a plugin for `-p`, used by gomem's commands."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gomem.plugin.use import is_worker

if TYPE_CHECKING:
    from pytest_gomem.measure.metric import Metric

FILE_VARIABLE = "PYTEST_GOMEM_DECLARED"
Answers = list["Sequence[Metric]"]


class Declared:
    """Writes them as JSON, plugin by plugin, before a mistake in gomem.yaml can end the run."""

    def __init__(self) -> None:
        self._declared: list[dict[str, Any]] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_gomem_metrics(self) -> Generator[None, Answers, Answers]:
        """Write all so far; the built-in ones come last and go first."""
        answers = yield
        from pytest_gomem.measure.metric import declaration_to_dict

        self._declared = [declaration_to_dict(metric) for metrics in answers for metric in metrics] + self._declared
        Path(os.environ[FILE_VARIABLE]).write_text(json.dumps(self._declared))
        return answers


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register in the controlling process; its workers have the same metrics."""
    if not is_worker(config):
        config.pluginmanager.register(Declared())
