"""Owns what is made of an error that a test's body raised: where its traceback ends, and how a line tells it."""

from __future__ import annotations

from types import TracebackType

import pytest

from pytest_gomem.errors import GomemError


def hide_our_frames(error: BaseException) -> None:
    """End the traceback of an error of ours at the user's own line."""
    if not isinstance(error, GomemError) or error.__traceback__ is None:
        return
    last: TracebackType | None = None
    frame: TracebackType | None = error.__traceback__
    while frame is not None:
        name = frame.tb_frame.f_globals.get("__name__", "")
        if not name.startswith(("pytest_gomem", "contextlib")):
            last = frame
        frame = frame.tb_next
    if last is not None:
        last.tb_next = None


def in_one_line(error: BaseException) -> str:
    """The error with the user's line that raised it: "test_it.py:12: AssertionError: assert 404 == 200"."""
    words = " ".join(str(error).split("\n", 1)[0].split())
    text = words if isinstance(error, (GomemError, pytest.fail.Exception)) else f"{type(error).__name__}: {words}"
    if isinstance(error, pytest.skip.Exception):
        text = f"it was skipped there: {words}"
    frame = error.__traceback__
    place = ""
    while frame is not None:
        if _is_users(frame):
            place = f"{frame.tb_frame.f_code.co_filename.rpartition('/')[2]}:{frame.tb_lineno}: "
        frame = frame.tb_next
    return place + text


def _is_users(frame: TracebackType) -> bool:
    name = str(frame.tb_frame.f_globals.get("__name__", ""))
    return name.partition(".")[0] not in ("pytest_gomem", "_pytest", "pluggy", "contextlib", "pytest_timeout")


def is_timeout(error: BaseException) -> bool:
    """Whether pytest-timeout has ended the body: its one alarm is for all rounds, and none may follow."""
    return isinstance(error, pytest.fail.Exception) and str(error).startswith("Timeout (>")
