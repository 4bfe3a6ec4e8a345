"""The JSON report, schema_version 1: plain dictionaries made from the records, and their writing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.files import write_whole
from pytest_gomem.report.wire.plain import plain_dict
from pytest_gomem.report.wire.window import window_from_dict, window_to_dict
from pytest_gomem.results.run_record import RunRecord, TestRecord

SCHEMA_VERSION = 1
ENVIRONMENT_KEYS = ("go_version", "goos", "goarch", "kernel", "cpus", "page_size", "thp")


def to_dict(run: RunRecord) -> dict[str, Any]:
    """The whole report as plain JSON data in base units; what is not finite or not known is None, with a reason."""
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": plain_dict({"name": "pytest-gomem", "version": run.tool_version}),
        "environment": plain_dict({**dict.fromkeys(ENVIRONMENT_KEYS), **run.environment}),
        "run": {"exit_status": run.exit_status, "interrupted": run.interrupted, "complete": run.complete},
        "tests": [test_to_dict(test) for test in run.tests],
    }


def test_to_dict(test: TestRecord) -> dict[str, Any]:
    """One test as plain JSON data: an entry of the report's `tests`, and what an xdist worker sends home."""
    return plain_dict(
        {
            "nodeid": test.nodeid,
            "outcome": test.outcome,
            "reason": test.reason or None,
            "matrix": test.matrix,
            "windows": [window_to_dict(window) for window in test.windows],
        }
    )


def test_from_dict(data: Mapping[str, Any]) -> TestRecord:
    """The record that test_to_dict was given, as far as a report can tell: every report made from it is the same.

    Of a verdict's budget only the limit judged is known; a reading that was not finite comes back as Unavailable.
    """
    windows = tuple(window_from_dict(window) for window in data["windows"])
    return TestRecord(data["nodeid"], data["outcome"], windows, data["matrix"], data.get("reason") or "")


@lru_cache(maxsize=1)
def report_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) that every report of this version obeys; treat it as read-only."""
    text = resources.files("pytest_gomem.report").joinpath("schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def write_json(run: RunRecord, path: Path) -> None:
    """Write the report to `path`, whole or not at all: readers never see half of it. Parent folders are made.

    A device or pipe (/dev/stdout) is written to directly. Raises ConfigError when the place cannot be written.
    """
    text = json.dumps(to_dict(run), allow_nan=False, ensure_ascii=False, indent=1) + "\n"
    try:
        write_whole(path, text)
    except OSError as error:
        hint = "name a file in a folder you may write to"
        message = f"the JSON report cannot be written to {path}: {error.strerror or error}"
        raise ConfigError(message, Place(key="--gomem-json"), hint) from error
