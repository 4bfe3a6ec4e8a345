"""Owns reading the file in which the agent keeps the heap profile of the highest cycle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe.agent.records import Peak, PeakProfile


def read_peak(path: Path) -> PeakProfile:
    """What AgentClient.start_peak() kept there, also of a service that was killed: a line of JSON, then the profile.

    Raises ObserveError when there is none: no GC cycle ended since the start or the last reset.
    """
    try:
        head, newline, profile = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        raise ObserveError("no peak profile: no GC cycle ended while the agent looked for one") from None
    except OSError as error:
        raise ObserveError(f"the peak profile cannot be read: {error}") from None
    try:
        peak = peak_of(json.loads(head))
    except (KeyError, TypeError, ValueError) as error:
        raise ObserveError(f"{path} is no peak profile: {type(error).__name__}: {error}") from None
    if not newline or not profile:
        raise ObserveError(f"{path} is no peak profile: it ends before the profile")
    return PeakProfile(peak, profile)


def peak_of(fields: Mapping[str, Any]) -> Peak:
    """The record of the agent's JSON; raises KeyError on a field that is missing."""
    return Peak(fields["live"], fields["rss"] or None, fields["cycle"], fields["kept"], fields["forced"])
