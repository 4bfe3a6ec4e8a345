"""Runs pytest for a command, and asks it which metrics the user's plugins bring."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pytest_gomem.base.errors import GomemError
from pytest_gomem.measure.metric import declaration_from_dict
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.plugin.declared import FILE_VARIABLE
from pytest_gomem.plugin.options import METRICS_FLAG

# pytest's own: interrupted by the user; no test was collected, and usage errors, are bad input.
_STATUS = {0: 0, 1: 1, 2: 130}


def status_of(done: subprocess.CompletedProcess[str]) -> int:
    """The status of a command that is a run of pytest: 0 fine, 1 a test or a comparison failed, 2 bad input."""
    return _STATUS.get(done.returncode, 2)


def run_pytest(
    args: Sequence[str], *, env: Mapping[str, str] | None = None, captured: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run pytest to its end. captured: without a terminal, what it prints to either stream is in stdout.

    A Ctrl-C in a terminal reaches pytest too, which then tears its fixtures down and tells what it has: it is waited
    for, and KeyboardInterrupt is raised at its end. A second Ctrl-C kills it.
    """
    command = [sys.executable, "-m", "pytest", *args]
    process = subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL if captured else None,
        stdout=subprocess.PIPE if captured else None,
        stderr=subprocess.STDOUT if captured else None,
        text=True,
        errors="replace",
    )
    try:
        try:
            told, _ = process.communicate()
        except KeyboardInterrupt:
            process.communicate()
            raise
    except BaseException:
        process.kill()
        process.wait()
        raise
    return subprocess.CompletedProcess(command, process.returncode, told or "")


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
