"""Owns loading the recordings of /proc/PID/smaps with the MemStats that were read next to them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pytest_gomem.observe.agent.answers import memstats_of
from pytest_gomem.observe.records import MemStats
from pytest_gomem.observe.smaps import SmapsTotals, parse_smaps

FOLDER = Path(__file__).parents[1] / "recorded" / "smaps"
NAMES = ("fixed-hints", "huge-pages", "named", "race", "random-base")


@dataclass(frozen=True)
class Recording:
    """One folder of tests/recorded/smaps."""

    text: str
    exe: str
    totals: SmapsTotals
    stats: MemStats
    after_gc: MemStats


def load(name: str) -> Recording:
    """The recording of that name."""
    text = (FOLDER / name / "smaps").read_text("utf-8")
    facts = json.loads((FOLDER / name / "facts.json").read_text("utf-8"))
    stats, after_gc = (
        memstats_of({**facts[key], "NumGoroutine": 1, "AgentGoroutines": 0}, 0.0).common
        for key in ("memstats", "after_gc")
    )
    return Recording(text, facts["exe"], parse_smaps(text, facts["exe"], 0.0), stats, after_gc)
