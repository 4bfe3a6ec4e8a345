"""Owns the advice of how many rounds would tell what those that were run cannot."""

from __future__ import annotations

from collections.abc import Callable

_MOST = 50  # more rounds than this are no advice


def rounds_needed(
    had: tuple[int, int], suffices: Callable[[int, int], bool], fewest: int, at_least: int, *, base_grows: bool
) -> tuple[int, int] | None:
    """The rounds of base and new with which a change of that size would stand out; None where 50 would not do.

    A base that has enough rounds and cannot grow stays as it is, unless no number of new rounds would do against it:
    then it is to be recorded again, with as many.
    """
    had_base, had_new = had
    counts = range(max(fewest, had_new + 1, at_least), _MOST + 1)
    if had_base >= fewest and not base_grows:
        for new in counts:
            if suffices(had_base, new):
                return had_base, new
        counts = range(max(counts.start, had_base + 1), _MOST + 1)
    for new in counts:
        base = max(had_base, new)
        if suffices(base, new):
            return base, new
    return None
