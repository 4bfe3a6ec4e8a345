"""The record of a test as one line of JSON: what a process sends to another, and what files keep."""

from __future__ import annotations

import json

from pytest_gomem.results.codec import EXACT
from pytest_gomem.results.run_record import TestRecord


def to_line(test: TestRecord) -> str:
    """The record as ASCII without a line break."""
    return json.dumps(EXACT.encode(TestRecord, test), allow_nan=False, separators=(",", ":"))


def from_line(line: str | bytes) -> TestRecord:
    """The very record that `to_line` was given; raises ValueError, which says where, for any other text."""
    test: TestRecord = EXACT.decode(TestRecord, json.loads(line))
    return test
