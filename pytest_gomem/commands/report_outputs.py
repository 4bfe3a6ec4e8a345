"""What `gomem report` makes of a run: its arguments, and the writing of each."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TextIO

from pytest_gomem.base.files import from_here
from pytest_gomem.base.printable import raw_stream
from pytest_gomem.commands.cli import Parser, checked
from pytest_gomem.config.fields import Mistakes
from pytest_gomem.report.failure import TextOptions
from pytest_gomem.results.run_record import RunRecord


def add_outputs(parser: Parser, *of_page: str) -> None:
    """What can be made of a run. The destination of each begins with "to_". of_page: other names of --html."""
    page = "write a page to look at all tests: one HTML file"
    parser.add_argument(*of_page, "--html", dest="to_html", type=a_path, metavar="PATH", help=page)
    parser.add_argument("--markdown", dest="to_markdown", metavar="PATH|-", help="write the comment for a pull request")
    parser.add_argument("--key", default="", metavar="KEY", help="with --markdown: that of the job, if several comment")
    gitlab = "write a code quality report and a metrics report for GitLab"
    parser.add_argument("--gitlab", dest="to_gitlab", type=a_path, metavar="DIR", help=gitlab)
    parser.add_argument(
        "--annotations",
        dest="to_annotations",
        action="store_true",
        help="print workflow commands that annotate the change on GitHub, and add to the summary of the job",
    )
    parser.add_argument("--junit", dest="to_junit", type=a_path, metavar="PATH", help="write a JUnit file")


@checked
def a_path(written: str) -> str:
    """The argument of an option that writes files: no "-"."""
    if written == "-":
        raise ValueError("only --markdown writes to stdout: name a path")
    return written


def is_any(given: argparse.Namespace) -> bool:
    """Whether any of these is asked for."""
    return any(value for name, value in vars(given).items() if name.startswith("to_"))


def write_outputs(run: RunRecord, given: argparse.Namespace, file: str, out: TextIO) -> None:
    """Write each output that is asked for; if one cannot be written, the others still are. Raises ConfigErrors.

    file: the JSON report of the run, if there is one.
    """
    mistakes = Mistakes()
    for write in (_merged_report, _page, _for_pull_request, _junit):
        with mistakes.kept():
            write(run, given, file, out)
    mistakes.raise_all()


def _merged_report(run: RunRecord, given: argparse.Namespace, file: str, out: TextIO) -> None:
    if given.merged:
        from pytest_gomem.report.json_report import write_json

        write_json(run, Path(given.merged), "-o")


def _page(run: RunRecord, given: argparse.Namespace, file: str, out: TextIO) -> None:
    if given.to_html:
        from pytest_gomem.page.write import write_page

        write_page(run, Path(given.to_html), "--html")


def _junit(run: RunRecord, given: argparse.Namespace, file: str, out: TextIO) -> None:
    if given.to_junit:
        from pytest_gomem.report.junit_file import write_junit

        write_junit(run, Path(given.to_junit), TextOptions(report=file, artifacts=_artifacts(run)))


def _artifacts(run: RunRecord) -> str:
    return from_here(run.artifacts) if run.artifacts else ""


def _for_pull_request(run: RunRecord, given: argparse.Namespace, file: str, out: TextIO) -> None:
    if not (given.to_markdown or given.to_gitlab or given.to_annotations):
        return
    from pytest_gomem.ci.findings import tell
    from pytest_gomem.ci.github import run_link
    from pytest_gomem.ci.gitlab import write_gitlab
    from pytest_gomem.ci.markdown import comment
    from pytest_gomem.ci.outputs import show_on_github, write_comment
    from pytest_gomem.launch.in_repository import top_of_repository

    told = tell(run, top_of_repository(Path.cwd()), _artifacts(run))
    raw = raw_stream(out)  # others' words are escaped in both, as GitHub wants it
    mistakes = Mistakes()
    with mistakes.kept():
        if given.to_markdown == "-":
            raw.write(comment(told, key=given.key, link=run_link(os.environ)) + "\n")
        elif given.to_markdown:
            write_comment(told, Path(given.to_markdown), given.key, os.environ, "--markdown")
    with mistakes.kept():
        if given.to_gitlab:
            write_gitlab(told, Path(given.to_gitlab), "--gitlab")
    if given.to_annotations:
        raw.writelines(f"{line}\n" for line in show_on_github(told, os.environ))
    mistakes.raise_all()
