"""A process that has loaded pytest and the plugin, and is copied for each run of a scenario: loading takes the longest.

It reads a line of JSON for each run, and answers with the exit status, negative for a signal, and whether the run was
killed for taking too long. A run has its own process, folder, environment and output.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

LOADED = (
    *("pytest", "psutil", "yaml", "urllib3", "google.protobuf.message", "pytest_gomem.plugin.hooks"),
    *("pytest_gomem.plugin.session", "pytest_gomem.plugin.measured", "pytest_gomem.session.run"),
    *("pytest_gomem.diagnosis.explanation", "pytest_gomem.report.json_report", "pytest_gomem.report.terminal"),
)
CODE = f"import {', '.join(LOADED)}; from warm_pytest import serve; serve()"
SECONDS = 180.0


class WarmPytest:
    """The process that is copied. It is started at the first run, and ends with `close`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, args: Sequence[str], folder: Path, env: dict[str, str]) -> tuple[int, str]:
        """Run `python -m pytest` with these arguments; its exit status and all that it printed."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", CODE],
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *_paths()])},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.NamedTemporaryFile() as output:
            asked = {"args": list(args), "folder": str(folder), "env": env, "output": output.name}
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
            text = Path(output.name).read_text("utf-8")
        assert answer, f"the process that is copied has died; a run of it printed:\n{text}"
        status, is_late = json.loads(answer)
        assert not is_late, f"pytest took longer than {SECONDS:g} s:\n{text}"
        return status, text

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate(timeout=10)


def _paths() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def serve() -> None:
    """Read what to run from stdin, until it ends; each run is a child of this process."""
    import pytest_gomem

    # What is loaded already has no asserts that explain themselves, and pytest would warn of that in each run.
    pytest_gomem.__doc__ = f"{pytest_gomem.__doc__} PYTEST_DONT_REWRITE"
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            _become(asked)
            import pytest

            sys.exit(pytest.console_main())
        print(json.dumps(_waited(child)), flush=True)


def _waited(child: int) -> tuple[int, bool]:
    """The exit status of a run, and whether it was killed for taking too long."""
    is_late = False

    def kill(*_: object) -> None:
        nonlocal is_late
        is_late = True
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, kill)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    _, status = os.waitpid(child, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the next run is a copy
    return os.waitstatus_to_exitcode(status), is_late


def _become(asked: dict[str, object]) -> None:
    """Take over what a new process would begin with."""
    os.chdir(str(asked["folder"]))
    os.environ.clear()
    os.environ.update(asked["env"])  # type: ignore[arg-type]
    sys.argv[:] = ["pytest", *asked["args"]]  # type: ignore[misc]
    sys.path[:] = [str(asked["folder"]), *(path for path in sys.path if path not in ("", str(Path(__file__).parent)))]
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(str(asked["output"]), os.O_WRONLY | os.O_APPEND)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(nothing)
    os.close(output)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - what the copied process has read ahead is not the run's
