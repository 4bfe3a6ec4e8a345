"""Owns what the tests know of CI servers: how GitHub's runner reads commands, and GitLab a metrics report."""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

SHOWN = {"error", "warning", "notice"}
_PROPERTY = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))


class Command(NamedTuple):
    """A command, with its properties and its message as the runner gives them on."""

    name: str
    properties: dict[str, str]
    message: str


def commands(output: str) -> list[Command]:
    """The annotations that a step makes, as ActionCommand.cs reads its output."""
    return [command for line in output.splitlines() if (command := _parsed(line))]


def _parsed(line: str) -> Command | None:
    line = line.lstrip()
    info, separator, data = line[2:].partition("::")
    name, _, properties = info.partition(" ")
    if not line.startswith("::") or not separator or name not in SHOWN:
        return None
    pairs = (pair.split("=", 1) for pair in properties.strip().split(",") if pair)
    found = {pair[0]: _read(pair[1], _PROPERTY) for pair in pairs if len(pair) == 2}
    return Command(name, found, _read(data, _PROPERTY[:2] + _PROPERTY[-1:]))


def _read(text: str, escapes: tuple[tuple[str, str], ...]) -> str:
    for token, character in escapes:
        text = text.replace(token, character)
    return text


def seen_by_gitlab(text: str) -> dict[str, str]:
    """The metrics that GitLab's parser finds: what follows "#" is a comment, and words are split as by a shell."""
    lines = (shlex.split(re.sub("#.*", "", line)) for line in text.splitlines())
    return {words[0]: words[1] for words in lines if len(words) > 1}
