"""Owns reading runtime.MemStats out of what package expvar publishes at /debug/vars."""

from __future__ import annotations

import json

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe.memstats_fields import memstats_record
from pytest_gomem.observe.records import MemStats

_WHERE = "/debug/vars"


def parse_expvar(text: str, t: float) -> tuple[MemStats, float]:
    """MemStats and the sum of all pauses in seconds; t: CLOCK_MONOTONIC seconds of the reading.

    Raises ObserveError that says what came instead.
    """
    try:
        published = json.loads(text)
        fields = published["memstats"]
        pause_total = fields["PauseTotalNs"] / 1e9
        return memstats_record(fields, t, None), pause_total
    except RecursionError:
        raise ObserveError(f"{_WHERE} is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ObserveError(f"{_WHERE} is no JSON: {error.msg} at character {error.pos}") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ObserveError(f"{_WHERE} has no MemStats of package expvar: {type(error).__name__}: {error}") from None
