"""Where the memory cgroups of this process are, by /proc/self/mountinfo and /proc/self/cgroup."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_OPTIONAL_END = "-"  # ends the optional fields of a line of mountinfo
_ESCAPES = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}


@dataclass(frozen=True)
class Hierarchy:
    """A mounted hierarchy. root: where it is mounted; own: the group of this process in it, as a folder."""

    version: int
    root: Path
    own: Path


def hierarchies(proc: Path = Path("/proc/self")) -> list[Hierarchy]:
    """The hierarchies that can hold a memory controller: v2 first, then v1; none on a system without them."""
    try:
        groups, mounts = dict(_groups(_text(proc / "cgroup"))), _text(proc / "mountinfo")
    except OSError:
        return []
    found = []
    for version, mounted, root in _mounts(mounts):
        if version in groups:
            found.append(Hierarchy(version, root, root / _below(groups[version], mounted)))
    return sorted(found, key=lambda hierarchy: -hierarchy.version)


def _text(file: Path) -> str:
    """Paths are bytes to the kernel, in no encoding."""
    return file.read_text(errors="surrogateescape")


def _groups(text: str) -> Iterator[tuple[int, str]]:
    """The version and path of each line of /proc/self/cgroup that matters."""
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield 2, path
        elif "memory" in controllers.split(","):
            yield 1, path


def _mounts(text: str) -> Iterator[tuple[int, str, Path]]:
    """Version, path of what is mounted within its hierarchy, and where; the first mount of each."""
    seen = set()
    for line in text.splitlines():
        before, _, after = line.partition(f" {_OPTIONAL_END} ")
        mounted, where = before.split()[3:5]
        kind, _, options = after.split(" ", 2)  # the source, in between, may be empty
        version = {"cgroup2": 2, "cgroup": 1}.get(kind)
        if version is None or version in seen or (version == 1 and "memory" not in options.split(",")):
            continue
        seen.add(version)
        yield version, _plain(mounted), Path(_plain(where))


def _plain(path: str) -> str:
    for escape, character in _ESCAPES.items():
        path = path.replace(escape, character)
    return path


def _below(group: str, mounted: str) -> PurePosixPath:
    """The path of a group below a mount; the mount itself where the group lies outside of what is mounted."""
    try:
        return PurePosixPath(group).relative_to(mounted)
    except ValueError:
        return PurePosixPath()
