"""Owns the record of a load: what was sent, what came back, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LoadRecord:
    """What one load(), or the single get/post calls of the window together, did.

    latencies: seconds, one per answered request. rate_asked: requests/second of an open loop, else None;
    rate_achieved: requests/second of it that were sent in time, at most what was asked.
    """

    requests: int
    errors: int
    duration: float
    latencies: tuple[float, ...]
    rate_asked: float | None = None
    statuses: tuple[tuple[str, int], ...] = ()
    rate_achieved: float | None = None
