"""Owns which metrics a command knows: the built-in ones, and those of the user's plugins, for which pytest is asked."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from pytest_gomem.base.errors import GomemError
from pytest_gomem.commands.pytest_run import run_pytest
from pytest_gomem.measure.metric import declaration_from_dict
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.plugin.declared import FILE_VARIABLE
from pytest_gomem.plugin.options import METRICS_FLAG

LISTENING = ("-p", "pytest_gomem.plugin.declared")  # for any run of pytest, with FILE_VARIABLE in its environment
# A base side that the ini file names would be looked for, which can take long and is not needed.
_ALONE = ("--gomem-against=off", "--gomem-against-go=off")


def read_declared(path: Path) -> Registry:
    """What a run that was listened to declared; the built-in metrics where it never came to that."""
    if not path.exists():
        return Registry(builtin_metrics())
    return Registry(map(declaration_from_dict, json.loads(path.read_text())))


def every_metric() -> Registry:
    """All that pytest knows when it is started here without arguments; raises GomemError with its words where it fails.

    It collects nothing for that, and runs nothing.
    """
    with tempfile.TemporaryDirectory(prefix="gomem-metrics-") as folder:
        file = Path(folder) / "metrics.json"
        done = run_pytest(
            [METRICS_FLAG, *LISTENING, *_ALONE], env={**os.environ, FILE_VARIABLE: str(file)}, captured=True
        )
        if not file.exists():
            raise GomemError(f"pytest could not be asked for the metrics of plugins:\n{done.stdout.rstrip()}")
        return read_declared(file)


def metrics_for(names: Iterable[str]) -> Registry:
    """The metrics as far as these names need them: pytest is asked only where one is not built in.

    What nobody declares is not among them. Raises as every_metric.
    """
    builtin = Registry(builtin_metrics())
    return builtin if all(name in builtin for name in names) else every_metric()
