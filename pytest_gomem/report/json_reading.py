"""Reads JSON reports test by test: of one of a long run no more than its text is in memory."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_gomem import __version__
from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.report.json_report import from_dict
from pytest_gomem.report.json_rules import PUBLIC, SCHEMA_VERSION
from pytest_gomem.results.leaves import CodecError
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.stored import StoredTests, to_line

_HINT = "pytest --gomem-json=PATH writes one"
_ROOM = re.compile(r"[ \t\n\r]*")
_TESTS = "tests"


def read_report(path: Path) -> RunRecord:
    """The run of a report that `write_json` wrote; raises ConfigError for another file."""
    tests: list[TestRecord] = []
    return replace(read_each(path, tests.append), tests=tuple(tests))


def read_stored(path: Path, opened: ExitStack) -> RunRecord:
    """The same with its tests on disk, as long as `opened`; raises ConfigError also if it has a test twice."""
    stored = StoredTests()
    opened.callback(stored.close)

    def keep(test: TestRecord) -> None:
        if test.nodeid in stored.nodeids:
            raise ConfigError(f"has the test {test.nodeid} twice", Place(str(path)), "let the run write it again")
        stored.keep(test.nodeid, to_line(test))

    return replace(read_each(path, keep), tests=stored)


def read_each(path: Path, keep: Callable[[TestRecord], None]) -> RunRecord:
    """The run of a report without its tests: `keep` gets one after the other. Raises ConfigError as `read_report`."""
    place = Place(str(path))
    try:
        run = _run(path, keep)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", place, _HINT) from None
    except CodecError as error:
        raise ConfigError(f"is no report of pytest --gomem-json: {error}", place) from None
    except (RecursionError, ValueError):
        raise ConfigError("is no report of pytest --gomem-json", place, _HINT) from None
    folder = os.path.normpath(path.absolute().parent / run.artifacts)
    return replace(run, artifacts=folder) if run.artifacts else run


def _run(path: Path, keep: Callable[[TestRecord], None]) -> RunRecord:
    """The run without its tests, which are kept one by one."""
    members: dict[str, Any] = {}
    number = 0
    for key, value in _members(path.read_text("utf-8-sig")):
        if isinstance(key, str):
            members[key] = value
            _check_version(path, members)
        else:
            number += 1
            try:
                keep(PUBLIC.decode(TestRecord, value))
            except CodecError as error:
                error.path = (_TESTS, number - 1, *error.path)
                raise
    return from_dict(members)


def _check_version(path: Path, members: dict[str, Any]) -> None:
    version = members.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise ConfigError(
            f"is a report of schema_version {version}, and pytest-gomem {__version__} reads {SCHEMA_VERSION}",
            Place(str(path)),
            "read it with the version that wrote it, or a later one",
        )


def _members(text: str) -> Generator[tuple[str | int, Any], None, None]:
    """The members of the object that the text is; each test of `tests` by itself, under its number."""
    at, sign = _after(text, 0, "{"), ","
    while sign == "," and text[at : at + 1] != "}":
        key, at = _value(text, at)
        at = _after(text, at, ":")
        if key == _TESTS and text[at : at + 1] == "[":
            yield key, []
            at = yield from _items(text, at)
        else:
            value, at = _value(text, at)
            yield str(key), value
        sign = text[at : at + 1]
        at = _after(text, at, ",") if sign == "," else at
    if _after(text, at, "}") != len(text):
        raise ValueError("more text follows")


def _items(text: str, at: int) -> Generator[tuple[int, Any], None, int]:
    """The items of the list that begins here; returns where the text goes on."""
    at, number = _after(text, at, "["), 0
    while text[at : at + 1] != "]":
        if number:
            at = _after(text, at, ",")
        value, at = _value(text, at)
        yield number, value
        number += 1
    return _after(text, at, "]")


_DECODER = json.JSONDecoder()


def _value(text: str, at: int) -> tuple[Any, int]:
    """The value that begins here, and where the text goes on."""
    value, end = _DECODER.raw_decode(text, at)
    return value, _skipped(text, end)


def _after(text: str, at: int, sign: str) -> int:
    """Where the text goes on behind a sign; raises ValueError if it is not here."""
    at = _skipped(text, at)
    if text[at : at + 1] != sign:
        raise ValueError(f"expected {sign}")
    return _skipped(text, at + 1)


def _skipped(text: str, at: int) -> int:
    found = _ROOM.match(text, at)
    return found.end() if found else at
