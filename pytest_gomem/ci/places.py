"""Where a failure is shown in a repository: at the line of Go that caused it, else at its test."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.pprof.group import package_of
from pytest_gomem.report.first_verdict import first_of, group_of, holder_of
from pytest_gomem.report.next_command import is_test
from pytest_gomem.report.traces import traced_line
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.window_record import WindowRecord


class Spot(NamedTuple):
    """A file relative to the top of the repository, "" for none, and its line from 1, 0 if unknown."""

    file: str = ""
    line: int = 0


def spot_of(
    run: RunRecord, test: TestRecord, window: WindowRecord, broken: Sequence[Verdict], top: Path | None
) -> Spot:
    """The line of Go of the first broken limit that has one in the repository at `top`, else the test.

    A culprit outside of it, as in another module, gives way to the line of the user's own that called it. top: None if
    the repository is not at hand, as where shards are merged: then names tell what is the user's own.
    """
    of_go = (spot for verdict in broken for spot in _candidates(window, verdict, top))
    return next(of_go, None) or test_spot(run, test)


def test_spot(run: RunRecord, test: TestRecord) -> Spot:
    """The test itself; no file for what is no test."""
    if not is_test(test.nodeid):
        return Spot()
    file = posixpath.normpath(posixpath.join(run.folder, test.nodeid.partition("::")[0]))
    return Spot() if _is_odd(file) else Spot(file, test.line or 0)


def _is_odd(file: str) -> bool:
    """Whether a name leads out of the repository, or cannot stand in a line."""
    return file.startswith(("/", "..")) or "/../" in file or not file.isprintable()


def _candidates(window: WindowRecord, verdict: Verdict, top: Path | None) -> Iterator[Spot]:
    """The lines of the repository that the report names for a verdict, the surest first.

    The line of a holder is the last: a goroutine may hold by its call what was allocated far from there.
    """
    folder, culprit = window.build.folder, first_of(window, verdict)
    if folder is None:
        return
    callers = culprit.callers if culprit else ()
    traced = traced_line(window, verdict)
    for one in (group_of(window, verdict), traced, culprit, *callers, holder_of(window, verdict)):
        if one is not None and one.file:
            spot = Spot(posixpath.join(folder, one.file), one.line)
            if _is_in(spot, top) if top else _seems_own(one.function, one.file, spot):
                yield spot


def _seems_own(function: str, file: str, spot: Spot) -> bool:
    """Whether a function is of the user's own module, as far as names tell: the standard library has no domain."""
    package = package_of(function)
    has_domain = "." in package.partition("/")[0]
    return (package == "main" or has_domain) and "@" not in file and spot.line > 0 and not _is_odd(spot.file)


def _is_in(spot: Spot, top: Path) -> bool:
    """Whether it is a line of a file below `top`."""
    if spot.line < 1 or _is_odd(spot.file):
        return False
    try:
        return (top / spot.file).is_file() and (top / spot.file).resolve().is_relative_to(top.resolve())
    except OSError:  # a name that no file can have
        return False
