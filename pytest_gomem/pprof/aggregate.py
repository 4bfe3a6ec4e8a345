"""Computes flat and cumulative values of a profile, and the differences of two profiles."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import compress, pairwise, starmap
from operator import xor
from typing import NamedTuple

from pytest_gomem.pprof.focus import select
from pytest_gomem.pprof.group import Frame, frames_of
from pytest_gomem.pprof.model import Profile, ProfileError, location_ids

# An id of a reversed stack: the byte without the high bit, its last one, comes first.
REVERSED_ID = re.compile(b"[\x00-\x7f][\x80-\xff]*")
_COMPARED = (
    4096  # bytes compared of two stacks; they may share more, but one huge stack must not make all others as wide
)


class Row(NamedTuple):
    """A frame's values: `flat` as the leaf, `cum` anywhere in the stack; each sample counts once."""

    frame: Frame
    flat: int
    cum: int


class Table(NamedTuple):
    """The rows of one sample type that are not all 0, and the total of the samples; all in `unit`."""

    sample_type: str
    unit: str
    total: int
    rows: tuple[Row, ...]


def aggregate(profile: Profile, sample: str = "", by: str = "function", focus: str = "", ignore: str = "") -> Table:
    """Flat and cumulative values by function, line, file or package, the greatest flat value first.

    The rows are those of the samples that `focus` and `ignore` choose (see `select`), the total that of all samples.

    Equal to `go tool pprof -top -nodefraction=0 -symbolize=none`, which also sums functions of one name; drop_frames
    and keep_frames, which Go never writes, are not read. The total is that of absolute values, so that it fits negative
    ones too. Raises ProfileError for an unknown sample type or granularity, and for a sample with an unknown location.
    """
    index = profile.sample_index(sample)
    total = sum(map(abs, profile.values[index]))
    profile = select(profile, focus, ignore)
    rows = _Tree(profile, by).rows(weights(profile.stacks, profile.values[index]))
    declared = profile.sample_types[index]
    return Table(declared.type, declared.unit, total, sort_rows(rows))


def sort_rows(rows: Iterable[Row], cum: bool = False) -> tuple[Row, ...]:
    """Rows by the size of their flat (or cumulative) values, and then by name."""
    first, second = ("cum", "flat") if cum else ("flat", "cum")
    return tuple(sorted(rows, key=lambda row: (-abs(getattr(row, first)), -abs(getattr(row, second)), str(row.frame))))


def weights(stacks: list[bytes], values: array[int]) -> dict[bytes, int]:
    """The sum of values of each distinct stack, without samples of value 0, which are most of a heap profile."""
    sums: dict[bytes, int] = {}
    for stack, value in compress(zip(stacks, values, strict=True), values):
        sums[stack] = sums.get(stack, 0) + value
    return sums


# A piece of a stack: its rows (outermost first, each once), where they end in it, and its leaf's row. A plain
# tuple, because those unpack faster than named ones.
_Piece = tuple[tuple[int, ...], tuple[int, ...], int]


