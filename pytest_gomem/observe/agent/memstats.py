"""Owns turning the agent's JSON of runtime.MemStats into records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_gomem.observe.agent.records import AgentMemStats
from pytest_gomem.observe.memstats import memstats_record


def memstats_of(fields: Mapping[str, Any], t: float) -> AgentMemStats:
    """The records of one answer, read at CLOCK_MONOTONIC `t`; raises KeyError on a field that is missing."""
    goroutines = fields["NumGoroutine"] - fields["AgentGoroutines"]
    return AgentMemStats(
        common=memstats_record(fields, t, goroutines),
        lookups=fields["Lookups"],
        last_gc=fields["LastGC"] / 1e9,
        pause_total=fields["PauseTotalNs"] / 1e9,
        enable_gc=fields["EnableGC"],
        goroutines=goroutines,
    )
