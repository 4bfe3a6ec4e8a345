"""`gomem report`: makes pages and files for CI servers from JSON reports alone, and merges those of shards."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from pytest_gomem.base import clock
from pytest_gomem.base.errors import ConfigError
from pytest_gomem.base.printable import printable
from pytest_gomem.commands.cli import Parser
from pytest_gomem.commands.report_outputs import a_path, add_outputs, is_any, write_outputs
from pytest_gomem.report.json_reading import read_stored
from pytest_gomem.report.merging import Merged, merge
from pytest_gomem.report.shards import Shard, refuse_number
from pytest_gomem.results.keys import WITHOUT_RESULT

_MERGE = "merge"
_MOST_LOST = 10  # tests without a result that are named: a shard that is interrupted leaves many


def report(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Write what is asked for; 0, because only tests and `merge` judge: 1 if the merged run fails."""
    with ExitStack() as opened:
        return _merge(argv[1:], opened, out, err) if list(argv[:1]) == [_MERGE] else _report(argv, opened, out)


def _report(argv: Sequence[str], opened: ExitStack, out: TextIO) -> int:
    parser = _parser()
    given = parser.parse_intermixed_args(argv)
    if not is_any(given):
        parser.error("say what to write, such as --junit PATH")
    if len(given.report) == 1 and given.shards is None:
        write_outputs(read_stored(Path(given.report[0]), opened), given, given.report[0], out)
    else:
        write_outputs(_merged(given, opened).run, given, "", out)
    return 0


def _merge(argv: Sequence[str], opened: ExitStack, out: TextIO, err: TextIO) -> int:
    given = _merge_parser().parse_intermixed_args(argv)
    merged = _merged(given, opened)
    is_taken = given.to_markdown == "-"  # stdout is for the comment
    try:
        write_outputs(merged.run, given, given.merged or "", out)
    finally:  # whoever reads the account may close the pipe, and the verdict is told where a file cannot be written
        (err if is_taken else out).write("\n".join(_account(merged, len(given.report))) + "\n")
    return merged.run.exit_status or 0


def _parser() -> Parser:
    words = "Make files for people and CI servers from a JSON report of pytest --gomem-json, or from those of shards."
    more = "gomem report merge --help says how to decide on all shards as one"
    parser = Parser("gomem report", words, epilog=more)
    _add_reports(parser)
    add_outputs(parser, "-o")
    parser.set_defaults(merged=None)
    return parser


def _merge_parser() -> Parser:
    words = "Merge the JSON reports of the shards of a run, and say whether the whole run fails: exit status 1."
    parser = Parser("gomem report merge", words)
    _add_reports(parser)
    words = "write the merged report"
    parser.add_argument("-o", "--output", dest="merged", type=a_path, metavar="MERGED.json", help=words)
    add_outputs(parser)
    return parser


def _add_reports(parser: Parser) -> None:
    parser.add_argument("report", nargs="+", metavar="REPORT", help="a JSON report, or those of all shards of a run")
    parser.add_argument("--shards", type=int, metavar="N", help="how many reports there must be")
    parser.add_argument(
        "--without", action="append", default=[], metavar="GLOB", help="tests that no shard is to run; repeatable"
    )


def _merged(given: argparse.Namespace, opened: ExitStack) -> Merged:
    """The reports as one; raises ConfigErrors."""
    written = given.merged
    if written and Path(written).resolve() in [Path(file).resolve() for file in given.report]:
        raise ConfigError(
            f"{written} is among the reports to merge, and -o would replace it", hint="remove it, or write elsewhere"
        )
    if given.shards is not None:
        refuse_number(given.report, given.shards)
    shards = [Shard(file, read_stored(Path(file), opened)) for file in given.report]
    return merge(shards, clock.today(), given.without)


def _account(merged: Merged, number: int) -> list[str]:
    """What fails the run, what is to be known beside, and how many tests there were."""
    outcomes = Counter(merged.outcomes.values())
    counted = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()) or "none was measured"
    failures = list(merged.failures.values())
    lost = [text for test, text in merged.failures.items() if merged.outcomes[test] in WITHOUT_RESULT]
    if more := len(lost[_MOST_LOST:]):
        failures = [text for text in failures if text not in lost[_MOST_LOST:]]
        failures.append(f"and {more} more test{'s' * (more > 1)} without a result")
    problems = [f"FAILED {printable(problem)}" for problem in merged.run.problems]
    remarks = [f"note: {printable(remark)}" for remark in merged.remarks]
    tests = outcomes.total()
    whole = f"{number} report{'s' * (number != 1)}, {tests} test{'s' * (tests != 1)}: {counted}"
    return [*failures, *problems, *remarks, whole]
