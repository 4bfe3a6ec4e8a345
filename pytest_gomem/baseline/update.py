"""Records a run as the new baseline, and says what is new, changed or refused, with the reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.baseline.lookup import window_name
from pytest_gomem.baseline.profiles import ProfileFolder
from pytest_gomem.baseline.review import Moves, moves, never_failing, too_noisy
from pytest_gomem.baseline.snapshot import Snapshot, Tests, Windows, by_metric, differences, opened_no_more
from pytest_gomem.baseline.store import Store
from pytest_gomem.comparison.merged import incomparable, rounds_of
from pytest_gomem.judge.figures import figure_metric, figure_of
from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.measure.metric import Metric
from pytest_gomem.results.keys import by_window
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import WindowRecord, definitions
from pytest_gomem.stats.decision import PRIMARY

_QUIETER = "; more work in the test or a quieter machine help, --gomem-force records it as it is"


@dataclass(frozen=True)
class Update:
    """The result for one test, or for a module with a damaged file.

    kind: "new", "changed", "kept" (as it was, since nothing is certain), "unchanged" or "refused". details: a line
    for each metric, or the reason.
    can_be_forced: whether --gomem-force would record what was refused.
    """

    nodeid: str
    kind: str
    details: tuple[str, ...] = ()
    can_be_forced: bool = True


@dataclass(frozen=True)
class Recorder:
    """Records tests into a store. metrics: those of the run, by name. force: record failing and noisy runs too.

    profiles: the folder of heap profiles; None = keep none.
    """

    store: Store
    metrics: Mapping[str, Metric]
    commit: str
    date: str
    force: bool = False
    profiles: ProfileFolder | None = None

    def record(self, tests: Sequence[TestRecord]) -> list[Update]:
        """Write the baselines of these tests, and leave all others unchanged.

        A module is refused as a whole, and keeps its file, if that cannot be read or written.
        """
        updates: list[Update] = []
        modules: dict[str, list[int]] = {}
        for at, test in enumerate(tests):
            modules.setdefault(test.nodeid.partition("::")[0], []).append(at)
        for module, places in modules.items():
            try:
                updates += self._module(module, filter(lambda test: test.windows, map(tests.__getitem__, places)))
            except ConfigError as error:
                updates.append(Update(module, "refused", tuple(str(error).splitlines()), can_be_forced=False))
        return updates

    def _module(self, module: str, tests: Iterable[TestRecord]) -> list[Update]:
        before = self.store.tests(module)
        updates, recorded, whole = [], dict[str, Windows](), set[str]()
        for test in tests:
            name = test.nodeid.partition("::")[2]
            windows = self._windows(test)
            reasons = () if self.force else tuple(self._refusals(test, windows))
            if reasons:
                updates.append(Update(test.nodeid, "refused", reasons))
                continue
            update = self._update(test, before.get(name, {}), windows)
            updates.append(update)
            if update.kind in ("kept", "unchanged"):
                continue
            recorded[name] = self._with_profiles(test.nodeid, windows)
            whole |= {name} if test.outcome == "passed" else set()
        if recorded:
            self.store.change(module, lambda kept: _merged(kept, recorded, whole))
        return updates

    def _lacks_evidence(self, nodeid: str, window: str, kept: Snapshot) -> bool:
        return self.profiles is not None and self.profiles.lacks(nodeid, window, kept)

    def _windows(self, test: TestRecord) -> Windows:
        return {window_name(key): (self._snapshot(like[0]),) for key, like in by_window([test.windows]).items()}

    def _snapshot(self, window: WindowRecord) -> Snapshot:
        lone = incomparable(window)
        every = {**by_metric(rounds_of(window)), **by_metric(window.observed_rounds)}
        every = {name: values for name, values in every.items() if name not in lone}
        noisy = {} if self.force else too_noisy(every, self.metrics, window.ops)
        figures = {name: values for name, values in every.items() if name not in noisy}
        return Snapshot(
            conditions=dict(window.conditions),
            metrics=figures,
            ops=window.ops,
            commit=self.commit,
            date=self.date,
            definitions={name: version for name, version in definitions(window).items() if name in figures},
            left_out=noisy,
        )

    def _with_profiles(self, nodeid: str, windows: Windows) -> Windows:
        if self.profiles is None:
            return windows
        return {name: (self.profiles.keep(nodeid, name, snapshot),) for name, (snapshot,) in windows.items()}

    def _refusals(self, test: TestRecord, windows: Windows) -> Iterator[str]:
        if test.outcome != "passed":
            yield f"the test {test.outcome}"
        for name, (snapshot,) in windows.items():
            if snapshot.left_out and not any(metric in snapshot.metrics for metric in PRIMARY):
                noisy = "; ".join(f"{metric}: {how}" for metric, how in snapshot.left_out.items())
                yield f"{name}: nothing would be left to compare, all of it is too noisy: {noisy}{_QUIETER}"

    def _update(self, test: TestRecord, before: Windows, now: Windows) -> Update:
        opened = {window_name(key): window for key, (window,) in by_window([test.windows]).items()}
        tolerances = {name: _tolerances(window) for name, window in opened.items()}
        found: dict[str, Moves | None] = {}
        for name, (snapshot,) in now.items():
            same = [kept for kept in before.get(name, ()) if not differences(kept.conditions, snapshot.conditions)]
            lacks_evidence = any(self._lacks_evidence(test.nodeid, name, kept) for kept in same)
            found[name] = (
                moves(same[0], snapshot, self.metrics, tolerances[name], lacks_evidence=lacks_evidence)
                if same
                else None
            )
        gone = _unopened(before, now) if test.outcome == "passed" else {}
        update = self._result(test.nodeid, found, tuple(gone))
        if update.kind not in ("new", "changed"):
            return update
        lacks = [
            f"{name}: {line}"
            for name, (one,) in now.items()
            for line in self._lacks(one, opened[name], tolerances[name])
        ]
        return replace(update, details=(*update.details, *lacks))

    def _lacks(self, snapshot: Snapshot, window: WindowRecord, tolerances: Mapping[str, float]) -> Iterator[str]:
        """The metrics that no run will be compared by."""
        for name, why in incomparable(window).items():
            if name in tolerances and name not in snapshot.metrics and name not in snapshot.left_out:
                yield f"{name} is left out: {why}"
        for name, how in snapshot.left_out.items():
            yield f"{name} is left out: {how}, so that only a change beyond 25% would be seen{_QUIETER}"
        compared = ((name, self.metrics.get(name) or figure_metric(name, ())) for name in tolerances)
        judged = {name: metric for name, metric in compared if metric is not None and name in snapshot.metrics}
        yield from never_failing(len(snapshot.rounds), judged)

    def _result(self, nodeid: str, found: Mapping[str, Moves | None], gone: Sequence[str]) -> Update:
        if not any(found.values()):
            lost = tuple(f"{name}: the test does not open it any more" for name in gone)
            return Update(nodeid, "new", lost)
        known = {name: one for name, one in found.items() if one is not None}
        details = [f"{name}: new" for name, one in found.items() if one is None]
        details += [f"{name}: {line}" for name, one in known.items() for line in (*one.clear, *one.doubtful)]
        details += [f"{name}: the test does not open it any more" for name in gone]
        if len(known) == len(found) and not gone and all(one.keeps for one in known.values()) and not self.force:
            return Update(nodeid, "kept" if details else "unchanged", tuple(details))
        # What is not judged changes along with what is: list it only if nothing else is listed.
        details = details or [f"{name}: {line}" for name, one in known.items() for line in one.others]
        details += [f"{name}: {line}" for name, one in known.items() for line in one.better_kept]
        return Update(nodeid, "changed", tuple(details or ["nothing moved; recorded anew"]))


def _tolerances(window: WindowRecord) -> dict[str, float]:
    """The metrics compared in a window, by default and by its `regression` limits, and how much worse each may be."""
    asked = (v for v in window.verdicts if v.kind == REGRESSION and not v.budget.phase)
    return {**PRIMARY, **{figure_of(verdict.budget): verdict.limit.value for verdict in asked}}


def _unopened(before: Windows, now: Windows) -> dict[str, tuple[Snapshot, ...]]:
    return opened_no_more(before, now, [snapshot.conditions for (snapshot,) in now.values()])


def _merged(kept: Tests, recorded: Tests, whole: Collection[str]) -> Tests:
    """The kept baselines; recorded ones replace those of the same test, window and conditions.

    whole: the tests that ran to their end; under these conditions only the windows that they opened are kept.
    """
    tests = dict(kept)
    for test, windows in recorded.items():
        before = tests.get(test, {})
        mine = dict(before)
        if test in whole:
            gone = _unopened(before, windows)
            mine = {name: left for name in before if (left := gone.get(name, before[name]))}
        for name, (snapshot,) in windows.items():
            others = [one for one in mine.get(name, ()) if _are_others(one, snapshot)]
            mine[name] = (*others, snapshot)
        tests[test] = mine
    return tests


def stale(store: Store, collected: Iterable[str]) -> list[str]:
    """The tests with a baseline that were not collected; raises ConfigError."""
    known = set(collected)
    every = [f"{module}::{test}" for module in store.modules() for test in store.tests(module)]
    return [nodeid for nodeid in every if nodeid not in known]


def prune(store: Store, nodeids: Iterable[str]) -> None:
    """Remove the baselines of these tests; raises ConfigError."""
    gone = set(nodeids)
    for module in list(store.modules()):
        names = {nodeid.partition("::")[2] for nodeid in gone if nodeid.startswith(f"{module}::")}
        if names:
            store.change(module, lambda kept, names=names: {t: w for t, w in kept.items() if t not in names})  # type: ignore[misc]


def _are_others(kept: Snapshot, now: Snapshot) -> bool:
    """Whether both are kept; a setting that varies covers each of its single values."""
    return bool(differences(kept.conditions, now.conditions) and differences(now.conditions, kept.conditions))
