"""Owns running a command within a time limit, after which it and whatever it started are ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def output_within(seconds: float, command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> tuple[int, str, str]:
    """The exit status, stdout and stderr; raises OSError where it cannot run, TimeoutError where it takes longer."""
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
        out, err = process.communicate(timeout=max(seconds, 0.0))
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"it took longer than {seconds:.3g} s") from None
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode, out, err
