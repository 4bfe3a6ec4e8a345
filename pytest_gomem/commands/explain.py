"""`gomem explain`: prints the failures of a JSON report as the run printed them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TextIO

from pytest_gomem.base.files import from_here
from pytest_gomem.base.names import find_tests, may_mean
from pytest_gomem.base.printable import printable
from pytest_gomem.commands.cli import Parser
from pytest_gomem.report.explained import has_failed, text_of
from pytest_gomem.report.failure import LINES, TextOptions
from pytest_gomem.report.json_reading import read_each
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.stored import StoredTests, to_line


def explain(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Print the failed tests, or those that are named; 0, because only tests judge."""
    given = _parser().parse_args(argv)
    with closing(StoredTests()) as stored:
        read = _read(Path(given.report), stored, given.test)
        named = find_tests(given.test, read.nodeids) if given.test else ()
        artifacts = from_here(read.run.artifacts) if read.run.artifacts else ""
        options = TextOptions(lines=None if given.verbose else LINES, report=given.report, artifacts=artifacts)
        texts = [text_of(test, options) for test in stored if not named or test.nodeid in named]
    texts += [] if given.test else _problems(read.run)
    counted = ", ".join(f"{count} {outcome}" for outcome, count in read.outcomes.items()) or "none was measured"
    out.write("\n\n".join(texts or [f"no test of {given.report} failed: {counted}"]) + "\n")
    return 0


class _Read(NamedTuple):
    """A run without its tests, with their ids and how many had which outcome."""

    run: RunRecord
    nodeids: list[str]
    outcomes: Counter[str]


def _read(report: Path, stored: StoredTests, wanted: str | None) -> _Read:
    """Read test by test, and store those that may be shown."""
    nodeids, outcomes = list[str](), Counter[str]()

    def keep(test: TestRecord) -> None:
        nodeids.append(test.nodeid)
        outcomes[test.outcome] += 1
        if may_mean(wanted, test.nodeid) if wanted else has_failed(test):
            stored.keep(str(len(nodeids)), to_line(test))

    return _Read(read_each(report, keep), nodeids, outcomes)


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
