"""Finds evidence of an OOM kill: a kernel counter that rose. A SIGKILL alone is none."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_SYSTEM = Path("/proc/vmstat")
_COUNT = b"\noom_kill "
_LOOK_EVERY = 1.0
_LOOKS_KEPT = 10  # 10 seconds: a killed process of many GB may take as long to end, the counters rise at the kill


def counters(pid: int) -> dict[str, int]:
    """OOM-kill counts by source: the process's cgroup (v1 or v2), and /proc/vmstat for the system; {} if unknown.

    Sources: memory.events `oom_kill` (cgroup v2), memory.oom_control `oom_kill` (v1, Linux 4.13), vmstat (Linux 4.13).
    """
    files = [*_cgroup_files(pid), _SYSTEM]
    return {str(path): count for path in files if (count := _oom_kills(path)) is not None}


def rose(before: Mapping[str, int]) -> str | None:
    """The counter that rose since `before` was taken; None when none did.

    Each kill is counted in the victim's own cgroup (mm/oom_kill.c, __oom_kill_process). The system's counter decides
    only if there is no other.
    """
    now = {path: count for path in before if (count := _oom_kills(Path(path))) is not None}
    own = [path for path in now if path != str(_SYSTEM)]
    for path in own or now:
        if now[path] > before[path]:
            return f"oom_kill in {path} rose by {now[path] - before[path]}"
    return None


class RecentCounters:
    """The counters of one process some seconds ago: an older rise was about another process.

    at_start: those that are known before the first look.
    """

    def __init__(self, pid: int, at_start: Mapping[str, int] | None = None) -> None:
        self._pid = pid
        self.due = 0.0
        self._looks: deque[dict[str, int]] = deque([dict(at_start or {})], maxlen=_LOOKS_KEPT)

    def look(self, now: float) -> None:
        """Read the counters; the next look is due a second later."""
        self.due = now + _LOOK_EVERY
        self._looks.append(counters(self._pid))

    def evidence(self) -> str:
        """The counter that shows that the process was killed for lack of memory; "" if none does."""
        oldest: dict[str, int] = {}
        for look in self._looks:
            oldest = {**look, **oldest}
        return rose(oldest) or ""


def _cgroup_files(pid: int) -> list[Path]:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return []
    files = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            files.append(_ROOT / group.lstrip("/") / "memory.events")
        elif "memory" in controllers.split(","):
            files.append(_ROOT / "memory" / group.lstrip("/") / "memory.oom_control")
    return files


def _oom_kills(path: Path) -> int | None:
    try:
        text = b"\n" + path.read_bytes()
    except OSError:
        return None
    at = text.find(_COUNT)
    return int(text[at + len(_COUNT) :].split(maxsplit=1)[0]) if at >= 0 else None
