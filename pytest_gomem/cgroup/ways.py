"""The ways to a memory cgroup, tried in order: v2, v1, a scope of systemd; or the reasons why none works."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_gomem.base.errors import GroupError
from pytest_gomem.cgroup import owner, systemd, v2
from pytest_gomem.cgroup.group import Group, clear
from pytest_gomem.cgroup.hierarchy import Hierarchy, hierarchies
from pytest_gomem.cgroup.reading import V1, V2, FileNames

SCOPE = "systemd scope"
LEAST_LIMIT = 4 << 20  # bytes; setsid and a shell, which are in the group before the program, take below 1 MiB
_PERMISSION = (errno.EACCES, errno.EPERM)


class Place:
    """A folder below which this process makes groups; prepared at the first one."""

    def __init__(self, folder: Path, names: FileNames, by: str, release: Callable[[], None]) -> None:
        self.folder, self.by = folder, by
        self._names, self._release = names, release
        self._made = 0

    def make(self, limit: int) -> Group:
        """A new group; raises OSError."""
        self._made += 1
        path = self.folder / str(self._made)
        path.mkdir()
        try:
            return Group(path, limit, self._names, self.by)
        except OSError:
            clear(path)
            raise

    def close(self) -> None:
        """Kill what is left in its groups, remove them and the folder, and undo what was changed for it."""
        clear(self.folder)
        self._release()


class Ways:
    """Makes the groups of one supervisor, by the first way that works here."""

    def __init__(self) -> None:
        self._place: Place | None = None

    def make(self, limit: int) -> Group:
        """A new group; raises GroupError with what each way came to, and what would permit it."""
        if limit < LEAST_LIMIT:
            raise GroupError(f"memory_limit is at least {LEAST_LIMIT >> 20} MiB")
        if self._place is None:
            self._place = _first_that_works()
        try:
            return self._place.make(limit)
        except OSError as error:
            raise GroupError(_refusal([(self._place.by, error)])) from None

    def close(self) -> None:
        """Leave no group."""
        if self._place is not None:
            self._place.close()
            self._place = None


def remove_leftovers() -> None:
    """Remove what supervisors that were killed have left, with the processes in it, and undo what they changed."""
    for hierarchy in hierarchies():
        places = [folder.parent for folder in owner.remove_leftovers(hierarchy.root)]
        for place in places if hierarchy.version == 2 else ():
            v2.release(place)


def _first_that_works() -> Place:
    refused: list[tuple[str, OSError]] = []
    for by, prepare in _ways():
        try:
            place = prepare()
        except OSError as error:
            refused.append((by, error))
            continue
        try:
            _try(place)
        except OSError as error:
            refused.append((by, error))
            place.close()
            continue
        return place
    raise GroupError(_refusal(refused))


def _ways() -> Iterator[tuple[str, Callable[[], Place]]]:
    found = hierarchies()
    remove_leftovers()
    for hierarchy in found:
        if hierarchy.version == 2:
            yield V2.by, lambda hierarchy=hierarchy: _place_v2(hierarchy)  # type: ignore[misc]
        else:
            yield V1.by, lambda hierarchy=hierarchy: _place_v1(hierarchy)  # type: ignore[misc]
    for hierarchy in found:
        if hierarchy.version == 2 and v2.has_memory(hierarchy.root):
            yield SCOPE, lambda hierarchy=hierarchy: _place_scope(hierarchy)  # type: ignore[misc]


def _place_v1(hierarchy: Hierarchy) -> Place:
    folder = hierarchy.own / owner.own_name()
    folder.mkdir()
    return Place(folder, V1, V1.by, lambda: None)


def _place_v2(hierarchy: Hierarchy) -> Place:
    prepared = v2.prepare(hierarchy.root, hierarchy.own, owner.own_name())
    return Place(prepared.folder, V2, V2.by, prepared.release)


def _place_scope(hierarchy: Hierarchy) -> Place:
    name = owner.own_name()
    scope = systemd.enter_scope(f"{name}.scope", _own_v2)
    prepared = v2.prepare(hierarchy.root, scope, name)
    return Place(prepared.folder, V2, SCOPE, prepared.release)


def _own_v2() -> Path:
    return next(hierarchy.own for hierarchy in hierarchies() if hierarchy.version == 2)


def _try(place: Place) -> None:
    """Make a group and let a process join it, which may be refused though the group could be made."""
    group = place.make(LEAST_LIMIT)
    try:
        child = os.fork()
        if child == 0:
            try:
                group.join()
                os._exit(0)
            except OSError as error:
                os._exit(error.errno or 1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status > 0:
            raise OSError(status, os.strerror(status), str(group.path / "cgroup.procs"))
    finally:
        group.clear()


def _refusal(refused: list[tuple[str, OSError]]) -> str:
    told = [f"  {by}: {error.strerror or error}: {error.filename}" for by, error in refused]
    if not told:
        told = ["  no hierarchy with a memory controller is mounted"]
    return "\n".join(["no memory cgroup can be made for its memory_limit", *told, *_advice(refused)])


def _advice(refused: list[tuple[str, OSError]]) -> Iterator[str]:
    numbers = {error.errno for _, error in refused}
    if errno.EROFS in numbers:
        yield "  the container mounts cgroups read-only: start it privileged (docker run --privileged)"
    if numbers & set(_PERMISSION):
        yield "  run pytest as root, or in a group that is yours: systemd-run --user --scope -p Delegate=yes pytest"
    yield "  or say mode: simulated in memory_limit: pytest-gomem then watches the memory, and kills the service itself"