class _Tree:
    """A walk over the call tree by pieces of stacks instead of frames, which takes a tenth of the steps.

    The stacks are written from the root on and sorted, which is the order of such a walk. The part that a stack shares
    with the next one stays open. A row's cumulative value is what is added up while its outermost frame is open, so a
    recursive function counts once. The rest of each stack is a piece of its own. Thousands of stacks have equal pieces,
    which are resolved once.
    """

    def __init__(self, profile: Profile, by: str) -> None:
        self._profile, self._by = profile, by
        self._row_of: dict[object, int] = {}
        self._frames: list[Frame] = []
        self._flat: list[int] = []
        self._cum: list[int] = []
        self._opened_at: list[int | None] = []  # the walk's sum at that time; None while the row is closed
        self._rows_of_id: dict[bytes, list[int]] = {}
        self._pieces: dict[bytes, _Piece] = {}

    def rows(self, sums: Mapping[bytes, int]) -> Iterator[Row]:
        """The rows of these stacks that are not all 0."""
        self._walk({stack[::-1]: value for stack, value in sums.items()})
        for row in map(Row, self._frames, self._flat, self._cum):
            if row.flat or row.cum:
                yield row

    def _walk(self, sums: Mapping[bytes, int]) -> None:
        known, resolve = self._pieces.get, self._resolve
        flat, cum, opened_at = self._flat, self._cum, self._opened_at
        added_up = start = 0
        opened: list[int] = []  # rows of the path that is open
        ends: list[int] = []  # where in the stack each of them ends
        stacks = sorted(sums)
        for stack, shared in zip(stacks, shared_prefixes(stacks), strict=True):
            value, leaf = sums[stack], -1
            if shared > start:
                piece = stack[start:shared]
                rows, row_ends, leaf = known(piece) or resolve(piece)
                for row, end in zip(rows, row_ends, strict=True):
                    if opened_at[row] is None:
                        opened_at[row] = added_up
                        opened.append(row)
                        ends.append(start + end)
                start = shared
            piece = stack[start:]
            if piece:
                rows, _, leaf = known(piece) or resolve(piece)
                for row in rows:
                    if opened_at[row] is None:
                        cum[row] += value
            if leaf >= 0:
                flat[leaf] += value
            added_up += value
            if shared < start:
                depth = bisect_right(ends, shared)
                for row in opened[depth:]:
                    cum[row] += added_up - (opened_at[row] or 0)
                    opened_at[row] = None
                del opened[depth:], ends[depth:]
                start = shared

    def _resolve(self, piece: bytes) -> _Piece:
        ends: dict[int, int] = {}
        row = -1
        for match in REVERSED_ID.finditer(piece):
            for row in self._rows_of_id.get(match[0]) or self._rows_of(match[0]):
                ends.setdefault(row, match.end())
        resolved = self._pieces[piece] = (tuple(ends), tuple(ends.values()), row)
        return resolved

    def _rows_of(self, reversed_id: bytes) -> list[int]:
        """The rows of a location, the outermost caller first."""
        (number,) = location_ids(reversed_id[::-1])
        frames = frames_of(self._profile.location(number), self._by)
        rows = self._rows_of_id[reversed_id] = [self._row(key, frame) for key, frame in reversed(frames)]
        return rows

    def _row(self, key: object, frame: Frame) -> int:
        row = self._row_of.setdefault(key, len(self._frames))
        if row == len(self._frames):
            self._frames.append(frame)
            self._flat.append(0)
            self._cum.append(0)
            self._opened_at.append(None)
        return row


def shared_prefixes(stacks: list[bytes]) -> Iterator[int]:
    """How many bytes, in whole ids, each of these stacks shares with the next one; the last shares none.

    They are reversed, the root first, and sorted. Raises ProfileError if one ends within an id.
    """
    if stacks and stacks[-1][:1] > b"\x7f":
        raise ProfileError("a sample's list of locations ends in the middle of a number")
    width = min(max(map(len, stacks), default=0), _COMPARED)
    # As numbers of equal width, two stacks first differ at the highest bit of their exclusive or.
    numbers = (int.from_bytes(stack[:width].ljust(width, b"\0"), "big") for stack in stacks)
    for following, difference in zip(stacks[1:], starmap(xor, pairwise(numbers)), strict=True):
        # The second bound is for an id of 0, which looks like padding and which the walk refuses.
        shared = min(width - (difference.bit_length() + 7) // 8, len(following) - 1)
        while following[shared] > 0x7F:  # within an id that only begins alike
            shared -= 1
        yield shared
    if stacks:
        yield 0


def diff(
    base: Profile, new: Profile, sample: str = "", by: str = "function", focus: str = "", ignore: str = ""
) -> Table:
    """Flat and cumulative values of `new` minus those of `base`; unchanged rows are left out.

    `focus` and `ignore` choose samples as in `aggregate`.

    Equal to `go tool pprof -top -diff_base`. Shares are of its total too: that of `base`, or of `new` if `base` is
    empty. Without `sample` it is the default of `new`, or else of `base`. Raises ProfileError if `base` lacks the
    sample type, or has it in another unit.
    """
    new = new._replace(default_sample_type=new.default_sample_type or base.default_sample_type)
    declared = new.sample_types[new.sample_index(sample)]
    if declared not in base.sample_types:
        has = ", ".join(f"{kind} ({unit})" for kind, unit in base.sample_types)
        raise ProfileError(f"the base has no {declared.type} ({declared.unit}) to compare with; it has {has}")
    how = (declared.type, by, focus, ignore)
    before = aggregate(base, *how)
    after = aggregate(new, *how)
    return after._replace(total=before.total or after.total, rows=_changes(before, after, by))


def _changes(before: Table, after: Table, by: str) -> tuple[Row, ...]:
    # A function is the same after it moves to another file; other rows are identified by the whole frame.
    def key(row: Row) -> object:
        return row.frame.function if by == "function" else row.frame

    old = {key(row): row for row in before.rows}
    changes = []
    for row in after.rows:
        was = old.pop(key(row), None)
        changes.append(Row(row.frame, row.flat - was.flat, row.cum - was.cum) if was else row)
    changes += [Row(row.frame, -row.flat, -row.cum) for row in old.values()]
    return sort_rows(row for row in changes if row.flat or row.cum)
