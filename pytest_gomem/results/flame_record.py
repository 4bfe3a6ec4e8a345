"""A call tree that is small enough to be kept with a failed window, as columns of frozen data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FlameRecord:
    """The largest frames of one or two profiles, for a flame graph.

    shows: what the values are, in words. unit: "bytes" or "count". against: what `before` is, such as "at the opening";
    "" if there is none, and then `before` is empty.

    functions: the names; file, whose: of each of them the place in `files`, and in `legend`; -1 is unknown.

    parent, function, line, value, before: of each node, its caller's place, its function's place, the line in it that
    has most of the value (0 if unknown), and its values with all that it calls. Node 0 is the root, whose parent and
    function are -1; a parent comes before its children.

    dropped: how many frames were left out, being too small; `notes` says how small, and what else to know.
    """

    shows: str
    unit: str
    against: str
    legend: tuple[str, ...]
    functions: tuple[str, ...]
    file: tuple[int, ...]
    whose: tuple[int, ...]
    files: tuple[str, ...]
    parent: tuple[int, ...]
    function: tuple[int, ...]
    line: tuple[int, ...]
    value: tuple[int, ...]
    before: tuple[int, ...] = ()
    dropped: int = 0
    notes: tuple[str, ...] = ()
