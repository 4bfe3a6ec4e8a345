"""Shows in a terminal how far a measured test has come, and leaves nothing of that behind."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.terminal import TerminalReporter  # not public in pytest 8.0

from pytest_gomem.base.errors import GomemError
from pytest_gomem.plugin.live_line import LiveLine
from pytest_gomem.report.progress import Progress, progress_line
from pytest_gomem.session.plan import Role, Side

if TYPE_CHECKING:
    from pytest_gomem.plugin.measured import MeasuredItem
    from pytest_gomem.session.subject import Process

# Tests with these may write past the capturing whenever they like.
_WRITE_THEMSELVES = frozenset({"capsys", "capfd", "capsysbinary", "capfdbinary", "capteesys"})
_RECENT = 1.0  # seconds: an older sample says nothing of now


@contextlib.contextmanager
def shown(item: pytest.Item, measured: MeasuredItem) -> Iterator[Callable[[], None]]:
    """Show the line meanwhile, where it is wanted; yields what is to be called when a round has begun."""
    if not is_wanted(item):
        yield lambda: None
        return
    manager = item.config.pluginmanager
    capture: Any = manager.get_plugin("capturemanager")
    reporter: Any = manager.get_plugin("terminalreporter")
    with capture.global_and_fixture_disabled():
        terminal = os.dup(reporter._tw._file.fileno())
    news = _News(measured, name="" if reporter.showlongtestinfo else measured.name)
    line = LiveLine(terminal, lambda: progress_line(news.now(), _room(terminal, reporter)))
    try:
        with line, _out_of_the_way(line, capture):
            yield news.begin_round
    finally:
        os.close(terminal)


def is_wanted(item: pytest.Item) -> bool:
    """Whether a line disturbs nobody: in a real terminal with pytest's own reporter, where other output is captured."""
    config = item.config
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return (
        type(reporter) is TerminalReporter  # one of a plugin may move the cursor
        and bool(reporter.isatty)
        and config.get_verbosity() >= 0
        and config.getoption("capture", "no") == "fd"
        and config.getini("console_output_style") != "classic"
        and not (config.getoption("usepdb", False) or config.getoption("trace", False))
        and os.environ.get("TERM", "dumb") != "dumb"
        and not (os.environ.get("CI") or os.environ.get("BUILD_NUMBER"))  # as pytest itself knows CI
        and _WRITE_THEMSELVES.isdisjoint(getattr(item, "fixturenames", ()))
    )


def _room(terminal: int, reporter: Any) -> int:
    """Columns behind what pytest has written: a blank before the line, and the last column, are left free."""
    width: int = os.get_terminal_size(terminal).columns or reporter._tw.fullwidth
    return width - int(reporter._tw.width_of_current_line) - 2


@contextlib.contextmanager
def _out_of_the_way(line: LiveLine, capture: Any) -> Iterator[None]:
    """Hide the line wherever output reaches the terminal, which pytest's capture manager knows and no hook tells.

    So do announcements, debuggers, live logs, pytest-timeout, and pytest itself after each phase.
    """
    suspend, resume = capture.suspend_global_capture, capture.resume_global_capture

    def suspended(*args: Any, **options: Any) -> None:
        line.hide()
        suspend(*args, **options)

    def resumed() -> None:
        resume()
        line.allow()

    if not os.isatty(1):  # what the test writes is captured already
        line.allow()
    capture.suspend_global_capture, capture.resume_global_capture = suspended, resumed
    try:
        yield
    finally:
        del capture.suspend_global_capture, capture.resume_global_capture


class _News:
    """What the line says. The main thread tells the round; the figures are those that the supervisor has anyway."""

    def __init__(self, measured: MeasuredItem, name: str) -> None:
        self._measured = measured
        self._began = time.monotonic()
        self._heaps: dict[int, tuple[float, int]] = {}
        self._progress = partial(Progress, name)
        self.begin_round()

    def begin_round(self) -> None:
        """Keep which round runs now, and the processes of it."""
        self._position = _position(self._measured)
        self._heaps.clear()

    def now(self) -> Progress:
        """All of it, as of now."""
        now = time.monotonic()
        processes = [service.process for service in self._measured.services()]
        rss = [found for process in processes if (found := _rss(process, now)) is not None]
        heaps = [found for process in processes if (found := self._heap(process, now)) is not None]
        return self._progress(
            self._position, now - self._began, sum(rss) if rss else None, sum(heaps) if rss and heaps else None
        )

    def _heap(self, process: Process, now: float) -> int | None:
        """Of the last collection that the service has printed: to ask it would disturb what is measured."""
        since, known = self._heaps.get(id(process), (now - _RECENT, None))
        with contextlib.suppress(GomemError):
            cycles = process.kept.gc_cycles(since, now)[0] if process.kept is not None else ()
            if cycles:
                known = cycles[-1].heap_live
            if known is not None:
                self._heaps[id(process)] = now, known
        return known


def _rss(process: Process, now: float) -> int | None:
    with contextlib.suppress(GomemError):
        samples = process.timeline.samples(now - _RECENT, now) if process.timeline is not None else ()
        return samples[-1].rss if samples else None
    return None


def _position(measured: MeasuredItem) -> str:
    rounds = measured.rounds
    plan = rounds.current.plan
    if plan.role is Role.OBSERVED:
        return "looking for the cause" if rounds.search() else "once more with profiles"
    return f"{rounds.position}{' (base)' if plan.side is Side.BASE else ''}"
