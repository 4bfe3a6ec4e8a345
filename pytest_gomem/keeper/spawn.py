"""Owns the birth of a service process: its own session, small memory before exec, adopted by the keeper."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

import psutil

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_SPAWN_TIMEOUT = 5.0


def become_subreaper() -> bool:
    """Ask Linux to hand us every orphan below us; False where the system cannot."""
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def small_forker() -> str | None:
    """Path of setsid(1), whose fork is small enough that the child's ru_maxrss is its own; None where there is none.

    A child's ru_maxrss starts at the memory of the process that forked it (fs/exec.c, setmax_mm_hiwater_rss), so a
    child of this Python process would never be seen below some 10 MB. setsid --fork dies at once and leaves its
    1.6 MB child to us, the subreaper.
    """
    return shutil.which("setsid") if sys.platform == "linux" else None


def spawn(argv: Sequence[str], env: Mapping[str, str], cwd: str, stdout: int, stderr: int) -> int:
    """Start a program as leader of a new session and return its pid; raises OSError when it cannot be started."""
    forker = small_forker()
    if forker is None:
        return _popen(argv, env, cwd, stdout, stderr, new_session=True).pid
    known = {child.pid for child in psutil.Process().children()}
    setsid = _popen([forker, "--fork", *argv], env, cwd, stdout, stderr, new_session=False)
    setsid.wait()
    return _adopted(known)


def _popen(
    argv: Sequence[str], env: Mapping[str, str], cwd: str, stdout: int, stderr: int, *, new_session: bool
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(argv),
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=new_session,
    )


def _adopted(known: set[int]) -> int:
    """The pid of the session leader that has become our child since `known` was taken."""
    deadline = time.monotonic() + _SPAWN_TIMEOUT
    while time.monotonic() < deadline:
        for child in psutil.Process().children():
            if child.pid not in known and os.getsid(child.pid) == child.pid:
                return child.pid
        time.sleep(0.0005)
    raise OSError("the started process did not appear among the keeper's children")
