"""Owns `gomem compare`: pytest, with each test run on another commit or binary too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from pytest_gomem.commands.pytest_run import run_pytest, status_of

_USAGE = """\
usage: gomem compare REF|BINARY [pytest args]

Run each gomem test on that commit, or that binary, as well as on the working tree, and compare. Ends with a table:
test, metric, base, now, change, verdict. Exit status: 0 fine, 1 a test or a comparison failed, 2 bad input.

  gomem compare origin/main                      # what this branch changes
  gomem compare HEAD                             # what is not committed yet
  gomem compare ./bin/api-1.4 -k upload --gomem-rounds=5
"""


def compare(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Run pytest with --gomem-against=REF."""
    if not argv or argv[0].startswith("-"):
        is_help = bool(argv) and argv[0] in ("-h", "--help")
        (out if is_help else err).write(_USAGE)
        return 0 if is_help else 2
    return status_of(run_pytest([f"--gomem-against={argv[0]}", *argv[1:]]))
