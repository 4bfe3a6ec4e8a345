"""The answers of an agent as records, however they came: over its socket, or from the file of an ended program."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe.agent.records import AgentMemStats, GcRecords, Histogram, Settings, Traced
from pytest_gomem.observe.memstats import memstats_record
from pytest_gomem.observe.records import GcRecord

NO_LIMIT = (1 << 63) - 1  # math.MaxInt64, what runtime/debug.SetMemoryLimit calls no limit
_T = TypeVar("_T")
Fields = Mapping[str, Any]


class Asked(Protocol):
    """Whom to ask."""

    def ask(self, *words: str) -> bytes:
        """The body of the answer; raises ObserveError without one."""


class Answers:
    """A typed method per request that only reads; each raises ObserveError without an answer."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def memstats(self) -> AgentMemStats:
        """runtime.ReadMemStats: exact, at the price of one stop of the world."""
        return self._read(lambda fields: memstats_of(fields, time.monotonic()), "memstats")

    def metrics(self, *names: str) -> dict[str, int | float | Histogram]:
        """runtime/metrics by name, all of them without names; those that this Go release lacks are left out."""
        return self._read(lambda fields: {name: _metric(value) for name, value in fields.items()}, "metrics", *names)

    def settings(self) -> Settings:
        """The settings in force now."""
        return self._read(_settings, "settings")

    def gc_records(self, since: int = 0) -> GcRecords:
        """The GC cycles after number `since`, up to now; the agent keeps the last 16384."""
        return self._read(lambda fields: _gc_records(fields, since), "cycles", str(since))

    def traced(self) -> Traced:
        """An execution trace ends; its file is complete when this returns. Raises ObserveError if it is not."""
        return self._read(lambda fields: Traced(**fields), "trace", "stop")

    def _read(self, convert: Callable[[Fields], _T], *words: str) -> _T:
        answer = self._asked.ask(*words)
        try:
            return convert(json.loads(answer))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            what = f"{type(error).__name__}: {error}"
            raise ObserveError(f"the agent's answer to '{words[0]}' has unknown fields ({what})") from None


def memstats_of(fields: Fields, t: float) -> AgentMemStats:
    """The records of one answer, read at CLOCK_MONOTONIC `t`; raises KeyError on a field that is missing."""
    common = memstats_record(fields, t, fields["NumGoroutine"] - fields["AgentGoroutines"])
    return AgentMemStats(common, fields["PauseTotalNs"] / 1e9)


def gogc_of(fields: Fields) -> int | None:
    """GOGC in percent, None is off."""
    percent: int = fields["gogc"]
    return percent if percent >= 0 else None


def memory_limit_of(fields: Fields) -> int | None:
    """The memory limit in bytes, None is no limit."""
    limit: int = fields["gomemlimit"]
    return limit if limit < NO_LIMIT else None


def _metric(value: Any) -> int | float | Histogram:
    if isinstance(value, dict):
        return Histogram(tuple(value["counts"]), tuple(value["buckets"]))
    number: int | float = value
    return number


def _settings(fields: Fields) -> Settings:
    converted = {
        "gogc": gogc_of(fields),
        "gomemlimit": memory_limit_of(fields),
        "manual_gc": fields["manual_gc"] or None,
    }
    return Settings(**{**fields, **converted})


def _gc_records(fields: Fields, since: int) -> GcRecords:
    # Ends are by the wall clock, which the service and this process share.
    offset = time.monotonic() - time.time()
    cycles = tuple(
        GcRecord(number, pause / 1e9, end / 1e9 + offset, live or None, allocated or None)
        for number, pause, end, live, allocated in fields["cycles"]
    )
    return GcRecords(since, fields["num_gc"], cycles)
