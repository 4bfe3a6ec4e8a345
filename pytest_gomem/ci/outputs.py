"""Writes what a pull request sees where its CI server looks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.base.files import output_asked_for, write_whole
from pytest_gomem.ci.findings import Told
from pytest_gomem.ci.github import add_summary, annotation_lines, run_link, warning
from pytest_gomem.ci.markdown import comment


def show_on_github(told: Told, environment: Mapping[str, str]) -> Iterator[str]:
    """Add to the summary of the step, and give the commands for the runner.

    Nobody has asked for either, so a summary that cannot be written is a warning.
    """
    yield from annotation_lines(told)
    try:
        add_summary(told, environment)
    except ConfigError as error:
        yield warning(str(error))


def write_comment(told: Told, path: Path, key: str, environment: Mapping[str, str], option: str) -> None:
    """Write the comment, whole or not at all; raises ConfigError. key: as `markdown.marker`. option: names the path."""
    text = comment(told, key=key, link=run_link(environment))
    with output_asked_for("the comment cannot be written", path, option):
        write_whole(path, f"{text}\n")
