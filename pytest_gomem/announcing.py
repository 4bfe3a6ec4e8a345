"""Owns a line to the user in the middle of a test, while something takes long."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from pytest_gomem.printable import printable
from pytest_gomem.use import is_worker


def announce(config: pytest.Config, line: str) -> None:
    """Show a line at once, on a line of its own, whatever is captured; pytest's line of progress is begun anew.

    Not under -q, nor by a worker of xdist: only its controller has a terminal.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or is_worker(config) or config.get_verbosity() < 0:
        return
    capture = config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        progress = reporter.currentfspath  # the file, or under -v the test; reset by ensure_newline
        reporter.ensure_newline()
        reporter.write_line(printable(line))
        if progress:
            is_file = isinstance(progress, Path)
            reporter.write(f"{os.path.relpath(progress, config.invocation_params.dir)} " if is_file else progress)
            reporter.currentfspath = progress
        reporter.flush()
