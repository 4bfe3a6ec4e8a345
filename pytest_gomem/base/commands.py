"""Runs a command within a time limit. When the time is over, it ends with everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

SLOW = 3.0  # seconds after which a command is called slow
_DRAIN_SECONDS = 1.0  # a child in a group of its own is not killed, and may hold a pipe for ever
WhenSlow = Callable[[], None]
Output = tuple[int, bytes, bytes]  # the exit status, negative for a signal as subprocess has it, stdout and stderr
Ends = Callable[[Callable[[float], bool]], bool]  # given how to wait that many seconds, whether it ended in time
Runner = Callable[[Sequence[str], Path, Mapping[str, str], Ends], "Output | None"]  # None: its time was over
_runners: list[Runner] = []


@contextlib.contextmanager
def run_by(runner: Runner) -> Iterator[None]:
    """Inside of the block, `runner` runs the commands of this process."""
    _runners.append(runner)
    try:
        yield
    finally:
        _runners.remove(runner)


def output_within(
    seconds: float,
    command: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    *,
    errors: str = "replace",
    when_slow: WhenSlow | None = None,
) -> tuple[int, str, str]:
    """The exit status, stdout and stderr; raises OSError where it cannot run, TimeoutError where it takes longer.

    errors: how bytes that are not UTF-8 are decoded. when_slow: called once, after SLOW seconds.
    """
    if seconds <= 0:
        raise TimeoutError("no time was left")

    def ends(wait: Callable[[float], bool]) -> bool:
        if when_slow is None or seconds <= SLOW:
            return wait(seconds)
        if wait(SLOW):
            return True
        when_slow()
        return wait(seconds - SLOW)

    run = _runners[-1] if _runners else _by_ourselves
    output = run(command, cwd, env, ends)
    if output is None:
        raise TimeoutError(f"it took longer than {seconds:.3g} s")
    status, out, err = output
    return status, out.decode(errors=errors), err.decode(errors=errors)


def _by_ourselves(command: Sequence[str], cwd: Path, env: Mapping[str, str], ends: Ends) -> Output | None:
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a group of its own, so that the compilers started by go end with it
    )
    output: list[tuple[bytes, bytes]] = []

    def wait(seconds: float) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            output.append(process.communicate(timeout=seconds))
        return bool(output)

    try:
        ended = ends(wait)
    except BaseException:
        _end(process)
        raise
    if not ended:
        _end(process)
        return None
    return (process.returncode, *output[0])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process group: children hold the pipes, and can outlive the command itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses where only zombies are left
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=_DRAIN_SECONDS)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
