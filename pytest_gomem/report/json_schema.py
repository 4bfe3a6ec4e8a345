"""Writes schema.json, the JSON Schema of the JSON report: make schema."""

from __future__ import annotations

import json
from pathlib import Path

from pytest_gomem.report.json_rules import PUBLIC
from pytest_gomem.results.run_record import RunRecord
from pytest_gomem.results.schema import json_schema


def schema_text() -> str:
    """The text of schema.json, as the records and the rules of the report make it."""
    return json.dumps(json_schema(PUBLIC, RunRecord), indent=1) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("schema.json").write_text(schema_text(), "utf-8")
