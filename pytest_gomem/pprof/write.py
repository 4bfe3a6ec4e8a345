"""Writes a profile to a file that every pprof tool reads."""

from __future__ import annotations

import gzip
from collections.abc import Iterable

from pytest_gomem.pprof.model import Binary, Function, Label, Location, Profile, location_ids
from pytest_gomem.pprof.profile_pb2 import Profile as Encoded


def compressed(profile: Profile) -> bytes:
    """The profile as a gzipped message; the same profile always gives the same bytes."""
    return gzip.compress(encode(profile), mtime=0)  # without a time in its header


def encode(profile: Profile) -> bytes:
    """The profile as a serialized message, not compressed; location ids stay, other ids are renumbered."""
    return _Writer(profile).encoded.SerializeToString()


class _Writer:
    def __init__(self, profile: Profile) -> None:
        self.encoded = Encoded()
        self._texts = {"": 0}
        self._binaries: dict[Binary, int] = {}
        self._functions: dict[Function, int] = {}
        self._headers(profile)
        for binary in profile.binaries:
            self._binary(binary)
        for number, location in profile.locations.items():
            self._location(number, location)
        self._samples(profile)
        self.encoded.string_table.extend(self._texts)

    def _text(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))

    def _headers(self, profile: Profile) -> None:
        to = self.encoded
        for kind, unit in profile.sample_types:
            to.sample_type.add(type=self._text(kind), unit=self._text(unit))
        if any(profile.period_type):
            to.period_type.type, to.period_type.unit = map(self._text, profile.period_type)
        to.period, to.time_nanos, to.duration_nanos = profile.period, profile.time_nanos, profile.duration_nanos
        to.comment.extend(map(self._text, profile.comments))
        to.default_sample_type = self._text(profile.default_sample_type)
        to.doc_url = self._text(profile.doc_url)

    def _samples(self, profile: Profile) -> None:
        labels: Iterable[tuple[Label, ...]] = profile.labels or [()] * len(profile.stacks)
        for stack, values, tags in zip(profile.stacks, zip(*profile.values, strict=True), labels, strict=True):
            sample = self.encoded.sample.add(location_id=location_ids(stack), value=values)
            for tag in tags:
                if tag.text is None:
                    sample.label.add(key=self._text(tag.key), num=tag.number, num_unit=self._text(tag.unit))
                else:
                    sample.label.add(key=self._text(tag.key), str=self._text(tag.text))

    def _location(self, number: int, location: Location) -> None:
        binary = self._binary(location.binary) if location.binary else 0
        to = self.encoded.location.add(
            id=number, mapping_id=binary, address=location.address, is_folded=location.is_folded
        )
        for line in location.lines:
            to.line.add(function_id=self._function(line.function), line=line.line, column=line.column)

    def _function(self, function: Function) -> int:
        if function not in self._functions:
            number = self._functions[function] = len(self._functions) + 1
            self.encoded.function.add(
                id=number,
                name=self._text(function.name),
                system_name=self._text(function.system_name),
                filename=self._text(function.filename),
                start_line=function.start_line,
            )
        return self._functions[function]

    def _binary(self, binary: Binary) -> int:
        if binary not in self._binaries:
            number = self._binaries[binary] = len(self._binaries) + 1
            self.encoded.mapping.add(
                id=number,
                memory_start=binary.start,
                memory_limit=binary.limit,
                file_offset=binary.offset,
                filename=self._text(binary.filename),
                build_id=self._text(binary.build_id),
                has_functions=binary.has_functions,
                has_filenames=binary.has_filenames,
                has_line_numbers=binary.has_line_numbers,
                has_inline_frames=binary.has_inline_frames,
            )
        return self._binaries[binary]
