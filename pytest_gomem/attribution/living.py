"""Limits on what lives: a heap dump of the window's close shows who holds it."""

from __future__ import annotations

from pytest_gomem.config.budgets import PER_TYPE, Budget

GROWTH = frozenset({"heap_growth", "heap_growth_per_op", "rss_growth", "time_to_limit"})
_LIVING = frozenset({"live_heap", "heap_objects", "end_rss", *GROWTH, *PER_TYPE})


def is_on_what_lives(budget: Budget) -> bool:
    """Whether a budget is on what lives at the close of the whole window."""
    return budget.metric in _LIVING and not budget.phase
