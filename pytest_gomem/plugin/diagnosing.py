"""Whether a failed test runs again to find the cause, and how many of a run do."""

from __future__ import annotations

import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_DEADLINE: pytest.StashKey[float] = pytest.StashKey()
_ROOM = 2  # rounds that must fit before pytest-timeout ends the test


def note_deadline(item: pytest.Item, seconds: float) -> None:
    """Remember when pytest-timeout will end the test: in so many seconds."""
    item.stash[_DEADLINE] = time.monotonic() + seconds


def refusals(item: pytest.Item, most: int, folder: Callable[[], Path]) -> Callable[[float], str]:
    """Asks why a failed test is not diagnosed, given the seconds of a round; "" takes one of the run's diagnoses.

    most: diagnoses of the run. folder: that all its processes share.
    """
    return partial(_refusal, item, most, folder)


def _refusal(item: pytest.Item, most: int, folder: Callable[[], Path], seconds: float) -> str:
    if not most:
        return "the diagnosis is off (--gomem-diagnose=off)"
    if _will_run_again(item):
        return "the test will run again (pytest-rerunfailures), and only its last attempt is diagnosed"
    left = item.stash.get(_DEADLINE, float("inf")) - time.monotonic()
    if left < _ROOM * seconds:
        return f"a round takes about {seconds:.0f} s, and pytest-timeout leaves {max(left, 0):.0f} s of the test's time"
    if not _take(folder() / "diagnosed", most):
        others = "1 failed test of this run was" if most == 1 else f"{most} failed tests of this run were"
        return f"{others} diagnosed before it (--gomem-diagnose={most})"
    return ""


def _will_run_again(item: pytest.Item) -> bool:
    """Whether pytest-rerunfailures has attempts left; it does not count those that it will refuse for their error."""
    plugin: Any = item.config.pluginmanager.getplugin("rerunfailures")
    attempt, count = getattr(item, "execution_count", None), getattr(plugin, "get_reruns_count", None)
    if attempt is None or count is None:
        return False
    return bool(attempt <= (count(item) or 0))


def _take(folder: Path, most: int) -> bool:
    """Take one of so many tickets, each a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(len(list(folder.iterdir())), most):
        with contextlib.suppress(FileExistsError):
            (folder / str(number)).touch(exist_ok=False)
            return True
    return False
