"""Locks between processes: who waits in vain is told which lock, for how long, and who holds it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from pytest_gomem.base import locks
from pytest_gomem.base.errors import GomemError, LockedError
from pytest_gomem.base.locks import locked_file, locked_folder

HOLD = (
    "import fcntl, os, signal, sys\n"
    "held = os.open(sys.argv[1], os.O_RDONLY)\n"
    "fcntl.flock(held, fcntl.LOCK_EX)\n"
    "print(flush=True)\n"
    "sys.stdin.read()\n"
)


@pytest.mark.parametrize("locked", [locked_file, locked_folder])
def test_a_lock_that_is_never_released_is_given_up(tmp_path, monkeypatch, locked):
    """A holder that is stopped lets nobody in; it is named, and the error is one that every caller expects."""
    monkeypatch.setattr(locks, "_LONGEST_FOR_A_FILE", 0.05)
    monkeypatch.setattr(locks, "_LONGEST_FOR_A_FOLDER", 0.05)
    path = tmp_path
    if locked is locked_file:
        path = tmp_path / ".lock"
        path.touch()
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        os.kill(holder.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)
        try:
            with pytest.raises(LockedError) as told, locked(path):
                pass
        finally:
            os.kill(holder.pid, signal.SIGCONT)
        assert isinstance(told.value, GomemError)
        assert isinstance(told.value, OSError)
        first, advice = str(told.value).splitlines()
        assert first.startswith(f"{path} stayed locked for 0 s by another process: ")
        if sys.platform == "linux":
            assert f"process {holder.pid} (" in first
            assert first.endswith(", stopped)")
        assert "continue it if it is stopped" in advice
        holder.stdin.close()
        holder.wait()
    with locked(path):
        pass
