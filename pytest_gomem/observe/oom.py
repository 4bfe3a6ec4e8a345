"""Owns the proof of an OOM kill: a SIGKILL alone is none, a kernel counter that rose is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


def counters(pid: int) -> dict[str, int]:
    """OOM-kill counts by source: the process's cgroup (v1 or v2) and, system-wide, /proc/vmstat; {} where unknown.

    Sources: memory.events `oom_kill` (cgroup v2), memory.oom_control `oom_kill` (v1, Linux 4.13), vmstat (Linux 4.13).
    """
    files = [*_cgroup_files(pid), Path("/proc/vmstat")]
    return {str(path): count for path in files if (count := _oom_kills(path)) is not None}


def rose(before: Mapping[str, int]) -> str | None:
    """The counter that rose since `before` was taken, a cgroup's before the system's; None when none did."""
    for path, count in before.items():
        now = _oom_kills(Path(path))
        if now is not None and now > count:
            return f"oom_kill in {path} rose by {now - count}"
    return None


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
        fields = dict(line.split(maxsplit=1) for line in path.read_text().splitlines() if " " in line)
    except OSError:
        return None
    count = fields.get("oom_kill")
    return int(count) if count is not None else None
