"""Finalizers and cleanups that keep their own objects, as the Go runtime prints them before it ends a program.

GODEBUG=checkfinalizers=1 (Go 1.25) looks for them in each GC cycle. A heap dump has no cleanups, so it shows no holder
of what they reach.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pytest_gomem.retention.model import AllocationSite

CHECK = "checkfinalizers"  # a key of GODEBUG
_FIRST_GO = (1, 25)
_VERSION = re.compile(r"go(\d+)\.(\d+)")
_REPORT = re.compile(
    r"^Value of type (?P<type>.+) at 0x[0-9a-f]+\n"
    r"  is reachable from (?:finalizer|cleanup or cleanup argument)\n"
    r"(?:  .*\n)*\n"
    r"Has (?P<kind>finalizer|cleanup) at 0x[0-9a-f]+\n"
    r"  (?P<function>.+)\(\)\n.*\n"
    r"created at: *\n"
    r"  (?P<adder>.+)\(\)\n +(?P<file>.+):(?P<line>\d+) \+(?P<offset>0x[0-9a-f]+)$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class SelfHeld:
    """Objects of a Go type that are reachable from their own finalizer or cleanup, so that it never runs.

    kind: "finalizer" or "cleanup". function: that it would run. added: where the call returns to that adds it, and how
    many were seen. call: the same as function and offset, for `lines_of_calls`.
    """

    type: str
    kind: str
    function: str
    added: AllocationSite
    call: str = ""

    def at(self, file: str, line: int) -> SelfHeld:
        """The same with another place of the call."""
        return replace(self, added=replace(self.added, file=file, line=line))


def names_them(go_version: str) -> bool:
    """Whether programs of this Go release can name them."""
    found = _VERSION.match(go_version)
    return found is not None and (int(found[1]), int(found[2])) >= _FIRST_GO


def in_log(log: str) -> tuple[SelfHeld, ...]:
    """What the log of a program says of them, the most frequent first. The runtime reports some 50 at most."""
    counts = Counter(_reports(log))
    return tuple(
        SelfHeld(type_, kind, function, AllocationSite(adder, file, line, count), f"{adder}+{offset}")
        for (type_, kind, function, adder, file, line, offset), count in counts.most_common()
    )


def _reports(log: str) -> Iterator[tuple[str, str, str, str, str, int, str]]:
    for one in _REPORT.finditer(log):
        added = one["adder"], one["file"], int(one["line"]), one["offset"]
        yield one["type"], one["kind"], one["function"], *added
