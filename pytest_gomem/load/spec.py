"""What a load does, its result, and how both are sent to the load driver and back."""

from __future__ import annotations

import base64
import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.base.units import PER_SECOND, SECONDS
from pytest_gomem.config.arguments import above_0, at_least_1
from pytest_gomem.load.connection import address, content

_IN_FLIGHT = 16  # default connections of an open loop: enough that the service limits the rate, not this number


@dataclass(frozen=True)
class LoadSpec:
    """Fixed work (`requests`) or an open loop (`rate` in requests/second for `duration` seconds).

    url: base of the service; path: below it. connections: how many requests are in flight (in an open loop, at most).
    timeout: seconds for each request, from connecting to the last byte of its answer. until_timeout: a connection sends
    no more after a timeout.
    """

    url: str
    path: str
    method: str = "GET"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    requests: int | None = None
    connections: int = 1
    rate: float | None = None
    duration: float | None = None
    timeout: float = 30.0
    until_timeout: bool = False

    @classmethod
    def of(
        cls,
        url: str,
        path: str,
        *,
        method: str = "GET",
        body: bytes | str | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        requests: int | None = None,
        connections: int | None = None,
        rate: float | str | None = None,
        duration: float | str | None = None,
        timeout: float | str = 30.0,
        until_timeout: bool = False,
    ) -> LoadSpec:
        """The spec from the arguments of load(): durations as seconds or "10s", a rate as a number or "6000/min".

        connections: unless given, 1 for fixed work and 16 for an open loop. Raises ConfigError
        for a load that cannot be run.
        """
        address(url, path)
        _check_amount(requests, rate, duration)
        at_least_1("requests", requests)
        at_least_1("connections", connections)
        sent, all_headers = content(body, json, headers)
        return cls(
            url=url,
            path=path,
            method=method,
            body=sent,
            headers=all_headers,
            requests=requests,
            connections=connections if connections is not None else 1 if rate is None else _IN_FLIGHT,
            rate=None if rate is None else above_0("rate", rate, PER_SECOND),
            duration=None if duration is None else above_0("duration", duration, SECONDS),
            timeout=above_0("timeout", timeout, SECONDS),
            until_timeout=until_timeout,
        )

    @property
    def planned(self) -> int:
        """How many requests to send: at least 1."""
        if self.requests is not None:
            return self.requests
        assert self.rate is not None
        assert self.duration is not None
        return max(1, round(self.rate * self.duration))

    @property
    def longest(self) -> float:
        """Seconds that it can take at most, if each request takes all of its timeout."""
        if self.duration is not None:
            return self.duration + self.timeout
        return math.ceil(self.planned / self.connections) * self.timeout


def _check_amount(requests: int | None, rate: float | str | None, duration: float | str | None) -> None:
    hint = "fixed work is requests=1000; an open loop is rate=200, duration='10s'"
    if requests is not None and (rate is not None or duration is not None):
        raise ConfigError("requests= cannot go with rate= or duration=", hint=hint)
    if requests is None and rate is None and duration is None:
        raise ConfigError("no amount of work is given", hint=hint)
    if requests is None and (rate is None or duration is None):
        raise ConfigError(f"{'duration' if rate is None else 'rate'}= is given alone", hint=hint)


@dataclass(frozen=True)
class LoadRecord:
    """The result of one load(), or of a window's single get/post calls together.

    latencies: seconds, one per answered request. rate_asked: requests/second of an open loop, else None;
    rate_achieved: requests/second that were sent in time, at most rate_asked.
    """

    requests: int
    errors: int
    duration: float
    latencies: tuple[float, ...]
    rate_asked: float | None = None
    statuses: tuple[tuple[str, int], ...] = ()
    rate_achieved: float | None = None


@dataclass(frozen=True)
class Unanswered:
    """The request, or the load, that a service did not live to answer.

    request: such as "GET /leak". number: of a single request, in its window, from 1. answered, asked: of a load, how
    many requests were answered, and how many there should be.
    """

    request: str
    number: int | None = None
    answered: int | None = None
    asked: int | None = None


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
    # A million latencies are 11 MB packed, and decimals lose nothing.
    packed = base64.b64encode(array("d", record.latencies)).decode()
    return {**vars(record), "latencies": packed}


def record_from_message(message: Message) -> LoadRecord:
    """The record that `record_to_message` wrote down."""
    latencies = array("d", base64.b64decode(message["latencies"]))
    statuses = tuple((str(name), int(count)) for name, count in message["statuses"])
    return LoadRecord(**{**message, "latencies": tuple(latencies), "statuses": statuses})
