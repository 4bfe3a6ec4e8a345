"""Reads the text form of a heap profile, the answer of `/debug/pprof/heap?debug=1`."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator

from pytest_gomem.pprof.model import Function, Label, Line, Location, Profile, ProfileError, ValueType, varint

_HEADER = re.compile(r"heap profile: *\d+: *\d+ *\[ *\d+: *\d+ *\] *@ *heap/(\d+)")
_SAMPLE = re.compile(r"(\d+): *(\d+) *\[(\d+): *(\d+)\] *@((?: *0x[0-9a-f]+)*)")
_FRAME = re.compile(r"#\t(0x[0-9a-f]+)(?:\t(.+?)\+0x[0-9a-f]+\t+(.*):(\d+))?\s*")
_TYPES = tuple(
    ValueType(f"{what}_{of}", unit)
    for what in ("alloc", "inuse")
    for of, unit in (("objects", "count"), ("space", "bytes"))
)


def parse_heap_text(data: bytes) -> Profile:
    """The profile in the text, with values scaled up from the samples, as the runtime does in the binary form.

    The frames come from its comments: each inlined call has its own line, type arguments are [...], and the runtime's
    own frames are missing. Samples without comments keep bare addresses. Raises ProfileError for another text, or one
    that ends before its MemStats.
    """
    lines = data.decode("utf-8", "backslashreplace").splitlines()
    header = _HEADER.fullmatch(lines[0].strip()) if lines else None
    if header is None:
        found = lines[0].strip()[:60] if lines else ""
        raise ProfileError(f"the text form of another profile ({found!r}); fetch it without debug=")
    rate = int(header[1]) // 2  # the runtime writes twice its MemProfileRate
    reader = _Reader(rate)
    reader.read(lines[1:])
    return Profile(
        _TYPES,
        reader.stacks,
        reader.values,
        reader.labels,
        reader.locations,
        period_type=ValueType("space", "bytes"),
        period=rate,
        default_sample_type="inuse_space",
    )


class _Reader:
    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._ids: dict[Location, int] = {}
        self.locations: dict[int, Location] = {}
        self.stacks: list[bytes] = []
        self.values = tuple(array("q") for _ in _TYPES)
        self.labels: list[tuple[Label, ...]] = []

    def read(self, lines: list[str]) -> None:
        """Add the samples; raises ProfileError, with the line's number, for other lines."""
        addresses: list[Location] = []
        frames: list[Location] = []
        for number, line in enumerate(lines, 2):
            if line.startswith("# runtime.MemStats"):
                self._end(addresses, frames)
                return
            frame = _FRAME.fullmatch(line)
            if frame:
                frames.append(_location(*frame.groups()))
            elif line.strip():
                self._end(addresses, frames)
                sample = _SAMPLE.fullmatch(line.strip())
                if sample is None:
                    raise ProfileError(f"line {number} is not a heap sample: {line[:60]!r}")
                addresses = [Location(None, int(address, 16), (), False) for address in sample[5].split()]
                frames = []
                self._sample(*map(int, sample.groups()[:4]))
        raise ProfileError("a heap profile that is cut short: the MemStats at its end are missing")

    def _sample(self, objects: int, space: int, alloc_objects: int, alloc_space: int) -> None:
        scaled = (*self._scale(alloc_objects, alloc_space), *self._scale(objects, space))
        for column, value in zip(self.values, scaled, strict=True):
            column.append(value)
        size = alloc_space // alloc_objects if alloc_objects else 0
        self.labels.append((Label("bytes", None, size, ""),))

    def _scale(self, count: int, size: int) -> Iterator[int]:
        # src/runtime/pprof/protomem.go: a sample of n bytes is taken with probability 1-exp(-n/rate).
        factor = 1.0
        if count and size and self._rate > 1:
            factor = 1 / (1 - math.exp(-(size / count) / self._rate))
        yield int(count * factor)
        yield int(size * factor)

    def _end(self, addresses: list[Location], frames: list[Location]) -> None:
        """Finish the open sample, if there is one, after all its comments are read."""
        if len(self.stacks) == len(self.labels):
            return
        self.stacks.append(b"".join(varint(self._id(location)) for location in frames or addresses))

    def _id(self, location: Location) -> int:
        number = self._ids.setdefault(location, len(self._ids) + 1)
        self.locations[number] = location
        return number


def _location(address: str, name: str | None, file: str, line: str) -> Location:
    lines = (Line(Function(name, name, file, 0), int(line), 0),) if name else ()
    return Location(None, int(address, 16), lines, False)
