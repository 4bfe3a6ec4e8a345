"""The JSON report, schema_version 1: plain dictionaries made from the records and back, and its writing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from pytest_gomem.base.files import output_asked_for, write_whole
from pytest_gomem.report.json_rules import PUBLIC
from pytest_gomem.results.run_record import RunRecord, TestRecord


def to_dict(run: RunRecord) -> dict[str, Any]:
    """The whole report as plain JSON data in base units; what is not finite or not known is None, with a reason."""
    data: dict[str, Any] = PUBLIC.encode(RunRecord, run)
    return data


def test_to_dict(test: TestRecord) -> dict[str, Any]:
    """One test of a report."""
    data: dict[str, Any] = PUBLIC.encode(TestRecord, test)
    return data


def from_dict(data: object) -> RunRecord:
    """The run of a report, as far as the report tells it; raises CodecError for data that is none.

    Of a verdict's budget only the limit judged is known; a reading that was not finite comes back as Unavailable.
    """
    run: RunRecord = PUBLIC.decode(RunRecord, data)
    return run


@lru_cache(maxsize=1)
def report_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) that every report of this version obeys; treat it as read-only."""
    text = resources.files("pytest_gomem.report").joinpath("schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def write_json(run: RunRecord, path: Path, option: str = "--gomem-json") -> None:
    """Write the report to `path`, whole or not at all: readers never see half of it. Parent folders are made.

    A device or pipe (/dev/stdout) is written to directly. The folder of artifacts becomes relative to that of the
    report, so that both may move together. Raises ConfigError when the place cannot be written.
    """
    if run.artifacts:
        run = replace(run, artifacts=os.path.relpath(run.artifacts, path.parent))
    with output_asked_for("the JSON report cannot be written", path, option):
        write_whole(path, _text(run))


def _text(run: RunRecord) -> Iterator[str]:
    """The report test by test: of a long run no more is in memory."""
    yield _json(to_dict(replace(run, tests=()))).removesuffix("[]\n}")
    start = "[\n  "
    for test in run.tests:
        yield start + _json(test_to_dict(test), "\n  ")
        start = ",\n  "
    yield "[]\n}\n" if start.startswith("[") else "\n ]\n}\n"


_NUMBERS = frozenset({int, float})


def _json(data: object, line: str = "\n") -> str:
    """As json.dumps(indent=1) lays it out, but a list of numbers is one line: those of series are long.

    By ourselves, as with an indent json encodes each number by Python. line: the line end and the room before `data`.
    """
    within = f"{line} "
    if type(data) is dict and data:
        members = (f"{within}{_text_of(name)}: {_json(member, within)}" for name, member in data.items())
        return f"{{{','.join(members)}{line}}}"
    if type(data) is list and not _NUMBERS.issuperset(map(type, data)):
        return f"[{','.join(within + _json(item, within) for item in data)}{line}]"
    return _text_of(data)


_text_of = json.JSONEncoder(allow_nan=False, ensure_ascii=False).encode
