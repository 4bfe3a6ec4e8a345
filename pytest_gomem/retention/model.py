"""What a heap dump says about who holds the memory, as frozen data, and how it comes from the reader's JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from pytest_gomem.retention.types import means_type


class HolderKind(Enum):
    """What kind of root holds the memory."""

    GLOBAL = "global"
    GOROUTINE = "goroutine"  # a local variable or argument of a running or blocked goroutine
    TIMER = "timer"  # pending: it keeps its function and what that captured
    FINALIZER = "finalizer"
    POOL = "pool"  # the items of a sync.Pool
    RUNTIME = "runtime"
    SEVERAL = "several"  # no single root: `roots` names the nearest ones
    NONE = "none"  # no holder in the dump: a cleanup, a weak pointer, or garbage since the last GC


@dataclass(frozen=True)
class Step:
    """One step of the path from a root: so many objects of a Go type, and what they retain, bytes."""

    type: str
    count: int
    retained: int


@dataclass(frozen=True)
class AllocationSite:
    """Where held objects were allocated. count: of the sampled objects; a heap dump knows no site of the others."""

    function: str
    file: str
    line: int
    count: int


@dataclass(frozen=True)
class Holder:
    """One root, or several roots together, and what it alone keeps alive.

    root: in words, "global main.cache (map[string]*main.Session)". name, type: of the variable, "" if there is none.
    retained: bytes that would be free without it. share: of all live bytes, or of the growth if two dumps were read,
    as a ratio. path: from the root to the objects that make up most of it. sites: most sampled objects first.
    function, file, line, state, created_by, count: of goroutines that hold alike. roots: the nearest ones, of
    `HolderKind.SEVERAL`. before: what the same path retained in the other side's dump, None if there is none. known:
    until when and by whom it is accepted, "" if it is not.
    """

    kind: HolderKind
    root: str
    retained: int
    share: float
    objects: int
    path: tuple[Step, ...] = ()
    sites: tuple[AllocationSite, ...] = ()
    name: str = ""
    type: str = ""
    function: str = ""
    file: str = ""
    line: int = 0
    state: str = ""
    created_by: str = ""
    count: int = 1
    roots: tuple[str, ...] = ()
    before: int | None = None
    known: str = ""


@dataclass(frozen=True)
class ObjectCount:
    """Live objects of one Go type. new, new_bytes: those that an earlier dump has not, None without one."""

    count: int
    bytes: int
    new: int | None = None
    new_bytes: int | None = None


@dataclass(frozen=True)
class Retention:
    """What one dump says, or the growth between two.

    live_objects, live_bytes: of the whole heap. new_objects, new_bytes: those that the earlier dump has not, None
    without one. typed_objects, typed_bytes: the shares whose Go type is known, as ratios. holders: those that retain
    most first. types: by Go type. notes: what could not be told, in words. of: by glob over types the holders of the
    objects of these types, whose bytes alone count for them.
    """

    go_version: str
    live_objects: int
    live_bytes: int
    typed_objects: float
    typed_bytes: float
    holders: tuple[Holder, ...] = ()
    types: Mapping[str, ObjectCount] = field(default_factory=dict)
    new_objects: int | None = None
    new_bytes: int | None = None
    notes: tuple[str, ...] = ()
    of: Mapping[str, tuple[Holder, ...]] = field(default_factory=dict)

    @property
    def every_holder(self) -> tuple[Holder, ...]:
        """Those of all objects, and those of certain types."""
        return *self.holders, *(holder for found in self.of.values() for holder in found)

    def with_holders(self, change: Callable[[tuple[Holder, ...]], Iterable[Holder]]) -> Retention:
        """The same with other holders: a function of each list of them."""
        of = {glob: tuple(change(found)) for glob, found in self.of.items()}
        return replace(self, holders=tuple(change(self.holders)), of=of)

    def meant_by(self, glob: str) -> dict[str, ObjectCount]:
        """The types of live objects that a glob means: "main.Session", "main.*", "[]*"; see `means_type`."""
        return {name: count for name, count in self.types.items() if means_type(glob, name)}

    def objects(self, type: str) -> ObjectCount:
        """Live objects of a Go type, or of all types that a glob means, as in a budget: "main.Session" or "main.*"."""
        found = self.meant_by(type).values()
        return ObjectCount(sum(one.count for one in found), sum(one.bytes for one in found))


def largest_types(types: Mapping[str, ObjectCount], most: int) -> dict[str, ObjectCount]:
    """The types that take most, of what is new if that is known."""
    sizes = {name: count.bytes if count.new_bytes is None else count.new_bytes for name, count in types.items()}
    return {name: types[name] for name in sorted(sizes, key=lambda name: (-sizes[name], name))[:most]}


def retention_from_json(data: Mapping[str, Any]) -> Retention:
    """From the answer of the reader. Raises KeyError, TypeError or ValueError for anything else."""
    new = data.get("new")
    return Retention(
        go_version=data["go_version"],
        live_objects=data["objects"],
        live_bytes=data["bytes"],
        typed_objects=data["typed_objects"],
        typed_bytes=data["typed_bytes"],
        holders=tuple(_holders(data["holders"])),
        types={one["type"]: _count(one) for one in data["types"]},
        new_objects=new["objects"] if new else None,
        new_bytes=new["bytes"] if new else None,
        notes=tuple(data.get("notes", ())),
        of={one["type"]: tuple(_holders(one["holders"])) for one in data.get("of", ())},
    )


def _count(data: Mapping[str, Any]) -> ObjectCount:
    return ObjectCount(data["count"], data["bytes"], data.get("new"), data.get("new_bytes"))


def _holders(found: Sequence[Mapping[str, Any]]) -> Iterator[Holder]:
    for data in found:
        plain = {key: value for key, value in data.items() if key not in ("kind", "path", "sites", "roots")}
        yield Holder(
            **plain,
            kind=HolderKind(data["kind"]),
            path=tuple(Step(**step) for step in data.get("path", ())),
            sites=tuple(AllocationSite(**site) for site in data.get("sites", ())),
            roots=tuple(data.get("roots", ())),
        )
