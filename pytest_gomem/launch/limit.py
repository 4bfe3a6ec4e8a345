"""Says that a program was killed at its memory limit."""

from __future__ import annotations

from pytest_gomem.base.errors import SupervisorError
from pytest_gomem.cgroup.reading import SIMULATED
from pytest_gomem.config.gc_settings import go_bytes
from pytest_gomem.measure.oom_kill import is_killed
from pytest_gomem.supervisor.client import KeptChild
from pytest_gomem.supervisor.protocol import ExitRecord


def limit_words(child: KeptChild, ended: ExitRecord) -> str:
    """Such as "was killed at its memory limit of 256MiB"; "" if it ended in another way."""
    try:
        state = child.state()
    except SupervisorError:
        return ""
    group, last = state.group, state.group_last
    if group is None or last is None or not is_killed(ended, None, last, group.by):
        return ""
    how = " by pytest-gomem, which simulates a kernel," if group.by == SIMULATED else ""
    return f"was killed{how} at its memory limit of {go_bytes(last.limit)}"
