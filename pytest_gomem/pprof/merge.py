"""Combines profiles: merge, scale, and the profile of a span of time."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from math import isfinite

from pytest_gomem.pprof.model import Binary, Label, Location, Profile, ProfileError, location_ids, pack
from pytest_gomem.pprof.read import parse_profile
from pytest_gomem.pprof.write import compressed

_Key = tuple[bytes, tuple[Label, ...]]


def merge(profiles: Sequence[Profile]) -> Profile:
    """The sum of profiles of the same sample types: samples of one stack and one set of labels become one.

    Samples that are all 0 are left out. The result has the earliest time, the longest period and the sum of durations.
    A binary is the same at any load address. Labels are merged only if all profiles were read with them. Raises
    ProfileError if the sample types or period types differ, and for sums beyond 64 bits.
    """
    if not profiles:
        raise ProfileError("there are no profiles to merge")
    first = profiles[0]
    for other in profiles[1:]:
        if (other.sample_types, other.period_type) != (first.sample_types, first.period_type):
            raise ProfileError(f"cannot merge profiles of {_types(first)} and of {_types(other)}")
    merger = _Merger(len(first.sample_types), all(profile.labels is not None for profile in profiles))
    for profile in profiles:
        merger.add(profile)
    merged = merger.result(first)._replace(
        comments=tuple(dict.fromkeys(comment for profile in profiles for comment in profile.comments)),
        period=max(profile.period for profile in profiles),
        time_nanos=min((profile.time_nanos for profile in profiles if profile.time_nanos), default=0),
        duration_nanos=sum(profile.duration_nanos for profile in profiles),
        default_sample_type=next(filter(None, (profile.default_sample_type for profile in profiles)), ""),
    )
    # Samples that are 0 go, with everything that only they refer to.
    return merged if all(map(any, zip(*merged.values, strict=True))) else merge([merged])


def scale(profile: Profile, *factors: float) -> Profile:
    """All values times one factor, or times one for each sample type; fractions are cut off, as in pprof."""
    if len(factors) == 1:
        factors *= len(profile.sample_types)
    if len(factors) != len(profile.sample_types):
        raise ProfileError(f"{len(factors)} factors for {len(profile.sample_types)} sample types")
    if not all(map(isfinite, factors)):
        raise ProfileError(f"cannot scale by {', '.join(map(str, factors))}")
    pairs = zip(profile.values, factors, strict=True)
    # 1 and -1 are exact at any size; a float holds 53 bits only.
    exact = (_column(int(value * _whole(factor)) for value in column) for column, factor in pairs)
    return profile._replace(values=tuple(exact))


def _whole(factor: float) -> float | int:
    return int(factor) if factor == int(factor) else factor


def _column(values: Iterable[int]) -> array[int]:
    try:
        return array("q", values)
    except OverflowError:
        raise ProfileError("a value comes out larger than the 64 bits of the format") from None


def _types(profile: Profile) -> str:
    return ", ".join(f"{kind} ({unit})" for kind, unit in (*profile.sample_types, profile.period_type))


class _Merger:
    """Gathers samples, with locations renumbered in the order in which they come."""

    def __init__(self, types: int, with_labels: bool) -> None:
        self._types, self._with_labels = types, with_labels
        self._sums: dict[_Key, list[int]] = {}
        self._numbers: dict[object, int] = {}
        self._locations: dict[int, Location] = {}
        self._binaries: dict[object, Binary] = {}

    def add(self, profile: Profile) -> None:
        for binary in profile.binaries:
            self._binaries.setdefault(_same_binary(binary), binary)
        stacks: dict[bytes, bytes] = {}
        labels = profile.labels if self._with_labels and profile.labels is not None else [()] * len(profile.stacks)
        for stack, tags, values in zip(profile.stacks, labels, zip(*profile.values, strict=True), strict=True):
            if not any(values):
                continue
            if stack not in stacks:
                stacks[stack] = self._renumbered(stack, profile)
            sums = self._sums.setdefault((stacks[stack], tags), [0] * self._types)
            for index, value in enumerate(values):
                sums[index] += value

    def _renumbered(self, stack: bytes, profile: Profile) -> bytes:
        return pack([self._number(profile.location(number)) for number in location_ids(stack)])

    def _number(self, location: Location) -> int:
        binary = location.binary
        kept = self._binaries.setdefault(_same_binary(binary), binary) if binary else None
        moved = (
            location.address - binary.start + kept.start if binary and kept and location.address else location.address
        )
        location = location._replace(binary=kept, address=moved)
        number = self._numbers.setdefault(location, len(self._numbers) + 1)
        self._locations.setdefault(number, location)
        return number

    def result(self, like: Profile) -> Profile:
        columns = zip(*self._sums.values(), strict=True) if self._sums else [()] * self._types
        return like._replace(
            stacks=[stack for stack, _ in self._sums],
            values=tuple(map(_column, columns)),
            labels=[tags for _, tags in self._sums] if self._with_labels else None,
            locations=self._locations,
            binaries=tuple(self._binaries.values()),
        )


def _same_binary(binary: Binary) -> object:
    """What does not depend on a binary's load address: size in pages, offset, and build id or name."""
    pages = -(-(binary.limit - binary.start) // 0x1000)
    return pages, binary.offset, binary.build_id or binary.filename


def delta(before: bytes, after: bytes) -> bytes:
    """The difference of two profiles of one process, gzipped, as `/debug/pprof/allocs?seconds=` gives it.

    What is held may be negative, if more was freed than kept. Raises ProfileError if one is not a profile, or the later
    one is older.
    """
    earlier, later = parse_profile(before), parse_profile(after)
    lasted = later.time_nanos - earlier.time_nanos
    if lasted < 0:
        raise ProfileError("the later profile of the two is the older one")
    changed = merge([later, scale(earlier, -1)])
    return compressed(changed._replace(time_nanos=later.time_nanos, duration_nanos=lasted))
