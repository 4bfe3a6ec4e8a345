"""Owns the talk between pytest and its load driver: one JSON object a line, bytes and latencies in base64."""

from __future__ import annotations

import base64
from array import array
from typing import Any

from pytest_gomem.drive.record import LoadRecord
from pytest_gomem.drive.spec import LoadSpec

Message = dict[str, Any]


def spec_to_message(spec: LoadSpec) -> Message:
    """A load as plain JSON data."""
    body = None if spec.body is None else base64.b64encode(spec.body).decode()
    return {**vars(spec), "headers": dict(spec.headers), "body": body}


def spec_from_message(message: Message) -> LoadSpec:
    """The load that `spec_to_message` wrote down."""
    body = message["body"]
    return LoadSpec(**{**message, "body": None if body is None else base64.b64decode(body)})


def record_to_message(record: LoadRecord) -> Message:
    """A load's record as plain JSON data."""
    # A million latencies are 11 MB packed, and nothing is lost by a decimal spelling.
    packed = base64.b64encode(array("d", record.latencies)).decode()
    return {**vars(record), "latencies": packed}


def record_from_message(message: Message) -> LoadRecord:
    """The record that `record_to_message` wrote down."""
    latencies = array("d", base64.b64decode(message["latencies"]))
    statuses = tuple((str(name), int(count)) for name, count in message["statuses"])
    return LoadRecord(**{**message, "latencies": tuple(latencies), "statuses": statuses})
