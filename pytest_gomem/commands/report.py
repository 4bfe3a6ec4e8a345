"""`gomem report`: makes pages and files for CI servers from JSON reports alone, and merges those of shards."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from pytest_gomem.base import clock
from pytest_gomem.base.errors import ConfigError
from pytest_gomem.base.files import from_here
from pytest_gomem.base.printable import printable, raw_stream
from pytest_gomem.commands.cli import Parser
from pytest_gomem.report.failure import TextOptions
from pytest_gomem.report.json_reading import read_stored
from pytest_gomem.report.json_report import write_json
from pytest_gomem.report.merging import Merged, merge
from pytest_gomem.report.shards import Shard, refuse_number
from pytest_gomem.results.run_record import RunRecord

_MERGE = "merge"


def report(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Write what is asked for; 0, because only tests and `merge` judge: 1 if the merged run fails."""
    with ExitStack() as opened:
        return _merge(argv[1:], opened, out, err) if list(argv[:1]) == [_MERGE] else _report(argv, opened, out)


def _report(argv: Sequence[str], opened: ExitStack, out: TextIO) -> int:
    parser = _parser()
    given = parser.parse_args(argv)
    if not _is_any(given):
        parser.error("say what to write, such as --junit PATH")
    if len(given.report) == 1 and given.shards is None:
        write_outputs(read_stored(Path(given.report[0]), opened), given, given.report[0], out)
    else:
        write_outputs(_merged(given, opened).run, given, "", out)
    return 0


def _merge(argv: Sequence[str], opened: ExitStack, out: TextIO, err: TextIO) -> int:
    given = _merge_parser().parse_args(argv)
    merged = _merged(given, opened)
    is_taken = "-" in vars(given).values()  # stdout is for one of the outputs
    (err if is_taken else out).write("\n".join(_account(merged, len(given.report))) + "\n")
    if given.merged:
        write_json(merged.run, Path(given.merged), "-o")
    write_outputs(merged.run, given, given.merged or "", out)
    return merged.run.exit_status or 0


def _parser() -> Parser:
    words = "Make files for people and CI servers from a JSON report of pytest --gomem-json, or from those of shards."
    more = "gomem report merge --help says how to decide on all shards as one"
    parser = Parser("gomem report", words, epilog=more)
    _add_reports(parser)
    add_outputs(parser, "-o")
    return parser


def _merge_parser() -> Parser:
    words = "Merge the JSON reports of the shards of a run, and say whether the whole run fails: exit status 1."
    parser = Parser("gomem report merge", words)
    _add_reports(parser)
    parser.add_argument("-o", "--output", dest="merged", metavar="MERGED.json", help="write the merged report")
    add_outputs(parser)
    return parser


def _add_reports(parser: Parser) -> None:
    parser.add_argument("report", nargs="+", metavar="REPORT", help="a JSON report, or those of all shards of a run")
    parser.add_argument("--shards", type=int, metavar="N", help="how many reports there must be")
    parser.add_argument(
        "--without", action="append", default=[], metavar="GLOB", help="tests that no shard is to run; repeatable"
    )


def add_outputs(parser: Parser, *of_page: str) -> None:
    """What can be made of a run. The destination of each begins with "to_". of_page: other names of --html."""
    page = "write a page to look at all tests: one HTML file"
    parser.add_argument(*of_page, "--html", dest="to_html", metavar="PATH", help=page)
    parser.add_argument("--markdown", dest="to_markdown", metavar="PATH|-", help="write the comment for a pull request")
    parser.add_argument("--key", default="", metavar="KEY", help="with --markdown: that of the job, if several comment")
    parser.add_argument(
        "--gitlab", dest="to_gitlab", metavar="DIR", help="write a code quality report and a metrics report for GitLab"
    )
    parser.add_argument(
        "--annotations",
        dest="to_annotations",
        action="store_true",
        help="print workflow commands that annotate the change on GitHub, and add to the summary of the job",
    )
    parser.add_argument("--junit", dest="to_junit", metavar="PATH", help="write a JUnit file")


def _is_any(given: argparse.Namespace) -> bool:
    return any(value for name, value in vars(given).items() if name.startswith("to_"))


def write_outputs(run: RunRecord, given: argparse.Namespace, file: str, out: TextIO) -> None:
    """Write each output that is asked for; raises ConfigError. file: the JSON report of the run, if there is one."""
    if given.to_html:
        from pytest_gomem.page.write import write_page

        write_page(run, Path(given.to_html), "--html")
    if given.to_markdown or given.to_gitlab or given.to_annotations:
        _for_pull_request(run, given, out)
    if given.to_junit:
        from pytest_gomem.report.junit_file import write_junit

        artifacts = from_here(run.artifacts) if run.artifacts else ""
        write_junit(run, Path(given.to_junit), TextOptions(report=file, artifacts=artifacts))


def _for_pull_request(run: RunRecord, given: argparse.Namespace, out: TextIO) -> None:
    from pytest_gomem.ci.findings import tell
    from pytest_gomem.ci.github import run_link
    from pytest_gomem.ci.gitlab import write_gitlab
    from pytest_gomem.ci.markdown import comment
    from pytest_gomem.ci.outputs import show_on_github, write_comment
    from pytest_gomem.launch.in_repository import top_of_repository

    told = tell(run, top_of_repository(Path.cwd()), from_here(run.artifacts) if run.artifacts else "")
    raw = raw_stream(out)  # others' words are escaped in both, as GitHub wants it
    if given.to_markdown == "-":
        raw.write(comment(told, key=given.key, link=run_link(os.environ)) + "\n")
    elif given.to_markdown:
        write_comment(told, Path(given.to_markdown), given.key, os.environ)
    if given.to_gitlab:
        write_gitlab(told, Path(given.to_gitlab))
    if given.to_annotations:
        raw.writelines(f"{line}\n" for line in show_on_github(told, os.environ))


def _merged(given: argparse.Namespace, opened: ExitStack) -> Merged:
    """The reports as one; raises ConfigErrors."""
    written = getattr(given, "merged", None)
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
    problems = [f"FAILED {printable(problem)}" for problem in merged.run.problems]
    remarks = [f"note: {printable(remark)}" for remark in merged.remarks]
    tests = outcomes.total()
    whole = f"{number} report{'s' * (number != 1)}, {tests} test{'s' * (tests != 1)}: {counted}"
    return [*merged.failures.values(), *problems, *remarks, whole]
