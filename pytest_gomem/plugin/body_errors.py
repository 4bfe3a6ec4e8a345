"""Shapes the errors that fail a test: where the traceback ends, and their one-line form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

import pytest

from pytest_gomem.base.errors import BudgetBroken, BuildError, GomemError, KilledAtLimit, LaunchError, ServiceDied
from pytest_gomem.judge.oom import oom_words

if TYPE_CHECKING:
    from pytest_gomem.session.measurement import Measurement

_SHOWN = 3  # lines of a compiler
_OTHERS = ("pytest_gomem", "_pytest", "pluggy", "contextlib", "unittest", "pytest_timeout")  # between us and the user


def killed_at_limit(error: BaseException, measurements: Iterable[Measurement], file: str) -> KilledAtLimit | None:
    """The error of a body whose service was killed at its memory limit in one of these windows, if one was.

    What the body raised then, as a client of its own does, says less: only the line of the test's file is left of it.
    """
    found = next(((one, kill) for one in measurements if (kill := one.record.oom) is not None), None)
    if found is None or isinstance(error, KilledAtLimit):
        return error if found and isinstance(error, KilledAtLimit) else None
    one, kill = found
    killed = KilledAtLimit(one.service.name, oom_words(kill), one.service.shown_log(tail=20))
    lines = [frame for frame in _frames(error) if frame.tb_frame.f_code.co_filename == file]
    shown = TracebackType(None, lines[-1].tb_frame, lines[-1].tb_lasti, lines[-1].tb_lineno) if lines else None
    return killed.with_traceback(shown or error.__traceback__)


class PlainFailure(pytest.fail.Exception):  # type: ignore[misc, name-defined]
    """Pytest's failure, shown without a traceback; `headline` is the line for summaries."""

    def __init__(self, text: str, headline: str) -> None:
        super().__init__(text, pytrace=False)
        self.headline = headline


def plainly(error: GomemError) -> PlainFailure:
    """An error that the user can fix, as a failure with the error's own text."""
    return PlainFailure(str(error), _first_words(error))


def abridge(report: pytest.TestReport, error: BaseException, location: tuple[str, int | None, str]) -> None:
    """Give the report one line for short summaries and JUnit's `message`; the whole text stays in its body.

    With CI set, pytest's short summary would repeat all of it.
    """
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None or not isinstance(error, (PlainFailure, GomemError)):
        return
    if isinstance(error, PlainFailure):
        path, line, _ = location
        crash.path, crash.lineno = path, (line or 0) + 1
    crash.message = _first_words(error)


def raise_noted(item: pytest.Item, *, forget: bool) -> None:
    """Raise what the body of a unittest.TestCase raised: unittest catches it, and pytest keeps it for the report.

    forget: keep it out of the report.
    """
    noted: list[pytest.ExceptionInfo[BaseException]] = getattr(item, "_excinfo", None) or []
    if not noted:
        return
    error = noted[0].value
    # A single error reaches the report because we raise it. Of several, pytest takes the first here, the next later.
    if forget or len(noted) == 1:
        noted.clear()
    raise error


def hide_our_frames(error: BaseException) -> None:
    """End the traceback of our error at the user's line, and leave out the error that caused it.

    Do the same for each cause of the user's own error.
    """
    seen = set[int]()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, GomemError):
            _hide_our_part(cause)
        cause = cause.__cause__ or cause.__context__


def _hide_our_part(error: GomemError) -> None:
    others = [frame for frame in _frames(error) if not _module(frame).startswith(("pytest_gomem", "contextlib"))]
    if others:
        others[-1].tb_next = None
    # The error that the user was handling began in a line that is still shown.
    shown = {frame.tb_frame for frame in _frames(error)} if others else set()
    context = error.__context__
    while context is not None and not (context.__traceback__ and context.__traceback__.tb_frame in shown):
        context = context.__context__
    error.__cause__, error.__context__ = None, context
    error.__suppress_context__ = context is None


def in_one_line(error: BaseException) -> str:
    """The error with the user's line that raised it: "test_it.py:12: AssertionError: assert 404 == 200"."""
    words = _first_words(error)
    text = words if isinstance(error, (GomemError, pytest.fail.Exception)) else f"{type(error).__name__}: {words}"
    if isinstance(error, pytest.skip.Exception):
        text = f"it was skipped there: {words}"
    users = [frame for frame in _frames(error) if _module(frame).partition(".")[0] not in _OTHERS]
    if not users:
        return text
    return f"{users[-1].tb_frame.f_code.co_filename.rpartition('/')[2]}:{users[-1].tb_lineno}: {text}"


def _first_words(error: BaseException) -> str:
    """The first line, and the cause in the output of a compiler or a service."""
    if isinstance(error, (PlainFailure, BudgetBroken, KilledAtLimit)):
        return error.headline
    first = " ".join(str(error).split("\n", 1)[0].split())
    if isinstance(error, BuildError):
        lines = [line.strip() for line in error.output.splitlines() if line.strip() and not line.startswith("#")]
        more = " ..." if len(lines) > _SHOWN else ""
        return f"building service '{error.service}' failed: {'; '.join(lines[:_SHOWN])}{more}"
    tells_crash = isinstance(error, ServiceDied) and "ended with " not in first  # which are the log's own words
    if isinstance(error, LaunchError) and error.log_tail.strip() and not tells_crash:
        # log.Fatal speaks last; a flag that is not known speaks first.
        lines = error.log_tail.strip().splitlines()
        return f"{first}; its log: {' ... '.join(dict.fromkeys((lines[0].strip(), lines[-1].strip())))}"
    return first


def _frames(error: BaseException) -> Iterator[TracebackType]:
    """The frames of its traceback, the outermost first."""
    frame = error.__traceback__
    while frame is not None:
        yield frame
        frame = frame.tb_next


def _module(frame: TracebackType) -> str:
    return str(frame.tb_frame.f_globals.get("__name__", ""))


def is_timeout(error: BaseException) -> bool:
    """Whether pytest-timeout ended the body: its one alarm is for all rounds, so none may follow."""
    return isinstance(error, pytest.fail.Exception) and str(error).startswith("Timeout (>")
