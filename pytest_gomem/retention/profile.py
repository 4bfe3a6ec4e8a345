"""Holders as a profile that every pprof tool reads: the path from a root is the stack, what it retains the value."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pytest_gomem.pprof.model import Function, Line, Location, Profile, ValueType, pack
from pytest_gomem.retention.model import Holder

RETAINED_OBJECTS, RETAINED_SPACE = "retained_objects", "retained_space"


class _Place(NamedTuple):
    """A frame: a root with its place in the source, or a Go type."""

    name: str
    file: str = ""
    line: int = 0


class _Part(NamedTuple):
    """What belongs to one frame alone. path: from the root to it."""

    path: tuple[_Place, ...]
    objects: int
    space: int


def holders_profile(holders: Sequence[Holder]) -> Profile:
    """The profile of these holders: all values together are what they retain.

    A root is the outermost frame, the types of its path follow. A frame's own value is what it retains and the next
    type of the path does not.
    """
    numbers: dict[_Place, int] = {}
    parts = [part for holder in holders for part in _parts(holder) if part.objects or part.space]
    stacks = [pack(numbers.setdefault(place, len(numbers) + 1) for place in reversed(part.path)) for part in parts]
    return Profile(
        sample_types=(ValueType(RETAINED_OBJECTS, "count"), ValueType(RETAINED_SPACE, "bytes")),
        stacks=stacks,
        values=(array("q", (part.objects for part in parts)), array("q", (part.space for part in parts))),
        labels=None,
        locations={number: _location(place) for place, number in numbers.items()},
        default_sample_type=RETAINED_SPACE,
    )


def _parts(holder: Holder) -> Iterator[_Part]:
    """The parts of what a holder retains, the root's own first; they add up to all of it."""
    path: tuple[_Place, ...] = (_Place(holder.root, holder.file, holder.line),)
    within = max(holder.retained, 0)
    counted = sum(step.count for step in holder.path)
    objects = max(holder.objects - counted, 0)
    for step in holder.path:
        kept = min(max(step.retained, 0), within)  # several roots may lead to more than each of them alone retains
        yield _Part(path, objects, within - kept)
        path, objects, within = (*path, _Place(step.type)), step.count, kept
    yield _Part(path, objects, within)


def _location(place: _Place) -> Location:
    function = Function(place.name, "", place.file, place.line)
    return Location(None, 0, (Line(function, place.line, 0),), is_folded=False)
