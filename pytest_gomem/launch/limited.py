"""Owns running a command within a time limit, after which it and whatever it started are ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_DRAIN_SECONDS = 1.0  # a child in a group of its own is not killed, and may hold a pipe for ever


def output_within(seconds: float, command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> tuple[int, str, str]:
    """The exit status, stdout and stderr; raises OSError where it cannot run, TimeoutError where it takes longer."""
    if seconds <= 0:
        raise TimeoutError("no time was left")
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # a group of its own, so that the compilers that go starts end with it
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except BaseException as error:
        _end(process)
        if isinstance(error, subprocess.TimeoutExpired):
            raise TimeoutError(f"it took longer than {seconds:.3g} s") from None
        raise
    return process.returncode, out, err


def _end(process: subprocess.Popen[str]) -> None:
    """Kill the group: its children hold the pipes, and live on, also where the command itself has ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses where only zombies are left
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=_DRAIN_SECONDS)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
