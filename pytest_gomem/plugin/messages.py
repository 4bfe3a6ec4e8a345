"""Messages to users: warnings, a line while something takes long, and sections of the summary."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gomem.base.printable import printable_line, printable_lines
from pytest_gomem.plugin.use import is_worker

if TYPE_CHECKING:
    from pytest_gomem.report.text import Line


class GomemWarning(pytest.PytestWarning):
    """Something in gomem.yaml or a marker has no effect."""

    def __init__(self, text: str) -> None:
        super().__init__(printable_lines(text))


def write_section(terminal: pytest.TerminalReporter, title: str, lines: Sequence[Line]) -> None:
    """Write the lines, each in its colour, below a title; nothing if there are none."""
    if lines:
        terminal.section(title, "=")
    for text, style in lines:
        terminal.write_line(printable_line(text), **({style: True} if style else {}))


def command_runner(config: pytest.Config, commands: Sequence[str]) -> None:
    """Write commands to the CI runner that reads our output, each at the start of a line, also under -q."""
    with _uncaptured(config):
        if reporter := config.pluginmanager.get_plugin("terminalreporter"):
            reporter.ensure_newline()
            if reporter._tw.width_of_current_line:  # dots, which under -q ensure_newline knows nothing of
                reporter.write_line("")
            for command in commands:
                reporter.write_line(command)
            reporter.flush()
        else:
            print("", *commands, sep="\n", flush=True)


def _uncaptured(config: pytest.Config) -> AbstractContextManager[object]:
    capture = config.pluginmanager.get_plugin("capturemanager")
    return capture.global_and_fixture_disabled() if capture else contextlib.nullcontext()


def announce(config: pytest.Config, line: str) -> None:
    """Show a line at once, on its own line, even while output is captured; not under -q."""
    if config.get_verbosity() < 0:
        return
    with _uncaptured(config):
        if is_worker(config):  # of xdist: its only terminal is the controller's stderr
            print(f"\n{printable_line(line)}", file=sys.stderr, flush=True)
        elif reporter := config.pluginmanager.get_plugin("terminalreporter"):
            _report(config, reporter, printable_line(line))


def _report(config: pytest.Config, reporter: Any, line: str) -> None:
    """Show the line, then begin pytest's line of progress anew."""
    progress = reporter.currentfspath  # the file, or under -v the test; reset by ensure_newline
    reporter.ensure_newline()
    reporter.write_line(line)
    if progress:
        is_file = isinstance(progress, Path)
        reporter.write(f"{os.path.relpath(progress, config.invocation_params.dir)} " if is_file else progress)
        reporter.currentfspath = progress
    reporter.flush()
