"""What `gomem tighten` says of each budget, and the differences of the texts."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterator, Sequence

from pytest_gomem.base.printable import printable, printable_line
from pytest_gomem.base.units import format_value
from pytest_gomem.tighten.new_limits import Stays, Tighter

_TEXT = str.maketrans({"\t": " ", "\f": " ", "\ufeff": " "})  # what source files hold beside printable characters


def tighter_lines(one: Tighter) -> Iterator[str]:
    """Where it stands, each limit before and after, and what decides it."""
    unit, by = one.limits[0].old.unit, one.by
    changes = ", ".join(f"{limit.kind} {limit.old.written} -> {limit.written}" for limit in one.limits)
    yield printable(f"{one.budget.place}: {changes}")
    rounds = "1 round" if by.rounds == 1 else f"{by.rounds} rounds"
    measured, visible = format_value(by.worst, unit), format_value(by.visible, unit)
    yield printable(f"  {by.window.name}: {measured} at worst in {rounds}, smallest visible change {visible}")


def stays_lines(one: Stays) -> Iterator[str]:
    """Where it stands, and why it stays."""
    yield printable(f"{one.budget.place}: stays: {one.why}")


def undone_lines(undone: Sequence[tuple[Tighter, str]]) -> Iterator[str]:
    """The limits that somebody must change by hand."""
    for one, why in undone:
        yield from tighter_lines(one)
        yield printable(f"  {why}")


def difference(file: str, before: str, after: str) -> Iterator[str]:
    """The unified diff of a file, as `git apply` and `patch -p1` take it; without line ends.

    Tabs and carriage returns stay, so the lines are for a stream that changes nothing. What a terminal or a CI runner
    could take for a command is escaped.
    """
    old, new = (list(io.StringIO(text, newline="\n")) for text in (before, after))
    for line in difflib.unified_diff(old, new, f"a/{file}", f"b/{file}"):
        shown = line.removesuffix("\n")
        plain = shown.removesuffix("\r").translate(_TEXT)
        yield shown if printable_line(plain) == plain else printable_line(shown)
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"
