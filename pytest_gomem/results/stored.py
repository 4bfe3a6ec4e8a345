"""The records of a run's tests on disk: each a line of JSON, read when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, KeysView, Sequence
from pathlib import Path
from typing import overload

from pytest_gomem.results.codec import EXACT
from pytest_gomem.results.run_record import TestRecord


def to_line(test: TestRecord) -> str:
    """The record as ASCII without a line break."""
    return json.dumps(EXACT.encode(TestRecord, test), allow_nan=False, separators=(",", ":"))


def from_line(line: str | bytes) -> TestRecord:
    """The very record that `to_line` was given; raises ValueError, which says where, for any other text."""
    test: TestRecord = EXACT.decode(TestRecord, json.loads(line))
    return test


class StoredTests(Sequence[TestRecord]):
    """The tests of a run in the order in which they ended first, of which memory holds the ids alone.

    Each access reads its records anew: iterate once rather than by index, and keep no list of them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, int | str] = {}

    def keep(self, nodeid: str, line: str) -> None:
        """Add the line of a test; of one that has run before it takes the place."""
        try:
            with self._path.open("ab") as file:
                place = file.tell()
                file.write(line.encode() + b"\n")
        except OSError:  # a full disk costs memory, and no record
            self._places[nodeid] = line
        else:
            self._places[nodeid] = place

    @property
    def nodeids(self) -> KeysView[str]:
        """The ids by which the tests were kept."""
        return self._places.keys()

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[TestRecord]:
        return self._read(list(self._places.values()))

    @overload
    def __getitem__(self, at: int) -> TestRecord: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[TestRecord, ...]: ...
    def __getitem__(self, at: int | slice) -> TestRecord | tuple[TestRecord, ...]:
        places = list(self._places.values())
        if isinstance(at, slice):
            return tuple(self._read(places[at]))
        return next(self._read([places[at]]))

    def _read(self, places: Sequence[int | str]) -> Iterator[TestRecord]:
        held = [place for place in places if isinstance(place, str)]
        if len(held) == len(places):
            yield from map(from_line, held)
            return
        with self._path.open("rb") as file:
            for place in places:
                if isinstance(place, int):
                    file.seek(place)
                yield from_line(place if isinstance(place, str) else file.readline())
