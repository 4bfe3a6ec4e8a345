"""Runs a command within a time limit, and ends it with everything it started when the time is over."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_gomem.base.errors import SupervisorError

if TYPE_CHECKING:
    from pytest_gomem.supervisor.client import SupervisorClient

SLOW = 3.0  # seconds after which a command is called slow
_DRAIN_SECONDS = 1.0  # a child in a group of its own is not killed, and may hold a pipe for ever
WhenSlow = Callable[[], None]
_Bytes = tuple[int, bytes, bytes]
_Ends = Callable[[Callable[[float], bool]], bool]  # given how to wait that many seconds, whether it ended in time
_keepers: list[tuple[Callable[[], SupervisorClient], Path]] = []


@contextlib.contextmanager
def started_by(supervisor: Callable[[], SupervisorClient], folder: Path) -> Iterator[None]:
    """Have a supervisor start what this process runs meanwhile, so that nothing of it outlives this process.

    folder: for its output.
    """
    entry = (supervisor, folder)
    _keepers.append(entry)
    try:
        yield
    finally:
        _keepers.remove(entry)


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

    errors: what becomes of bytes that are no UTF-8. when_slow: called once, after SLOW seconds.
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

    run = _by_supervisor if _keepers else _by_ourselves
    output = run(command, cwd, env, ends)
    if output is None:
        raise TimeoutError(f"it took longer than {seconds:.3g} s")
    status, out, err = output
    return status, out.decode(errors=errors), err.decode(errors=errors)


def _by_supervisor(command: Sequence[str], cwd: Path, env: Mapping[str, str], ends: _Ends) -> _Bytes | None:
    from pytest_gomem.supervisor.protocol import HelperRequest

    own, parent = _keepers[-1]
    supervisor = own()
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix="helper-") as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        try:
            helper = supervisor.help(HelperRequest(list(command), dict(env), str(cwd), str(out), str(err)))
        except SupervisorError as error:
            if supervisor.is_lost:
                raise
            raise OSError(str(error)) from None
        try:
            if not ends(lambda seconds: helper.wait(seconds).exit is not None):
                return None
            ended = helper.state().exit
        finally:
            helper.forget()
        assert ended is not None
        # As subprocess tells it: the negative number of a signal.
        return -ended.signal if ended.signal else ended.code or 0, out.read_bytes(), err.read_bytes()


def _by_ourselves(command: Sequence[str], cwd: Path, env: Mapping[str, str], ends: _Ends) -> _Bytes | None:
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a group of its own, so that the compilers that go starts end with it
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
    """Kill the group: its children hold the pipes, and live on, also where the command itself has ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses where only zombies are left
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=_DRAIN_SECONDS)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
