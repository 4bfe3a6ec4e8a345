"""Limits on the size and counts of a profile, far above those of real profiles.

Within these limits, memory is at most some 500 MB more than for a real profile, 350 MB for a file below 128 KiB.
"""

from __future__ import annotations

from pytest_gomem.pprof.model import ProfileError
from pytest_gomem.pprof.profile_pb2 import ProfileView

MAX_BYTES = 128 << 20  # unpacked; 200 000 samples take some 15 MB
_MAX_RATIO = 64  # of unpacked to packed; real profiles have 5 to 20
_FREE_BYTES = 8 << 20  # any small file may unpack to that
_DENSE_BYTES = 16 << 20  # above it entries are counted before decoding: one of 2 bytes takes 60 in memory
_MAX_ENTRIES = 2_000_000  # all together
_MAX_TABLES = 400_000  # strings, functions, locations with their lines, mappings, comments
_MAX_TYPES = 64
MAX_SAMPLE = 1 << 16  # bytes; a stack of 1024 frames, which is Go's limit, takes some 3000
MAX_LABELS = 800_000  # of all samples, where they are read; a heap profile has one for each


def most_unpacked(packed: int) -> int:
    """How many bytes a gzip file of this size may unpack to."""
    return min(MAX_BYTES, max(_FREE_BYTES, _MAX_RATIO * packed))


def too_large(packed: int) -> ProfileError:
    """The error for one that unpacks to more."""
    limit = most_unpacked(packed)
    if limit < MAX_BYTES:
        return ProfileError(
            f"{packed} bytes that unpack to more than {limit >> 20} MiB; no profile is packed so densely"
        )
    return ProfileError(f"larger than {MAX_BYTES >> 20} MiB when unpacked")


def check_bytes(data: bytes) -> None:
    """Raises ProfileError for unpacked data that is too large, or holds too many entries to be decoded."""
    if len(data) > MAX_BYTES:
        raise too_large(MAX_BYTES)
    if len(data) > _DENSE_BYTES and _entries(data) > _MAX_ENTRIES:
        raise ProfileError(f"more than {_MAX_ENTRIES} samples, locations and the like")


def check_counts(view: ProfileView) -> None:
    """Raises ProfileError for tables that are too long to be real."""
    tables = (view.string_table, view.function, view.location, view.mapping, view.comment)
    entries = sum(map(len, tables))
    if entries <= _MAX_TABLES:
        entries += sum([len(location.line) for location in view.location])
    if entries > _MAX_TABLES:
        raise ProfileError(f"more than {_MAX_TABLES} strings, functions, locations and lines")
    if len(view.sample_type) > _MAX_TYPES:
        raise ProfileError(f"{len(view.sample_type)} sample types; {_MAX_TYPES} are the most that are read")


def _entries(data: bytes) -> int:
    """The number of top-level fields, counted until there are too many or the decoder would fail."""
    at = count = 0
    try:
        while at < len(data) and count <= _MAX_ENTRIES:
            wire_type = data[at] & 7
            at = _after_varint(data, at)
            if wire_type == 2:
                size, at = _varint(data, at)
                at += size
            elif wire_type == 0:
                at = _after_varint(data, at)
            elif wire_type in (1, 5):
                at += 8 if wire_type == 1 else 4
            else:
                break
            count += 1
    except IndexError:
        return count
    return count


def _after_varint(data: bytes, at: int) -> int:
    while data[at] > 0x7F:
        at += 1
    return at + 1


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
