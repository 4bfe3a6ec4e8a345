"""The memory limit of one launch as its supervisor keeps it: sampled, read at the end, and its group removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_gomem.cgroup.group import Group
from pytest_gomem.cgroup.reading import SIMULATED, GroupReading
from pytest_gomem.cgroup.simulated import EVERY, SimulatedGroup
from pytest_gomem.cgroup.ways import Ways
from pytest_gomem.supervisor.protocol import GroupState

_FOREVER = float("inf")
_REMOVE_EVERY = 0.5  # seconds: processes that the service has left keep the group


class Limited:
    """A launch's group and what is known about it; raises GroupError if a group is needed and none can be made."""

    def __init__(self, asked: dict[str, Any], ways: Ways) -> None:
        simulated = asked["mode"] == SIMULATED
        self._group: Group | SimulatedGroup = SimulatedGroup(asked["max"]) if simulated else ways.make(asked["max"])
        self._last: GroupReading | None = None
        self._due = 0.0 if simulated else _FOREVER
        self._gone = simulated

    @property
    def before_exec(self) -> Callable[[], None] | None:
        """What the process does between fork and exec."""
        return self._group.join if isinstance(self._group, Group) else None

    def begin(self, pid: int) -> None:
        """The program runs."""
        if isinstance(self._group, SimulatedGroup):
            self._group.watch(pid)

    def serve_by(self, pid: int) -> None:
        """A process that the program has started serves in its place; the program may have ended already."""
        self._last = None
        self.begin(pid)
        self._due = 0.0 if isinstance(self._group, SimulatedGroup) else _FOREVER

    def sample(self) -> None:
        """Note the anonymous pages of this moment; called at the sample rate of the service."""
        if self._last is None:
            self._group.sample()

    def tick(self, now: float, kill: Callable[[], None]) -> float:
        """Hold a simulated limit, and remove a group that had to wait; returns when to call again."""
        if now < self._due:
            return self._due
        if isinstance(self._group, Group):
            self._try_to_remove(now)
        elif self._group.exceeded():
            kill()
            self._due = _FOREVER
        else:
            self._due = now + EVERY
        return self._due

    def read(self, *, reset_peak: bool) -> GroupReading:
        """Its figures now; the last ones once the service has ended."""
        return self._last or self._group.read(reset_peak=reset_peak)

    def raise_limit(self, limit: int) -> None:
        """Set a higher limit; raises ValueError, OSError."""
        if limit < self._group.limit:
            raise ValueError("a memory limit can only be raised while the service runs")
        self._group.raise_limit(limit)

    def known_counters(self) -> dict[str, int]:
        """The count of OOM kills at the launch, for an end that comes before the first look."""
        return {str(self._group.events): 0} if isinstance(self._group, Group) else {}

    @property
    def evidence(self) -> str:
        """That a simulated limit was exceeded, in words; "" otherwise."""
        return self._group.evidence

    def ended(self, now: float) -> None:
        """The service has been reaped: read the last figures, and remove the group if nothing else is in it."""
        if self._last is not None:
            return
        self._last = self._group.read()
        self._try_to_remove(now)

    def _try_to_remove(self, now: float) -> None:
        if isinstance(self._group, Group) and not self._gone:
            self._gone = self._group.remove()
        self._due = _FOREVER if self._gone else now + _REMOVE_EVERY

    def state(self) -> GroupState:
        """What the client may know."""
        path = str(self._group.path) if isinstance(self._group, Group) else ""
        return GroupState(self._group.by, path, self._group.limit, self._group.swap, self._group.above)

    @property
    def last(self) -> GroupReading | None:
        """The figures at the reap."""
        return self._last

    def close(self) -> None:
        """Kill what is left in the group and remove it."""
        if isinstance(self._group, Group) and not self._gone:
            self._group.clear()
            self._gone = True
        self._group.close()
