"""The base of a comparison: kept rounds or those of the other side, and how to find them for a window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from pytest_gomem.judge.regressions import Figures
from pytest_gomem.results.keys import Key
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.explanation import Evidence
from pytest_gomem.session.measurement import Measurement

_SHARED = "its process serves other tests too (gomem_session): what is in it depends on which of them have run"


@dataclass(frozen=True)
class Base:
    """What a window of the head is compared with.

    record: the base as a window, with the figures of each of its rounds. label: as reports call it, "the baseline of
    0a1b2c3". is_kept: it was recorded and gets no more rounds.
    not_comparable: the metrics whose figures do not compare, each with the reason.
    left_out: metrics too noisy to be kept, each with how noisy.
    lone: why more rounds of the head would not help, "" if they would. evidence: what was recorded with it; None if its
    own observed rounds will tell.
    """

    record: WindowRecord
    label: str
    is_kept: bool = False
    not_comparable: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    lone: str = ""
    evidence: Evidence | None = None

    @property
    def rounds(self) -> tuple[Figures, ...]:
        """What each round measured."""
        return self.record.rounds


@dataclass(frozen=True)
class NotCompared:
    """Why a window is not compared. record: a base that is still shown."""

    reason: str
    record: WindowRecord | None = None


Found = Base | NotCompared | None  # None: there is nothing to compare it with
# Finds the base of a window from the window of all rounds and its last measurement; raises GomemError.
Finder = Callable[[Key, WindowRecord, Measurement], Found]


class KeptBaselines(Protocol):
    """The baselines that were recorded before this run."""

    def exists(self, nodeid: str) -> bool:
        """Whether this test has anything to compare with, so that more rounds may help."""

    def find(self, nodeid: str, key: Key, window: WindowRecord) -> Found:
        """The base of a window; raises ConfigError for a damaged file."""


def from_baselines(baselines: KeptBaselines, nodeid: str) -> Finder:
    """Finds the kept baseline of each window of a test."""

    def find(key: Key, window: WindowRecord, last: Measurement) -> Found:
        base = baselines.find(nodeid, key, window)
        if not isinstance(base, Base) or not last.service.is_shared:
            return base
        return NotCompared(_SHARED) if len(window.rounds) > 1 else replace(base, lone=_SHARED)

    return find
