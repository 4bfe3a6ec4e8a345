"""Merges the reports of the shards of a run, decides what only the whole can tell, and whether it fails."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from pathlib import PurePath
from typing import overload

from pytest_gomem import __version__
from pytest_gomem.base.printable import printable
from pytest_gomem.report.accepted import ERROR_IF_STRICT, vanished_text
from pytest_gomem.report.explained import headline_of
from pytest_gomem.report.shards import Shard, how_it_ended, left_out, refuse
from pytest_gomem.results.acceptances import nothing_to_accept
from pytest_gomem.results.keys import FINE, WITHOUT_RESULT
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.whole import ShardRecord, Stale, Whole
from pytest_gomem.results.window_record import WindowRecord

_A_TEST_FAILED = 1


@dataclass(frozen=True)
class Merged:
    """The run that reports are parts of.

    outcomes: by test. failures: by test that fails it a line. remarks: what fails nothing.
    """

    run: RunRecord
    outcomes: Mapping[str, str]
    failures: Mapping[str, str]
    remarks: tuple[str, ...]


def merge(shards: Sequence[Shard], today: date, without: Sequence[str] = ()) -> Merged:
    """The reports as one run; raises ConfigErrors if they are no parts of one.

    without: globs of tests that all of them have left out on purpose.
    """
    outcomes: dict[str, str] = {}
    failures: dict[str, str] = {}
    ids: list[list[str]] = []
    for shard in shards:
        ids.append([])
        for test in shard.run.tests:
            ids[-1].append(test.nodeid)
            outcomes[test.nodeid] = test.outcome
            if test.outcome not in FINE:
                failures[test.nodeid] = _failure_line(test)
    refuse(shards, ids, without)
    left = tuple(left_out(shards, ids))
    run = _together(shards, ids, left)
    whole = run.whole.stale is not None and not left and WITHOUT_RESULT.isdisjoint(outcomes.values())
    stale = _stale_texts(run.whole.stale) if run.whole.stale and not left else []
    unused = nothing_to_accept(run.whole, run.tests, today, whole=whole)
    found = [*stale, *(vanished_text(entry, why) for entry, why in unused)]
    problems = [*_ended_badly(run.shards, outcomes), *(found if run.whole.strict else ())]
    if not outcomes:
        problems.append("no test was measured in any of the reports")
    run = replace(run, problems=tuple(problems), exit_status=int(bool(failures or problems)))
    remarks = [] if run.whole.strict else [text + ERROR_IF_STRICT for text in found]
    if len(shards) > 1 and not run.commit:
        remarks.append("no report says its commit, as git did not tell it: they may be of different ones")
    return Merged(run, outcomes, failures, tuple(remarks))


def _failure_line(test: TestRecord) -> str:
    return f"{test.outcome.upper()} {printable(test.nodeid)} - {headline_of(test)}"


def _stale_texts(stale: Iterable[Stale]) -> list[str]:
    return [f"{one.place}: {printable(one.words)}" for one in stale]


def _ended_badly(shards: Iterable[ShardRecord], outcomes: Mapping[str, str]) -> Iterator[str]:
    for shard in shards:
        status, file = shard.exit_status, printable(shard.file)
        if status == _A_TEST_FAILED:
            if all(outcomes[test] in FINE for test in shard.tests):
                yield f"{file}: pytest failed, and no measured test did: its output says which test or error it was"
        elif words := how_it_ended(status):
            yield f"{file}: {words}"


def _together(shards: Sequence[Shard], ids: Sequence[Sequence[str]], left: tuple[str, ...]) -> RunRecord:
    runs = [shard.run for shard in shards]
    kept = sorted({run.artifacts for run in runs if run.artifacts})
    folder = os.path.commonpath(kept) if kept else ""
    below = [os.path.relpath(run.artifacts, folder) if run.artifacts else "" for run in runs]
    return RunRecord(
        __version__,
        _in_common([run.environment for run in runs]),
        _Together([run.tests for run in runs], below),
        interrupted=any(run.interrupted for run in runs),
        complete=all(run.complete for run in runs),
        artifacts=folder,
        commit=runs[0].commit,
        folder=runs[0].folder,
        deselected=left,
        against=runs[0].against,
        whole=_whole([run.whole for run in runs]),
        shards=tuple(part for shard, own in zip(shards, ids, strict=True) for part in _parts(shard, own)),
    )


def _parts(shard: Shard, ids: Sequence[str]) -> tuple[ShardRecord, ...]:
    run = shard.run
    own = ShardRecord(
        shard.file, run.tool_version, tuple(ids), run.environment, run.exit_status, run.interrupted, run.complete
    )
    return run.shards or (own,)


def _in_common(environments: Sequence[Mapping[str, str | int | float | None]]) -> dict[str, str | int | float | None]:
    """What all machines have in common; None for what differs."""
    first = environments[0]
    return {
        name: value if all(one.get(name) == value for one in environments) else None for name, value in first.items()
    }


def _whole(known: Sequence[Whole]) -> Whole:
    """A test that one of them has seen exists."""
    seen = [one.stale for one in known if one.stale is not None]
    stale = tuple(one for one in seen[0] if all(one in other for other in seen)) if seen else None
    # By their keys: the file is the same for all, as they are of one commit.
    accepted = {entry.key: entry for one in known for entry in one.accepted}
    leaks = {entry.key: entry for one in known for entry in one.known_leaks}
    return Whole(any(one.strict for one in known), stale, tuple(accepted.values()), tuple(leaks.values()))


class _Together(Sequence[TestRecord]):
    """The tests of several runs, read anew by each access. below: where the artifacts of each run are in the folder."""

    def __init__(self, runs: Sequence[Sequence[TestRecord]], below: Sequence[str]) -> None:
        self._runs = runs
        self._below = below

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def __iter__(self) -> Iterator[TestRecord]:
        for tests, below in zip(self._runs, self._below, strict=True):
            yield from (_moved(test, below) for test in tests)

    @overload
    def __getitem__(self, at: int) -> TestRecord: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[TestRecord, ...]: ...
    def __getitem__(self, at: int | slice) -> TestRecord | tuple[TestRecord, ...]:
        places = range(len(self))[at]
        if isinstance(places, int):
            return next(islice(self, places, None))
        wanted = set(places)
        found = {place: test for place, test in enumerate(self) if place in wanted}
        return tuple(found[place] for place in places)


def _moved(test: TestRecord, below: str) -> TestRecord:
    if below in ("", os.curdir):
        return test
    return replace(test, windows=tuple(_window_moved(window, below) for window in test.windows))


def _window_moved(window: WindowRecord, below: str) -> WindowRecord:
    kept = {name: str(PurePath(below, path)) for name, path in window.artifacts.items()}
    return replace(window, artifacts=kept, base=_window_moved(window.base, below) if window.base else None)
