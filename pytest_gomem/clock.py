"""Owns what time it is: the one place that asks, so that a test replaces it once."""

from __future__ import annotations

from datetime import date, datetime, timezone


def now() -> datetime:
    """The present moment in UTC, so that every machine of a team has the same date."""
    return datetime.now(timezone.utc)


def today() -> date:
    """The present date in UTC."""
    return now().date()
