"""The profile: frozen records for its tables, and columns for its many samples."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pytest_gomem.base.errors import ObserveError


class ProfileError(ObserveError):
    """Bytes that are not a profile, a profile that contradicts itself, or a question that it cannot answer."""


class ValueType(NamedTuple):
    """What a value is, and its unit, as the profile names them: ("alloc_space", "bytes")."""

    type: str
    unit: str


class Function(NamedTuple):
    """A function of the profiled program; `system_name` is its mangled name; `start_line` is 0 when unknown."""

    name: str
    system_name: str
    filename: str
    start_line: int


class Line(NamedTuple):
    """A place in the source; `line` and `column` are 0 when unknown."""

    function: Function
    line: int
    column: int


class Binary(NamedTuple):
    """A mapped file of the process (the format's `Mapping`, a name that Python uses for dictionaries)."""

    start: int
    limit: int
    offset: int
    filename: str
    build_id: str
    has_functions: bool
    has_filenames: bool
    has_line_numbers: bool
    has_inline_frames: bool


class Location(NamedTuple):
    """A program counter: one line, or several where calls were inlined, the innermost callee first; `()` if unknown."""

    binary: Binary | None
    address: int
    lines: tuple[Line, ...]
    is_folded: bool


class Label(NamedTuple):
    """A tag of a sample: `text`, or if that is None, a number with its unit ("" if none was given)."""

    key: str
    text: str | None
    number: int
    unit: str


class Profile(NamedTuple):
    """A profile, never changed once made; every verb of this room returns a new one.

    `stacks[i]`, `values[t][i]` and `labels[i]` belong to sample i: a packed list of location ids, the leaf first
    (see `location_ids`), its value of `sample_types[t]`, and its labels. `labels` is None if the profile was read
    without them. Ids in `stacks` are checked only when they are used: on a large profile, to check all of them would
    take longer than all other reading.
    """

    sample_types: tuple[ValueType, ...]
    stacks: list[bytes]
    values: tuple[array[int], ...]
    labels: list[tuple[Label, ...]] | None
    locations: Mapping[int, Location]
    binaries: tuple[Binary, ...] = ()
    period_type: ValueType = ValueType("", "")
    period: int = 0
    time_nanos: int = 0
    duration_nanos: int = 0
    comments: tuple[str, ...] = ()
    default_sample_type: str = ""
    doc_url: str = ""

    def sample_index(self, name: str = "") -> int:
        """The index of a sample type by name; without a name, the profile's default, or else its last.

        "space" stands for "inuse_space" and so on, as in `go tool pprof`. Raises ProfileError for an unknown name.
        """
        names = [sample_type.type for sample_type in self.sample_types]
        if not names:
            raise ProfileError("the profile declares no sample types")
        if not name:
            return names.index(self.default_sample_type) if self.default_sample_type in names else len(names) - 1
        for index, known in enumerate(names):
            if known in (name, name.removeprefix("inuse_")) or known == f"inuse_{name}":
                return index
        raise ProfileError(f"no sample type '{name}' in the profile; it has {', '.join(names)}")

    def location(self, number: int) -> Location:
        """The location of that id; raises ProfileError if the profile lacks it."""
        try:
            return self.locations[number]
        except KeyError:
            raise ProfileError(f"a sample refers to location {number}, which the profile does not have") from None


def varint(number: int) -> bytes:
    """A number below 2^64 in the format: 7 bits per byte, lowest first, with the high bit on all but the last."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def pack(location_ids: Iterable[int]) -> bytes:
    """A stack from its location ids, the leaf first."""
    return b"".join(map(varint, location_ids))


def location_ids(stack: bytes) -> Iterator[int]:
    """The location ids of a stack, the leaf first; raises ProfileError if it ends in the middle of one."""
    number = shift = 0
    for byte in stack:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0
    if shift:
        raise ProfileError("a sample's list of locations ends in the middle of a number")


def validate(profile: Profile) -> None:
    """Raise ProfileError if the numbers of samples, values and labels differ, or a stack has an unknown location.

    Reading has checked the tables before: ids of 0, ids used twice, and references between functions, locations and
    strings.
    """
    if len(profile.values) != len(profile.sample_types):
        raise ProfileError(f"{len(profile.values)} columns of values for {len(profile.sample_types)} sample types")
    for kind, column in zip(profile.sample_types, profile.values, strict=True):
        if len(column) != len(profile.stacks):
            raise ProfileError(f"{len(column)} values of {kind.type} for {len(profile.stacks)} samples")
    if profile.labels is not None and len(profile.labels) != len(profile.stacks):
        raise ProfileError(f"labels of {len(profile.labels)} samples, of {len(profile.stacks)}")
    for stack in set(profile.stacks):
        for number in location_ids(stack):
            profile.location(number)
