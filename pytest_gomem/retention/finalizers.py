"""Finalizers and cleanups that keep their own objects, as the Go runtime prints them before it ends a program.

GODEBUG=checkfinalizers=1 (Go 1.25) looks for them in each GC cycle. A heap dump has no cleanups, so it shows no holder
of what they reach.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_gomem.retention.model import AllocationSite

CHECK = "checkfinalizers"  # a key of GODEBUG
_FIRST_GO = (1, 25)
_VERSION = re.compile(r"go(\d+)\.(\d+)")
_REPORT = re.compile(
    r"^Value of type (?P<type>.+) at 0x[0-9a-f]+\n"
    r"  is reachable from (?:finalizer|cleanup or cleanup argument)\n"
    r"(?:  .*\n)*\n"
    r"Has (?P<kind>finalizer|cleanup) at 0x[0-9a-f]+\n"
    r"  (?P<function>.+)\(\)\n +.+:(?P<begins>\d+) .*\n"
    r"created at: *\n"
    r"  (?P<adder>.+)\(\)\n +(?P<file>.+):(?P<line>\d+) \+0x[0-9a-f]+$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class SelfHeld:
    """Objects of a Go type that are reachable from their own finalizer or cleanup, so that it never runs.

    kind: "finalizer" or "cleanup". function: that it would run. added: the line that adds it, and how many were seen.
    """

    type: str
    kind: str
    function: str
    added: AllocationSite


def names_them(go_version: str) -> bool:
    """Whether programs of this Go release can name them."""
    found = _VERSION.match(go_version)
    return found is not None and (int(found[1]), int(found[2])) >= _FIRST_GO


def in_log(log: str) -> tuple[SelfHeld, ...]:
    """What the log of a program says of them, the most frequent first. The runtime reports some 50 at most."""
    counts = Counter(_reports(log))
    return tuple(
        SelfHeld(type_, kind, function, AllocationSite(adder, file, line, count))
        for (type_, kind, function, adder, file, line), count in counts.most_common()
    )


def _reports(log: str) -> Iterator[tuple[str, str, str, str, str, int]]:
    for one in _REPORT.finditer(log):
        # The runtime names the line that it returns to. A function literal begins on the line of the call.
        is_literal = one["function"].startswith(f"{one['adder']}.func")
        line = int(one["begins"] if is_literal else one["line"])
        yield one["type"], one["kind"], one["function"], one["adder"], one["file"], line
