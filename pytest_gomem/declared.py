"""Owns telling another process which metrics pytest's plugins declare: a plugin for `-p`, used by gomem's commands."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_gomem.use import is_worker

if TYPE_CHECKING:
    from pytest_gomem.measure.metric import Metric

FILE_VARIABLE = "PYTEST_GOMEM_DECLARED"
Answers = list["Sequence[Metric]"]


class Declared:
    """Writes them as JSON when pytest asks its plugins, which is before a mistake in gomem.yaml can end the run."""

    @pytest.hookimpl(wrapper=True)
    def pytest_gomem_metrics(self) -> Generator[None, Answers, Answers]:
        """All of them, the built-in ones first."""
        answers = yield
        from pytest_gomem.measure.declaration import declaration_to_dict

        told = [declaration_to_dict(metric) for metrics in answers[::-1] for metric in metrics]
        Path(os.environ[FILE_VARIABLE]).write_text(json.dumps(told))
        return answers


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Listen in the controlling process, which knows the same metrics as its workers."""
    if not is_worker(config):
        config.pluginmanager.register(Declared())
