"""Owns running pytest for a command, and letting it end by itself on Ctrl-C."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence

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
