"""Moves this process into a scope of the user's systemd that is delegated to it, where it may make groups."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

_MANAGER = "org.freedesktop.systemd1"
_OBJECT = "/org/freedesktop/systemd1"
_INTERFACE = "org.freedesktop.systemd1.Manager"
_SIGNATURE = "ssa(sv)a(sa(sv))"  # name, mode, properties, auxiliary units
_PATIENCE = 5.0
_LOOK = 0.01


def enter_scope(unit: str, own: Callable[[], Path]) -> Path:
    """The folder of the scope's group, which systemd removes when its last process ends; raises OSError.

    As `systemd-run --user --scope -p Delegate=yes` does it for a program that it starts: a session's own group belongs
    to root, and only systemd may move a process out of it. own: tells the group of this process.
    """
    busctl = shutil.which("busctl")
    if busctl is None:
        raise FileNotFoundError(errno.ENOENT, "there is no such program", "busctl")
    properties = [
        *("PIDs", "au", "1", str(os.getpid())),
        *("Delegate", "b", "true"),
        *("CollectMode", "s", "inactive-or-failed"),
    ]
    call = [busctl, "--user", "call", _MANAGER, _OBJECT, _INTERFACE, "StartTransientUnit", _SIGNATURE]
    try:
        asked = subprocess.run(
            [*call, unit, "fail", "3", *properties, "0"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OSError(errno.ETIMEDOUT, "systemd did not answer", "busctl --user") from None
    if asked.returncode:
        raise OSError(errno.EPERM, asked.stderr.strip() or f"exit status {asked.returncode}", "busctl --user")
    deadline = time.monotonic() + _PATIENCE
    while (group := own()).name != unit:
        if time.monotonic() > deadline:
            raise OSError(errno.ETIMEDOUT, "systemd did not move this process", str(group))
        time.sleep(_LOOK)
    return group
