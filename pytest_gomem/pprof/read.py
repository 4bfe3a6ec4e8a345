"""Reads bytes into a checked profile, where each id in the tables is known and used once."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from os import PathLike
from typing import Any, TypeVar

from google.protobuf.message import DecodeError

from pytest_gomem.pprof.bounds import check_bytes, check_counts, most_unpacked, too_large
from pytest_gomem.pprof.model import Binary, Function, Label, Line, Location, Profile, ProfileError, ValueType
from pytest_gomem.pprof.profile_pb2 import Label as EncodedLabel
from pytest_gomem.pprof.profile_pb2 import ProfileView
from pytest_gomem.pprof.samples import Samples

_T = TypeVar("_T")


class Strings:
    """The string table; `strings[i]` raises ProfileError for an index outside it."""

    def __init__(self, table: Iterable[bytes]) -> None:
        # Some tools do not write UTF-8; a name with an odd byte is better than no profile.
        self._strings = [entry.decode("utf-8", "backslashreplace") for entry in table] or [""]
        if self._strings[0]:
            raise ProfileError(f"the first string of the profile is {self._strings[0]!r}, and must be empty")

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self._strings):
            raise ProfileError(f"string {index} is outside the profile's table of {len(self._strings)}")
        return self._strings[index]


def binaries(view: ProfileView, text: Strings) -> dict[int, Binary]:
    """The mapped files by id; raises ProfileError for an id of 0 or used twice."""

    def binary(m: Any) -> Binary:
        names = (text[m.filename], text[m.build_id])
        has = (m.has_functions, m.has_filenames, m.has_line_numbers, m.has_inline_frames)
        return Binary(m.memory_start, m.memory_limit, m.file_offset, *names, *has)

    return _by_id("mapping", view.mapping, binary)


def functions(view: ProfileView, text: Strings) -> dict[int, Function]:
    """The functions by id; raises ProfileError for an id of 0 or used twice."""

    def function(f: Any) -> Function:
        return Function(text[f.name], text[f.system_name], text[f.filename], f.start_line)

    return _by_id("function", view.function, function)


def locations(view: ProfileView, known: dict[int, Function], mapped: dict[int, Binary]) -> dict[int, Location]:
    """The locations by id; raises ProfileError for an id of 0 or used twice, or a line of an unknown function."""

    def location(place: Any) -> Location:
        try:
            lines = tuple([Line(known[line.function_id], line.line, line.column) for line in place.line])
        except KeyError as error:
            raise ProfileError(f"location {place.id} refers to function {error}, which is not there") from None
        return Location(mapped.get(place.mapping_id), place.address, lines, place.is_folded)

    return _by_id("location", view.location, location)


def _by_id(kind: str, entries: Iterable[Any], convert: Callable[[Any], _T]) -> dict[int, _T]:
    table: dict[int, _T] = {}
    for entry in entries:
        if not entry.id or entry.id in table:
            raise ProfileError(f"{kind} id {entry.id} is " + ("used twice" if entry.id else "reserved"))
        table[entry.id] = convert(entry)
    return table


_GZIP = b"\x1f\x8b"
_HTML = (b"<!doctype", b"<html", b"<?xml", b"<head")


def read_profile(path: str | PathLike[str], labels: bool = True) -> Profile:
    """The profile in a file, gzipped or not, or in the text form of `heap?debug=1`.

    Without `labels` those of the samples are neither kept nor checked, which spares some time and memory. Raises
    ProfileError, naming the file, when it cannot be opened or is no valid profile.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib takes milliseconds to load
            return parse_profile(file.read(), labels)
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror or error}") from None
    except ProfileError as error:
        raise ProfileError(f"{path}: {error}") from None


def parse_profile(data: bytes, labels: bool = True) -> Profile:
    """The profile in these bytes; raises ProfileError, as `read_profile` does."""
    if data.startswith(_GZIP):
        data = _unpack(data)
    if not data:
        raise ProfileError("empty: no profile was written")
    start = data[:256].lstrip().lower()
    if start.startswith(_HTML):
        raise ProfileError("an HTML page, not a profile; was it fetched from the right URL?")
    if b" profile: " in start[:64]:
        from pytest_gomem.pprof.read_text import parse_heap_text

        return parse_heap_text(data)
    try:
        return _decode(data, labels)
    except DecodeError:
        raise ProfileError("not a pprof profile, or one that is cut short") from None


def _unpack(data: bytes) -> bytes:
    """The content of all gzip members; raises ProfileError for one that is cut, damaged or too large."""
    parts = []
    packed = len(data)
    left = most_unpacked(packed)
    while data:
        member = zlib.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(data, left + 1))
        except zlib.error as error:
            raise ProfileError(f"damaged gzip data: {error}") from None
        left -= len(parts[-1])
        if left < 0:
            raise too_large(packed)
        if not member.eof:
            raise ProfileError("gzip data that is cut short; was the profile still being written?")
        data = member.unused_data
    return b"".join(parts)


def _decode(data: bytes, with_labels: bool) -> Profile:
    check_bytes(data)
    view = ProfileView.FromString(data)
    check_counts(view)
    text = Strings(view.string_table)
    profile = _without_samples(view, text)
    samples = Samples(len(profile.sample_types), with_labels)
    encoded = view.sample[:]
    del view, data  # or they would stay in memory with the samples, a third of the peak
    samples.add(encoded)
    labels = None if samples.labels is None else _labels(samples.labels, text)
    return profile._replace(stacks=samples.stacks, values=samples.values, labels=labels)


def _without_samples(view: ProfileView, text: Strings) -> Profile:
    sample_types = tuple(ValueType(text[each.type], text[each.unit]) for each in view.sample_type)
    if not sample_types:
        raise ProfileError("not a pprof profile: it declares no sample types")
    known_binaries = binaries(view, text)
    return Profile(
        sample_types,
        [],
        (),
        None,
        locations(view, functions(view, text), known_binaries),
        binaries=tuple(known_binaries.values()),
        period_type=ValueType(text[view.period_type.type], text[view.period_type.unit]),
        period=view.period,
        time_nanos=view.time_nanos,
        duration_nanos=view.duration_nanos,
        comments=tuple(text[index] for index in view.comment),
        default_sample_type=text[view.default_sample_type],
        doc_url=text[view.doc_url],
    )


def _labels(encoded: list[tuple[bytes, ...]], text: Strings) -> list[tuple[Label, ...]]:
    """The labels of each sample; there are few distinct sets, which are decoded once and shared."""
    known: dict[tuple[bytes, ...], tuple[Label, ...]] = {}
    for group in set(encoded):
        decoded = (_label(EncodedLabel.FromString(label), text) for label in group)
        known[group] = tuple(label for label in decoded if label is not None)
    return [known[group] for group in encoded]


def _label(label: EncodedLabel, text: Strings) -> Label | None:
    key = text[label.key]
    if label.str:
        return Label(key, text[label.str], 0, "")
    if label.num or label.num_unit:
        return Label(key, None, label.num, text[label.num_unit])
    return None  # the format has no empty label
