"""GitHub Actions: annotations at the line that caused a failure, and the summary of a job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.ci.findings import Finding, Level, Told, clear_names
from pytest_gomem.ci.markdown import summary

MOST = 10  # of one level and step are shown
SUMMARY = 1024 * 1024  # bytes of a step's summary
_LONGEST = 4000  # characters of a message, of the 64 kB that one may have
_NAMED = 20
_PROBLEMS = 3  # errors of the run as a whole, in front of those of tests
_SERVER = re.compile(r"https://[A-Za-z0-9.:-]+(/[A-Za-z0-9._-]+)*")


def run_link(environment: Mapping[str, str]) -> str:
    """The page of this workflow run, "" outside of one."""
    parts = [environment.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    link = f"{parts[0]}/{parts[1]}/actions/runs/{parts[2]}"
    return link if all(parts) and _SERVER.fullmatch(link) else ""


def annotation_lines(told: Told) -> Iterator[str]:
    """The workflow commands, the worst first; each is to stand on a line of its own.

    Of more than MOST of one level the last one counts the others.
    """
    names = clear_names(told.nodeids)
    most = MOST - min(len(told.problems), _PROBLEMS)
    for problem in told.problems[:_PROBLEMS]:
        yield _written("error", {"title": "pytest-gomem"}, problem[:_LONGEST])
    levels: tuple[Level, ...] = ("error", "warning")
    for level in levels:
        found = told.sorted(level)
        room = most if level == "error" else MOST
        shown = found if len(found) <= room else found[: room - 1]
        yield from (_command(finding, names) for finding in shown)
        if others := found[len(shown) :]:
            yield _rest(level, others, names)


def _command(finding: Finding, names: Mapping[str, str]) -> str:
    where = {"file": finding.spot.file, "line": str(finding.spot.line or "") if finding.spot.file else ""}
    title = f"{_name(finding, names)}: {finding.headline}"
    lines = [f"{one.label:<5} {one.text}" for one in finding.answers] or [finding.headline]
    return _written(finding.level, {**where, "title": title[:_LONGEST]}, "\n".join(lines)[:_LONGEST])


def _name(finding: Finding, names: Mapping[str, str]) -> str:
    return names[finding.nodeid] + (f" / {finding.label}" if finding.label else "")


def _rest(level: Level, others: Sequence[Finding], names: Mapping[str, str]) -> str:
    named = list(dict.fromkeys(_name(one, names) for one in others))
    more = f", and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    title = f"{len(others)} more {level}s of pytest-gomem"
    return _written(
        level, {"title": title}, f"{', '.join(named[:_NAMED])}{more}: see the summary of the job"[:_LONGEST]
    )


def _written(level: Level, properties: Mapping[str, str], message: str) -> str:
    said = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items() if value)
    return f"::{level} {said}::{_escaped(message)}"


def _escaped(text: str, others: str = "") -> str:
    """As the runner reads it back. It takes lone surrogates for no text."""
    for character in f"%\r\n{others}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def warning(text: str) -> str:
    """The command for a warning of our own."""
    return _written("warning", {"title": "pytest-gomem"}, text)


def add_summary(told: Told, environment: Mapping[str, str]) -> None:
    """Append to the summary of the step; what is there already counts to its limit. Raises ConfigError.

    Nothing happens where the runner names no file.
    """
    said = environment.get("GITHUB_STEP_SUMMARY", "")
    if not said:
        return
    path = Path(said)
    try:
        room = SUMMARY - (path.stat().st_size if path.exists() else 0)
        if text := summary(told, room - 2):
            with path.open("ab") as file:
                file.write(f"\n{text}\n".encode())
    except OSError as error:
        message = f"the summary of the job cannot be written to {path}: {error.strerror or error}"
        raise ConfigError(message, Place(key="GITHUB_STEP_SUMMARY"), "--gomem-ci=off writes none") from None
