"""Prepares a place for groups on cgroup v2: the controller enabled, and processes moved out of its way."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_gomem.base.locks import locked_folder
from pytest_gomem.cgroup.group import PROCESSES, groups_below, processes, write
from pytest_gomem.cgroup.owner import owned

LEAF = "pytest-gomem-rest"  # holds the processes that were in a group before groups of ours came below it
_CONTROLLERS, _ENABLED, _TYPE = "cgroup.controllers", "cgroup.subtree_control", "cgroup.type"
_MEMORY = "memory"
_MOVES = 50  # rounds: processes that fork meanwhile appear again


@dataclass(frozen=True)
class Prepared:
    """folder: where this supervisor makes its groups; release: undoes the preparation if nobody else uses it."""

    folder: Path
    release: Callable[[], None]


def has_memory(group: Path) -> bool:
    """Whether the memory controller is there, or can be handed down to it; False for the v2 part of a v1 machine."""
    return _MEMORY in _words(group / _CONTROLLERS)


def prepare(root: Path, own: Path, name: str) -> Prepared:
    """Make the folder `name` in the group of this process, or in the one that an earlier run has prepared.

    Groups stay below the own group, so that every limit that holds for this process holds for services too. Its
    processes are moved into a leaf only where the memory controller is not enabled below it yet: a group with
    processes cannot have it. Raises OSError.
    """
    base = own.parent if own.name == LEAF else own
    with locked_folder(base):
        if not has_memory(base):
            _bring_controller(root, base)
        _enable(base)
        folder = base / name
        folder.mkdir()
        try:
            write(folder / _ENABLED, f"+{_MEMORY}")
        except OSError:
            folder.rmdir()
            _release(base)
            raise
    return Prepared(folder, lambda: release(base))


def release(base: Path) -> None:
    """Move the processes back, if they were moved and no other supervisor has groups there; never raises OSError."""
    with contextlib.suppress(OSError), locked_folder(base):
        _release(base)


def _release(base: Path) -> None:
    leaf = base / LEAF
    if not leaf.exists() or any(map(owned, groups_below(base))):
        return
    write(base / _ENABLED, f"-{_MEMORY}")
    _move(leaf, base)
    leaf.rmdir()


def _bring_controller(root: Path, base: Path) -> None:
    """Enable the memory controller in each group above `base`."""
    for group in reversed([parent for parent in base.parents if parent == root or root in parent.parents]):
        if not has_memory(group):
            raise OSError(errno.ENODEV, "there is no memory controller", str(group / _CONTROLLERS))
        if _MEMORY not in _words(group / _ENABLED):
            write(group / _ENABLED, f"+{_MEMORY}")
    if not has_memory(base):
        raise OSError(errno.ENODEV, "there is no memory controller", str(base / _CONTROLLERS))


def _enable(base: Path) -> None:
    """Enable the controller for the groups below; the processes in the way move into a leaf. The root has no rule."""
    if _MEMORY in _words(base / _ENABLED):
        return
    is_root = not (base / _TYPE).exists()
    if is_root or not processes(base):
        write(base / _ENABLED, f"+{_MEMORY}")
        return
    leaf = base / LEAF
    leaf.mkdir(exist_ok=True)
    try:
        _move(base, leaf)
        write(base / _ENABLED, f"+{_MEMORY}")
    except OSError:
        with contextlib.suppress(OSError):
            _move(leaf, base)
            leaf.rmdir()
        raise


def _move(source: Path, target: Path) -> None:
    """Move all processes of a group, also those that appear meanwhile; raises OSError if some cannot be moved."""
    for _ in range(_MOVES):
        pids = processes(source)
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                write(target / PROCESSES, str(pid))
    raise OSError(errno.EBUSY, "processes appear faster than they can be moved", str(source))


def _words(file: Path) -> list[str]:
    return file.read_text().split()
