"""Finds the goroutines that have come to be, from the stacks that observed rounds have taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_gomem.attribution.goroutines import GoroutineGroup, goroutine_groups
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.observe.stacks import Stacks, read_stacks
from pytest_gomem.session.capture import Captured


def grown_goroutines(
    before: Sequence[Captured], after: Sequence[Captured], module: GoModule
) -> tuple[tuple[GoroutineGroup, ...], tuple[str, ...]]:
    """The groups of goroutines, the largest growth first, and notes on stacks that are missing.

    before, after: the texts of one or more rounds: at the opening and the close of one side, or at the closes of base
    and head. Without any text after, there are no groups.
    """
    notes: dict[str, None] = {}
    earlier, later = ([*_read(side, notes)] for side in (before, after))
    return goroutine_groups(earlier, later, module) if later else (), tuple(notes)


def _read(side: Sequence[Captured], notes: dict[str, None]) -> Iterator[Stacks]:
    for captured in side:
        if isinstance(captured.raw, Unavailable):
            notes[f"no stacks of goroutines: {captured.raw.reason}"] = None
            continue
        stacks = read_stacks(captured.raw)
        if not stacks.total and stacks.unread:
            notes["no stacks of goroutines: the service sent something else"] = None
            continue
        if stacks.is_cut or stacks.left_out:
            more = "but there are more: Go writes at most 64 MiB of them"
            notes[f"the stacks of {stacks.total} goroutines were read, {more}"] = None
        yield stacks
