"""`gomem compare`: runs each test on another commit or binary too, and compares."""

from __future__ import annotations

from argparse import RawDescriptionHelpFormatter
from collections.abc import Sequence
from typing import TextIO

from pytest_gomem.commands.cli import Parser
from pytest_gomem.commands.pytest_run import run_pytest, status_of

_DESCRIPTION = """\
Run each gomem test on a commit or binary and on the working tree, and compare. At the end you get a table: test,
metric, base, now, change, verdict. Exit status: 0 fine, 1 a test or a comparison failed, 2 bad input.
"""
_EXAMPLES = """\
  gomem compare origin/main                      # what this branch changes
  gomem compare HEAD                             # what is not committed yet
  gomem compare ./bin/api-1.4 -k upload --gomem-rounds=5
"""


def compare(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Run pytest with --gomem-against=REF."""
    base = _parser().parse_args(argv[:1]).base
    return status_of(run_pytest([f"--gomem-against={base}", *argv[1:]]))


def _parser() -> Parser:
    parser = Parser(
        "gomem compare",
        _DESCRIPTION,
        usage="gomem compare REF|BINARY [pytest args]",
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("base", metavar="REF|BINARY", help="what to compare the working tree with")
    return parser
