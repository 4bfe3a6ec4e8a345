"""Repeats the body of a test in one window, for --gomem-cycles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from pytest_gomem.session.window import OpenWindow


def repeat(item: pytest.Item, times: int, windows: Sequence[OpenWindow], check: Callable[[], None]) -> None:
    """Run the body again until it ran so many times; each is a cycle of the windows, and fixtures stay as they are.

    A body that has cycles of its own, or no window, is not repeated. check: raises what a body has noted and not
    raised. Raises what the body raises.
    """
    check()
    if not times or any(window.work_cycles.ended for window in windows):
        return
    for number in range(times):
        if number:
            item.runtest()
            check()
        for window in windows:
            window.end_cycle()
    for window in windows:
        if window.declared_ops is not None:
            window.declared_ops *= times
