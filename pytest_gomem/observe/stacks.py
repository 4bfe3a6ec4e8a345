"""Reads the stacks of all goroutines from the text that a panic prints, and counts equal ones.

runtime.Stack writes that text (src/runtime/traceback.go). The agent's `goroutines` and
`/debug/pprof/goroutine?debug=2` send it. The goroutine that asks for it comes first.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

MOST_BYTES = 64 << 20  # runtime/pprof writes no more
_MOST_LINES = 3 << 20  # twice what 64 MiB usually have
_MOST_STACKS = 20_000  # different ones
_MOST_FRAMES = 128  # of one stack; the runtime prints some 100
_LONGEST_LINE = 8 << 10

_HEADER = re.compile(rb"goroutine ([0-9]{1,19})(?: gp=[^\[\n]*)? \[([^],\n]+)(?:, ([0-9]{1,9}) minutes)?.*:\n")
_PLACE = re.compile(r"\t(.+):([0-9]{1,9})(?: \+0x[0-9a-f]+)?(?: fp=.*)?\n")
_CREATED = re.compile(rb"created by (.+?)(?: in goroutine ([0-9]{1,19}))?\n")
# In the place of frames: of a stack of more than 100, and of C.
_NO_FRAME = re.compile(rb"\.\.\.(?:additional|[0-9]+) frames elided\.\.\.\n|non-Go function at pc=0x[0-9a-f]+\n")
_BLOCKED_FOR_EVER = b" (leaked)"
_READS_AHEAD = "net/http.(*connReader).startBackgroundRead"  # while a handler runs, another goroutine reads its request


class Frame(NamedTuple):
    """A call, as the runtime prints it: the function, and the file and line where it is."""

    function: str
    file: str
    line: int


class Stack(NamedTuple):
    """What a goroutine does, such as "chan receive"; its calls, innermost first; the call that created it.

    created_by: None for the main goroutine.
    """

    state: str
    frames: tuple[Frame, ...]
    created_by: Frame | None


class Goroutine(NamedTuple):
    """One goroutine; no other of its process ever has its number.

    creator: the number of the one that created it, None before Go 1.21. minutes: for how long it has waited since a
    collection first saw it wait, in whole minutes. is_blocked_for_ever: the last leak-detecting collection found that
    nothing can wake it.
    """

    number: int
    stack: Stack
    creator: int | None = None
    minutes: int = 0
    is_blocked_for_ever: bool = False


@dataclass(frozen=True)
class Stacks:
    """How many goroutines have each stack. The one that asked is not among them, and the runtime's own are not.

    left_out: further goroutines, whose stacks are too many or cut off. unread: lines that belong to no stack.
    is_cut: the text ends at 64 MiB or in the middle of a line, and there may be more goroutines. goroutines: those that
    were counted, by number.
    """

    counts: Mapping[Stack, int]
    left_out: int = 0
    unread: int = 0
    is_cut: bool = False
    goroutines: Mapping[int, Goroutine] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many goroutines were counted."""
        return sum(self.counts.values())

    @property
    def is_whole(self) -> bool:
        """Whether every goroutine was counted."""
        return not (self.is_cut or self.left_out)


def read_stacks(text: bytes) -> Stacks:
    """Read whatever there is, at most 64 MiB; nothing that it cannot read is an error."""
    is_cut = len(text) >= MOST_BYTES or not text.endswith(b"\n") or text.count(b"\n") > _MOST_LINES
    reading = _Reading()
    for line in islice(io.BytesIO(text[:MOST_BYTES]), _MOST_LINES):
        reading.add(line)
    reading.end(is_whole=not is_cut)
    return Stacks(reading.counts, reading.left_out, reading.unread, is_cut, reading.goroutines)


@dataclass
class _Unfinished:
    """A goroutine that is being read. function: the call whose place is on the next line; empty if none is."""

    number: bytes
    words: bytes
    minutes: bytes | None
    frames: list[Frame] = field(default_factory=list)
    created_by: Frame | None = None
    creator: bytes | None = None  # its number; Go 1.21
    function: bytes = b""
    is_creation: bool = False

    def reads(self, line: bytes) -> bool:
        """Take the next line, if it is one of a stack."""
        if line.startswith(b"\t"):
            return self._reads_place(line)
        if created := _CREATED.fullmatch(line):
            (self.function, self.creator), self.is_creation = created.groups(), True
            return True
        if line.endswith(b")\n"):
            self.function, self.is_creation = line[: max(line.rfind(b"("), 0)], False
            return bool(self.function)
        return _NO_FRAME.fullmatch(line) is not None

    def _reads_place(self, line: bytes) -> bool:
        frame = _frame(self.function, line) if self.function else None
        self.function = b""
        if frame is None:
            return False
        if self.is_creation:
            self.created_by = frame
        elif len(self.frames) < _MOST_FRAMES:
            self.frames.append(frame)
        return True


class _Reading:
    """Takes the lines one by one."""

    def __init__(self) -> None:
        self.counts: Counter[Stack] = Counter()
        self.goroutines: dict[int, Goroutine] = {}
        self._stacks: dict[Stack, Stack] = {}
        self.left_out = self.unread = 0
        self._now: _Unfinished | None = None
        self._asker = b""
        self._is_first = True

    def add(self, line: bytes) -> None:
        """Take the next line."""
        if len(line) > _LONGEST_LINE:
            self.unread += 1
        elif header := _HEADER.fullmatch(line):
            self.end()
            self._now = _Unfinished(header[1], header[2], header[3])
        elif line == b"\n":
            self.end()
        elif self._now is None or not self._now.reads(line):
            self.unread += 1

    def end(self, *, is_whole: bool = True) -> None:
        """Count the goroutine that has been read, if there is one."""
        read, self._now = self._now, None
        if read is None:
            return
        is_first, self._is_first = self._is_first, False
        state = _state(read.words)
        if is_first and state == "running":
            self._asker = read.number
            return
        by = read.created_by
        if by is not None and (by.function.startswith("runtime.") or self._serves_asker(by, read.creator)):
            return
        stack = Stack(state, tuple(read.frames), by)
        if is_whole and (stack in self.counts or len(self.counts) < _MOST_STACKS):
            self.counts[stack] += 1
            self._add(read, self._stacks.setdefault(stack, stack))
        else:
            self.left_out += 1

    def _add(self, read: _Unfinished, stack: Stack) -> None:
        number, creator = int(read.number), None if read.creator is None else int(read.creator)
        is_stuck = _BLOCKED_FOR_EVER in read.words
        self.goroutines[number] = Goroutine(number, stack, creator, int(read.minutes or 0), is_stuck)

    def _serves_asker(self, created_by: Frame, creator: bytes | None) -> bool:
        return created_by.function == _READS_AHEAD and creator == self._asker


@lru_cache(256)
def _state(words: bytes) -> str:
    """The state alone: "select" of "select (scan)", and of "select labels:{"key": "value"}" in Go 1.26."""
    state = words.decode(errors="backslashreplace").partition(" labels:{")[0]
    for mark in (" (durable)", " (scan)", " (leaked)"):  # the last is printed first
        state = state.removesuffix(mark)
    return state


@lru_cache(8192)
def _frame(function: bytes, place: bytes) -> Frame | None:
    found = _PLACE.fullmatch(place.decode(errors="backslashreplace"))
    return Frame(function.decode(errors="backslashreplace"), found[1], int(found[2])) if found else None
