"""The records of a run's tests on disk: each a piece of JSON, read when you ask for it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, KeysView, Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO, NamedTuple, overload

from pytest_gomem.results.codec import EXACT
from pytest_gomem.results.run_record import TestRecord


def to_line(test: TestRecord) -> str:
    """The record as ASCII without a line break."""
    return json.dumps(EXACT.encode(TestRecord, test), allow_nan=False, separators=(",", ":"))


def from_line(line: str | bytes) -> TestRecord:
    """The record that `to_line` wrote as this text; raises ValueError, which says where, for any other text."""
    test: TestRecord = EXACT.decode(TestRecord, json.loads(line))
    return test


class _Place(NamedTuple):
    """The position of a line in the file, in bytes."""

    start: int
    length: int


class StoredTests(Sequence[TestRecord]):
    """The tests of a run in the order in which they first ended; only their ids are in memory.

    Each access reads records from disk again: iterate once rather than by index, and keep no list of them. Their file
    has no name: nobody can remove it, and it ends with this process. seconds: by test those of its phases, which may
    still be added; they are its duration.
    """

    def __init__(self, seconds: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self._file: BinaryIO | None = None
        self._end = 0
        self._places: dict[str, _Place | str] = {}
        self._seconds = seconds or {}

    def keep(self, nodeid: str, line: str) -> None:
        """Add the line of a test; it replaces an earlier one of the same test."""
        try:
            self._places[nodeid] = self._write(line.encode())
        except OSError:  # a full disk costs memory, and no record
            self._places[nodeid] = line

    def close(self) -> None:
        """Release the file; no record can be read afterwards."""
        self._places.clear()
        if self._file is not None:
            self._file.close()

    @property
    def nodeids(self) -> KeysView[str]:
        """The ids by which the tests were kept."""
        return self._places.keys()

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[TestRecord]:
        return self._read(list(self._places.items()))

    @overload
    def __getitem__(self, at: int) -> TestRecord: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[TestRecord, ...]: ...
    def __getitem__(self, at: int | slice) -> TestRecord | tuple[TestRecord, ...]:
        places = list(self._places.items())
        if isinstance(at, slice):
            return tuple(self._read(places[at]))
        return next(self._read([places[at]]))

    def _write(self, line: bytes) -> _Place:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it is open until close()
        place = _Place(self._end, len(line))
        written = 0
        while written < len(line):
            written += os.pwrite(self._file.fileno(), line[written:], place.start + written)
        self._end += len(line)  # what a full disk cut short is written over
        return place

    def _read(self, places: Iterable[tuple[str, _Place | str]]) -> Iterator[TestRecord]:
        for nodeid, place in places:
            test = from_line(place if isinstance(place, str) else self._line(place))
            seconds = self._seconds.get(nodeid)
            yield replace(test, duration=sum(seconds.values())) if seconds else test

    def _line(self, place: _Place) -> bytes:
        assert self._file is not None
        return os.pread(self._file.fileno(), place.length, place.start)
