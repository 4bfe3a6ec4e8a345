"""Runs pytest for a command, and asks it for the metrics of the user's plugins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pytest_gomem.base.errors import GomemError
from pytest_gomem.config.own_metrics import is_own
from pytest_gomem.measure.metric import declaration_from_dict
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.plugin.declared import FILE_VARIABLE
from pytest_gomem.plugin.options import METRICS_FLAG

# pytest's statuses: interrupted by the user; no tests and usage errors count as bad input.
_STATUS = {0: 0, 1: 1, 2: 130}


class Overdue(GomemError):
    """pytest took longer than it may."""


def status_of(done: subprocess.CompletedProcess[str]) -> int:
    """The status of a command that is a run of pytest: 0 fine, 1 a test or a comparison failed, 2 bad input."""
    return _STATUS.get(done.returncode, 2)


def run_pytest(
    args: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    captured: bool = False,
    cwd: Path | None = None,
    seconds: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run pytest to its end. captured: without a terminal; stdout holds what it prints to both streams.

    seconds: until it is killed; raises Overdue then.

    A Ctrl-C in a terminal reaches pytest too, which then tears down its fixtures and reports. This function waits for
    it, and then raises KeyboardInterrupt. A second Ctrl-C kills pytest.
    """
    command = [sys.executable, "-m", "pytest", *args]
    process = subprocess.Popen(
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL if captured else None,
        stdout=subprocess.PIPE if captured else None,
        stderr=subprocess.STDOUT if captured else None,
        text=True,
        errors="replace",
    )
    try:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Overdue(f"pytest did not end within {seconds:g} s") from None
        except KeyboardInterrupt:
            process.communicate()
            raise
    except BaseException:
        process.kill()
        process.wait()
        raise
    return subprocess.CompletedProcess(command, process.returncode, output or "")


# Without this, pytest would look for a base side that the ini file names, which can take long.
ALONE = ("--gomem-against=off", "--gomem-against-go=off", "--gomem-head=off")
COLLECTING = ("--collect-only", "-q", *ALONE)
COLLECTED = (0, 5)  # pytest's statuses when it could collect: there may be no tests
# For runs whose figures are of this command alone: keep them nowhere, and compare them with nothing.
KEEPS_NOTHING = (
    *(*ALONE, "--gomem-history=off", "--gomem-artifacts=off", "--gomem-diagnose=off", "--gomem-html=off"),
    *("--gomem-markdown=off", "--gomem-gitlab=off", "--gomem-ci=off"),
    *("-o", "gomem_update=false", "-o", "gomem_strict=false"),
)
_LAST_LINES = 30


def last_lines(text: str, most: int = _LAST_LINES) -> str:
    """The end of what pytest printed, as a hint of an error."""
    return "\n  ".join(text.rstrip().splitlines()[-most:])


LISTENING = ("-p", "pytest_gomem.plugin.declared")  # for any run of pytest, with FILE_VARIABLE in its environment


def read_declared(path: Path) -> Registry:
    """The metrics that a run declared; the built-in ones if it ended before that."""
    if not path.exists():
        return Registry(builtin_metrics())
    return Registry(map(declaration_from_dict, json.loads(path.read_text())))


def every_metric() -> Registry:
    """All metrics that pytest knows when it starts here; raises GomemError, with its output, if it fails.

    It collects and runs no tests.
    """
    with tempfile.TemporaryDirectory(prefix="gomem-metrics-") as folder:
        file = Path(folder) / "metrics.json"
        done = run_pytest(
            [METRICS_FLAG, *LISTENING, *ALONE], env={**os.environ, FILE_VARIABLE: str(file)}, captured=True
        )
        if not file.exists():
            raise GomemError(f"pytest could not be asked for the metrics of plugins:\n{done.stdout.rstrip()}")
        return read_declared(file)


def metrics_for(names: Iterable[str]) -> Registry:
    """The metrics that these names need; pytest is asked only if one of them is not built in.

    Unknown names are left out. Raises as every_metric.
    """
    builtin = Registry(builtin_metrics())
    return builtin if all(name in builtin or is_own(name) for name in names) else every_metric()
