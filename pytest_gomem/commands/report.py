"""`gomem report`: makes pages and files for CI servers from JSON reports alone."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from pytest_gomem.base.files import from_here
from pytest_gomem.commands.cli import Parser
from pytest_gomem.report.failure import TextOptions
from pytest_gomem.report.json_report import read_report
from pytest_gomem.results.run_record import RunRecord


def report(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Write what is asked for; 0, because only tests and `merge` judge."""
    parser = _parser()
    given = parser.parse_args(argv)
    if not _outputs(given):
        parser.error("say what to write, such as --junit PATH")
    run = read_report(Path(given.report))
    write_outputs(run, given, out)
    return 0


def _parser() -> Parser:
    parser = Parser(
        "gomem report", "Make files for people and CI servers from a JSON report (pytest --gomem-json=PATH)."
    )
    parser.add_argument("report", metavar="REPORT", help="the JSON report")
    add_outputs(parser)
    return parser


def add_outputs(parser: Parser) -> None:
    """What can be made of a run. The destination of each begins with "to_"."""
    parser.add_argument("--junit", dest="to_junit", metavar="PATH", help="write a JUnit file")


def _outputs(given: argparse.Namespace) -> list[object]:
    return [value for name, value in vars(given).items() if name.startswith("to_") and value]


def write_outputs(run: RunRecord, given: argparse.Namespace, out: TextIO) -> None:
    """Write each output that is asked for; raises ConfigError."""
    if given.to_junit:
        from pytest_gomem.report.junit_file import write_junit

        write_junit(run, Path(given.to_junit), _text_options(run, given))


def _text_options(run: RunRecord, given: argparse.Namespace) -> TextOptions:
    return TextOptions(report=given.report, artifacts=from_here(run.artifacts) if run.artifacts else "")
