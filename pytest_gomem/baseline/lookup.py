"""Finds the baseline that a window is held against: of the same test, window and conditions."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from pytest_gomem.base.errors import ConfigError, ObserveError
from pytest_gomem.baseline.profiles import read_profile
from pytest_gomem.baseline.snapshot import Snapshot, Windows, differences, not_comparable, opened_no_more
from pytest_gomem.baseline.store import Store, profiles_of
from pytest_gomem.comparison.baseline_rounds import NoReference, Reference, no_heap
from pytest_gomem.measure.metric import Metric
from pytest_gomem.pprof.model import Profile
from pytest_gomem.results.keys import Key, by_window, numbered
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import FEWEST

_REFRESH = "gomem baseline update records it anew"
_STEADY = "record it anew once more work in the test, or a quieter machine, has steadied it"


def window_name(key: Key) -> str:
    """As a baseline file calls a window: "api/test", and "api/test#2" for the second of that name."""
    return f"{key[0]}/{numbered(key)}"


class Baselines:
    """The kept baselines as what a run's windows are compared with."""

    def __init__(self, store: Store, metrics: Iterable[Metric], *, with_profiles: bool = True) -> None:
        self._store = store
        self._metrics = tuple(metrics)
        self._with_profiles = with_profiles

    def exists(self, nodeid: str) -> bool:
        """Whether the test has a baseline; a file that cannot be read counts as one, so that it is spoken of."""
        try:
            return bool(self._store.windows(nodeid))
        except ConfigError:
            return True

    def can_fail(self, nodeid: str) -> bool:
        """Whether a baseline of the test has rounds enough to fail it."""
        kept = self._readable(nodeid)
        return any(len(snapshot.rounds) >= FEWEST for snapshots in kept.values() for snapshot in snapshots)

    def has_heap(self, nodeid: str) -> bool:
        """Whether one of the test's baselines has a heap profile, and profiles are wanted."""
        return self._with_profiles and bool(profiles_of({nodeid: self._readable(nodeid)}))

    def opened_no_more(self, test: TestRecord) -> tuple[str, ...]:
        """The windows that have a baseline of these conditions, and that the test has not opened."""
        opened = {window_name(key): window for key, (window,) in by_window([test.windows]).items()}
        conditions = [window.conditions for window in opened.values()]
        return tuple(opened_no_more(self._readable(test.nodeid), opened, conditions))

    def opened_first(self, test: TestRecord) -> tuple[str, ...]:
        """The windows that have no baseline, under no conditions, of a test that has one."""
        kept = self._readable(test.nodeid)
        return tuple(name for name in map(window_name, by_window([test.windows])) if kept and name not in kept)

    def _readable(self, nodeid: str) -> Windows:
        """The baselines of the test; none where their file cannot be read."""
        try:
            return self._store.windows(nodeid)
        except ConfigError:
            return {}

    def find(self, nodeid: str, key: Key, window: WindowRecord) -> Reference | NoReference | None:
        """The snapshot of these conditions, None for a new test or window; raises ConfigError for a damaged file."""
        kept = self._store.windows(nodeid).get(window_name(key), ())
        same = [snapshot for snapshot in kept if not differences(snapshot.conditions, window.conditions)]
        if same:
            return self._reference(same[0])
        if not kept:
            return None
        nearest = min(kept, key=lambda snapshot: len(differences(snapshot.conditions, window.conditions)))
        return NoReference(f"no comparable baseline: {_named(nearest, window)} (gomem baseline update records one too)")

    def _reference(self, kept: Snapshot) -> Reference:
        old = not_comparable(kept, self._metrics)
        rounds = tuple({name: value for name, value in one.items() if name not in old} for one in kept.rounds)
        reasons = {name: f"{reason} ({_REFRESH})" for name, reason in old.items()}
        noisy = {name: f"{how} when {kept.label} was recorded; {_STEADY}" for name, how in kept.left_out.items()}
        return Reference(kept.label, rounds, kept.ops, partial(self._heap, kept), reasons, noisy)

    def _heap(self, snapshot: Snapshot) -> Profile:
        if not self._with_profiles:
            raise ObserveError("the profiles of baselines are off (--gomem-baseline-profiles)")
        return read_profile(self._store.folder / snapshot.profile) if snapshot.profile else no_heap()


def _named(nearest: Snapshot, window: WindowRecord) -> str:
    return "; ".join(differences(nearest.conditions, window.conditions))
