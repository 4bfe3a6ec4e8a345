"""`gomem explain`: prints the failures of a JSON report as the run printed them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from pytest_gomem.base.files import from_here
from pytest_gomem.base.names import find_tests
from pytest_gomem.base.printable import printable
from pytest_gomem.commands.cli import Parser
from pytest_gomem.report.explained import has_failed, text_of
from pytest_gomem.report.failure import LINES, TextOptions
from pytest_gomem.report.json_reading import read_report
from pytest_gomem.results.run_record import RunRecord


def explain(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Print the failed tests, or those that are named; 0, because only tests judge."""
    given = _parser().parse_args(argv)
    run = read_report(Path(given.report))
    named = set(find_tests(given.test, [test.nodeid for test in run.tests])) if given.test else ()
    shown = [test for test in run.tests if test.nodeid in named or (not named and has_failed(test))]
    options = TextOptions(
        lines=None if given.verbose else LINES,
        report=given.report,
        artifacts=from_here(run.artifacts) if run.artifacts else "",
    )
    texts = [text_of(test, options) for test in shown] + ([] if given.test else _problems(run))
    outcomes = Counter(test.outcome for test in run.tests)
    counted = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()) or "none was measured"
    out.write("\n\n".join(texts or [f"no test of {given.report} failed: {counted}"]) + "\n")
    return 0


def _problems(run: RunRecord) -> list[str]:
    return ["\n".join(printable(f"the run fails: {problem}") for problem in run.problems)] if run.problems else []


def _parser() -> Parser:
    parser = Parser(
        "gomem explain", "Print the failures of a JSON report (pytest --gomem-json=PATH) as the run printed them."
    )
    parser.add_argument("report", metavar="REPORT", help="the JSON report")
    parser.add_argument(
        "test", nargs="?", metavar="TEST", help="a test's id, the end of one, or a glob (default: each that failed)"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help=f"all lines, not {LINES} of a test at most")
    return parser
