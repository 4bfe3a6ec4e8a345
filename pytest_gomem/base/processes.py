"""Processes of ours: commands within a time limit, and what our helper processes share."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest_gomem


def helper_path(library: str) -> list[str]:
    """Folders of this package and of one library, to be put after the standard library on sys.path.

    Not the test's sys.path: it begins with a tests/ folder, where a file such as tests/queue.py would hide Python's own
    module.
    """
    spec = importlib.util.find_spec(library)
    assert spec is not None
    files = (pytest_gomem.__file__, spec.origin)
    return [str(Path(file).parents[1]) for file in files if file is not None]


def is_stopped(pid: int) -> bool:
    """Whether it is stopped, by SIGSTOP or a debugger, and so answers nobody."""
    import psutil

    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    return False


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
