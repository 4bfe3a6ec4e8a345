"""Tries whether a process can have a memory limit here, rather than guessing it: `gomem doctor`, `gomem tune`."""

from __future__ import annotations

import os
import shutil
import sys

from pytest_gomem.base.errors import GomemError
from pytest_gomem.supervisor.client import KeptChild, SupervisorClient
from pytest_gomem.supervisor.protocol import LaunchRequest

_LIMIT = 64 << 20
_PATIENCE = 10.0


def memory_limit_words() -> str:
    """How a memory_limit is set here, tried with a tiny process.

    Raises GomemError with the path and the system's message of each way that was tried, and what would permit it.
    """
    supervisor = SupervisorClient()
    try:
        program = shutil.which("true") or sys.executable
        limit = {"max": _LIMIT, "mode": "cgroup"}
        return _words(supervisor.launch(LaunchRequest([program], dict(os.environ), os.sep, memory_limit=limit)))
    finally:
        supervisor.close()


def _words(child: KeptChild) -> str:
    state = child.wait(_PATIENCE)
    group, last = state.group, state.group_last
    if group is None or last is None:
        raise GomemError("a process in a memory cgroup did not end: the machine is too busy, or it was stopped")
    peak = (
        "the kernel keeps no peak of a group here, which takes Linux 5.19"
        if last.peak is None
        else "peak by the kernel"
    )
    counted = "OOM kills are not counted" if last.oom_kills is None else "OOM kills are counted"
    parts = [f"{group.by}, a group of its own for each launch", peak, counted, group.swap]
    return "; ".join(part for part in parts if part)
