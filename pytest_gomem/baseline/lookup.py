"""Finds the baseline of a window: of the same test, window and conditions."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace
from statistics import median

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.baseline.evidence import KeptEvidence
from pytest_gomem.baseline.snapshot import Snapshot, Windows, differences, not_comparable, opened_no_more
from pytest_gomem.baseline.store import Store
from pytest_gomem.comparison.base import Base, Found, NotCompared
from pytest_gomem.measure.metric import Metric, Reading
from pytest_gomem.results.keys import Key, by_window, numbered
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import BuildRecord, GcRecord, WindowRecord
from pytest_gomem.stats.decision import FEWEST

_REFRESH = "gomem baseline update records it anew"
_STEADY = "record it anew once more work in the test, or a quieter machine, has steadied it"


def window_name(key: Key) -> str:
    """A window's name in a baseline file: "api/test", and "api/test#2" for the second of that name."""
    return f"{key[0]}/{numbered(key)}"


class Baselines:
    """The kept baselines, for comparison with a run's windows."""

    def __init__(self, store: Store, metrics: Iterable[Metric], *, with_profiles: bool = True) -> None:
        self._store = store
        self._metrics = tuple(metrics)
        self._with_profiles = with_profiles

    def exists(self, nodeid: str) -> bool:
        """Whether the test has a baseline; an unreadable file counts, so that it is reported."""
        try:
            return bool(self._store.windows(nodeid))
        except ConfigError:
            return True

    def can_fail(self, nodeid: str) -> bool:
        """Whether a baseline of the test has enough rounds to fail it."""
        kept = self._readable(nodeid)
        return any(len(snapshot.rounds) >= FEWEST for snapshots in kept.values() for snapshot in snapshots)

    def opened_no_more(self, test: TestRecord) -> tuple[str, ...]:
        """The windows with a baseline under these conditions that the test did not open."""
        opened = {window_name(key): window for key, (window,) in by_window([test.windows]).items()}
        conditions = [window.conditions for window in opened.values()]
        return tuple(opened_no_more(self._readable(test.nodeid), opened, conditions))

    def opened_first(self, test: TestRecord) -> tuple[str, ...]:
        """The windows without a baseline under any conditions, of a test that has one."""
        kept = self._readable(test.nodeid)
        return tuple(name for name in map(window_name, by_window([test.windows])) if kept and name not in kept)

    def _readable(self, nodeid: str) -> Windows:
        """The baselines of the test; none if their file cannot be read."""
        try:
            return self._store.windows(nodeid)
        except ConfigError:
            return {}

    def find(self, nodeid: str, key: Key, window: WindowRecord) -> Found:
        """The snapshot under these conditions, None for a new test or window; raises ConfigError for a damaged file."""
        kept = self._store.windows(nodeid).get(window_name(key), ())
        same = [snapshot for snapshot in kept if not differences(snapshot.conditions, window.conditions)]
        if same:
            return self._base(same[0], window)
        if not kept:
            return None
        nearest = min((differences(snapshot.conditions, window.conditions) for snapshot in kept), key=len)
        return NotCompared(f"no comparable baseline: {'; '.join(nearest)} (gomem baseline update records one too)")

    def _base(self, kept: Snapshot, window: WindowRecord) -> Base:
        old = not_comparable(kept, self._metrics)
        return Base(
            _record(kept, window, old),
            kept.label,
            is_kept=True,
            evidence=KeptEvidence(kept, self._store.folder, window.ops, is_on=self._with_profiles),
            not_comparable={name: f"{reason} ({_REFRESH})" for name, reason in old.items()},
            left_out={name: f"{how} when {kept.label} was recorded; {_STEADY}" for name, how in kept.left_out.items()},
        )


def _record(kept: Snapshot, window: WindowRecord, left_out: Container[str]) -> WindowRecord:
    """The kept rounds as a window: their medians, and nothing else."""
    rounds = tuple({name: value for name, value in one.items() if name not in left_out} for one in kept.rounds)
    every = [(metric, [one[metric.name] for one in rounds if metric.name in one]) for metric in window.metrics]
    return WindowRecord(
        name=window.name,
        service=window.service,
        build=BuildRecord(kept.label),
        gc=GcRecord(),
        ops=kept.ops,
        duration=0.0,
        metrics=tuple(replace(m, result=Reading(median(values), kept.label)) for m, values in every if values),
        rounds=rounds,
        observed_rounds=kept.observed_rounds,
    )
