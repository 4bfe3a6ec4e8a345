"""What bytes become a profile, which are refused, and that writing one back loses nothing."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pprof_profiles import HEAP, location, profile, profiles

from pytest_gomem.base.errors import GomemError
from pytest_gomem.pprof import bounds, samples
from pytest_gomem.pprof import profile_pb2 as pb
from pytest_gomem.pprof.aggregate import aggregate
from pytest_gomem.pprof.model import ProfileError, location_ids, pack, varint
from pytest_gomem.pprof.read import parse_profile, read_profile
from pytest_gomem.pprof.write import compressed, encode

SMALL = profile([([1, 2], (5,)), ([2], (7,))], {1: location("main.leaf"), 2: location("main.main", address=0x402000)})


def message(**changes):
    """SMALL as a message, for a test to spoil."""
    encoded = pb.Profile.FromString(encode(SMALL))
    for name, value in changes.items():
        setattr(encoded, name, value)
    return encoded


@given(profiles())
def test_writing_and_reading_returns_the_same_profile(made):
    """Every field of a profile survives the way through a file, whether gzipped or not."""
    assert parse_profile(encode(made)) == made
    assert parse_profile(gzip.compress(encode(made))) == made


@given(profiles())
def test_reading_without_labels_changes_nothing_else(made):
    """The quick way of reading differs from the whole one in the labels alone."""
    assert parse_profile(encode(made), labels=False) == made._replace(labels=None)


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_pack_and_location_ids_are_inverse(numbers):
    """Any list of 64-bit ids comes back from its packed form."""
    assert list(location_ids(pack(numbers))) == numbers


def test_packing_is_protobufs_own():
    """Stacks are packed as protobuf packs them, so that bytes from a file and ours are the same keys."""
    made = [1, 127, 128, 300, 2**63]
    assert pb.SampleColumns.FromString(pb.Sample(location_id=made).SerializeToString()).stack[0] == pack(made)


def test_a_file_written_twice_is_the_same(tmp_path):
    """The same profile always gives the same bytes, so that files can be compared."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(compressed(SMALL))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert read_profile(tmp_path / "a") == SMALL


def by_hand(*fields):
    """A profile of one sample type and one location, whose only sample has these encoded fields."""
    sample = b"".join(fields)
    rest = pb.Profile(string_table=["", "space", "bytes"])
    rest.sample_type.add(type=1, unit=2)
    rest.location.add(id=1)
    rest.location.add(id=2)
    body = b"\x12" + varint(len(sample)) + sample
    return rest.SerializeToString() + body


@pytest.mark.parametrize(
    ("fields", "stack"),
    [
        ((b"\x0a\x02\x01\x02", b"\x10\x05"), [1, 2]),
        ((b"\x10\x05", b"\x08\x01"), [1]),
        ((b"\x08\x01", b"\x08\x02", b"\x10\x05"), [1, 2]),
        ((b"\x0a\x01\x01", b"\x10\x05", b"\x0a\x01\x02"), [1, 2]),
        ((b"\x0a\x01\x01", b"\x08\x02", b"\x12\x01\x05"), [1, 2]),
        ((b"\x0a\x00", b"\x10\x05"), []),
        ((b"\x10\x05", b"\x1a\x00"), []),
        ((b"\x10\x05", b"\x20\x07", b"\x08\x01"), [1]),
    ],
)
def test_every_way_of_writing_a_list_of_ids_is_read(fields, stack):
    """Packed, one by one, in several pieces, mixed, empty or beside unknown fields: all are valid protobuf."""
    made = parse_profile(by_hand(*fields) + by_hand(b"\x0a\x02\x02\x01\x12\x01\x09")[-9:])
    assert [list(location_ids(each)) for each in made.stacks] == [stack, [2, 1]]
    assert list(made.values[0]) == [5, 9]


def test_a_sample_that_holds_the_mark_is_read():
    """The number that separates samples while they are decoded may be a sample's own value."""
    mark = samples._MARK_VALUE
    made = profile([([1], (mark, 1)), ([1], (2, mark)), ([1], (mark, mark))], SMALL.locations, HEAP[:2])
    assert parse_profile(encode(made)).values == made.values


def test_batches_join_without_a_seam(monkeypatch):
    """Samples on both sides of a batch's end are complete."""
    monkeypatch.setattr(samples, "BATCH", 3)
    made = profile([([1] * (n % 4), (n,)) for n in range(10)], SMALL.locations)
    assert parse_profile(encode(made)) == made


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (b"<!DOCTYPE html><html>", "HTML page"),
        (b"\n <html><body>404", "HTML page"),
        (b"goroutine profile: total 5\n", "another profile"),
        (b"404 page not found\n", "not a pprof profile"),
        (encode(SMALL)[:-1], "cut short"),
        (gzip.compress(encode(SMALL), mtime=0)[:-9], "cut short"),
        (gzip.compress(encode(SMALL), mtime=0)[:40], "cut short"),
        (gzip.compress(encode(SMALL), mtime=0)[:-1] + b"\xff", "damaged gzip"),
        (b"\x1f\x8bnonsense", "damaged gzip"),
        (gzip.compress(encode(SMALL), mtime=0) + b"trailing", "damaged gzip"),
        (b"\x12\x00", "no sample types"),
    ],
)
def test_what_is_no_profile_is_refused_with_its_cause(data, says):
    """The error says what the bytes are, or what is wrong with them."""
    with pytest.raises(ProfileError, match=says):
        parse_profile(data)


def spoiled(spoil):
    encoded = message()
    spoil(encoded)
    return encoded.SerializeToString()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda m: m.function[0].__setattr__("name", 99), "string 99 is outside"),
        (lambda m: m.function[0].__setattr__("filename", -1), "string -1 is outside"),
        (lambda m: m.__setattr__("doc_url", 99), "string 99 is outside"),
        (lambda m: m.sample[0].label.add(key=77), "string 77 is outside"),
        (lambda m: m.string_table.__setitem__(0, "x"), "must be empty"),
        (lambda m: m.location[1].__setattr__("id", 1), "location id 1 is used twice"),
        (lambda m: m.function[0].__setattr__("id", 0), "function id 0 is reserved"),
        (lambda m: m.mapping.add(id=1), "mapping id 1 is used twice"),
        (lambda m: m.location[0].line[0].__setattr__("function_id", 42), "function 42"),
        (lambda m: m.sample[0].value.append(1), "2 values, but the profile 1"),
        (lambda m: m.sample[1].ClearField("value"), "0 values, but the profile 1"),
    ],
)
def test_a_profile_that_contradicts_itself_is_refused(spoil, says):
    """Indexes and ids are checked against their tables, and values against the sample types."""
    with pytest.raises(ProfileError, match=says):
        parse_profile(spoiled(spoil))


@pytest.mark.parametrize("stack", [[0], [3], [1, 0], [0, 1], [2**40]])
def test_a_sample_of_an_unknown_location_is_refused_where_it_is_used(stack):
    """An id that is not in the table, 0 included, is an error of the profile, never a wrong number."""
    made = profile([([1], (1,)), (stack, (2,))], SMALL.locations)
    with pytest.raises(ProfileError, match="refers to location"):
        aggregate(parse_profile(encode(made)))


def test_values_that_move_between_samples_are_refused():
    """One value too many here and one too few there do not pass for a good profile."""
    made = message()
    made.sample[0].value.append(1)
    del made.sample[1].value[:]
    with pytest.raises(ProfileError, match="sample 0 has 2 values"):
        parse_profile(made.SerializeToString())


def test_a_mark_does_not_hide_values_that_moved():
    """Samples that hold the separating number where the next one would begin are still counted one by one."""
    made = message()
    made.sample[0].value[:] = [5, samples._MARK_VALUE, 6]
    made.sample[1].ClearField("value")
    made.sample.add()
    with pytest.raises(ProfileError, match="sample 0 has 3 values"):
        parse_profile(made.SerializeToString())


def test_odd_bytes_in_a_name_do_not_cost_the_profile():
    """A string table that is not UTF-8 is read, the bytes shown in their place."""
    data = encode(SMALL).replace(b"main.leaf", b"main.\xff\xfeaf")
    assert [row.frame.function for row in aggregate(parse_profile(data)).rows] == ["main.main", "main.\\xff\\xfeaf"]


def test_gzip_members_are_joined():
    """Several gzip members are one stream, as the format says."""
    data = encode(SMALL)
    assert parse_profile(gzip.compress(data[:20]) + gzip.compress(data[20:])) == SMALL


def field(tag, body):
    return bytes([tag]) + varint(len(body)) + body


def numbered(tag, count):
    return b"".join(field(tag, b"\x08" + varint(number)) for number in range(1, count + 1))


TYPE = field(0x0A, b"")
BOMBS = {
    "zeros that unpack a thousandfold": (lambda: gzip.compress(bytes(9 << 20)), "unpack to more than 8 MiB"),
    "a large file": (lambda: bytes(bounds.MAX_BYTES + 1), "larger than 128 MiB"),
    "samples without content": (lambda: TYPE + b"\x12\x00" * (9 << 20), "more than 2000000 samples"),
    "too many locations": (lambda: TYPE + numbered(0x22, 400_001), "more than 400000 strings"),
    "too many lines": (lambda: TYPE + field(0x22, b"\x08\x01" + b"\x22\x00" * 400_001), "more than 400000 strings"),
    "too many types": (lambda: TYPE * 65, "65 sample types"),
    "an endless stack": (
        lambda: TYPE + numbered(0x22, 1) + field(0x12, field(0x0A, b"\x01" * (1 << 20)) + field(0x12, b"\x01")),
        "a sample of more than 65536 bytes",
    ),
    "labels without end": (
        lambda: TYPE + numbered(0x22, 1) + field(0x12, field(0x12, b"\x01") + b"\x1a\x00" * 30_000) * 27,
        "more than 800000 labels",
    ),
    "labels without end, one by one": (
        lambda: TYPE + field(0x12, field(0x12, b"\x01") + b"\x1a\x02\x08\x00" * 15_000 + b"\x0a\x00" * 2) * 54,
        "more than 800000 labels",
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused(bomb):
    """Sizes and counts that no profile has are told, before they take memory."""
    make, says = BOMBS[bomb]
    with pytest.raises(ProfileError, match=says):
        parse_profile(make())


def test_bounds_leave_room_for_large_profiles():
    """What is above real sizes and below the bounds is read: a million samples, a deep stack."""
    sample = field(0x12, field(0x0A, b"\x01") + field(0x12, b"\x01"))
    data = TYPE + numbered(0x22, 1) + sample * 1_000_000
    assert len(parse_profile(data, labels=False).stacks) == 1_000_000
    deep = TYPE + numbered(0x22, 1) + field(0x12, field(0x0A, b"\x01" * 60_000) + field(0x12, b"\x01")) * 20
    assert {len(stack) for stack in parse_profile(deep).stacks} == {60_000}


def test_the_file_is_named(tmp_path):
    """An error of a file says which: one that is missing, and one that is no profile."""
    with pytest.raises(ProfileError, match=r"nowhere\.pb: No such file"):
        read_profile(tmp_path / "nowhere.pb")
    (tmp_path / "bad.pb").write_bytes(b"<html>")
    with pytest.raises(GomemError, match=r"bad\.pb: an HTML page"):
        read_profile(str(tmp_path / "bad.pb"))


def test_a_folder_is_no_profile(tmp_path):
    """What cannot be read is the user's to mend, not a traceback."""
    with pytest.raises(ProfileError, match="Is a directory"):
        read_profile(tmp_path)


def use(data):
    """Read and use bytes in every way that trusts the reader."""
    made = parse_profile(data)
    aggregate(made, by="line")
    encode(made)


@given(st.binary(max_size=200))
def test_random_bytes_never_cause_anything_but_a_profile_error(data):
    """No bytes, packed or not, end in a traceback."""
    for each in (data, b"\x1f\x8b" + data, gzip.compress(data), b"heap profile: " + data):
        with suppress(ProfileError):
            use(each)


@given(profiles(), st.data())
def test_a_damaged_profile_never_causes_anything_but_a_profile_error(made, data):
    """No change of a byte, and no cut, ends in a traceback."""
    encoded = bytearray(encode(made))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    for each in (bytes(encoded), bytes(encoded[: data.draw(st.integers(0, len(encoded)))])):
        with suppress(ProfileError):
            use(each)


@pytest.mark.parametrize("backend", ["upb", "python"])
def test_both_backends_of_protobuf_read_the_same(tmp_path, backend):
    """The message classes can be made from the compiled backend and from the public, pure-Python one."""
    (tmp_path / "p").write_bytes(compressed(SMALL))
    code = "import sys; from pytest_gomem.commands.top import top; sys.exit(top(sys.argv[1:]))"
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "p"), "--json"],
        env={**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": backend},
        capture_output=True,
        text=True,
    )
    assert run.stderr == ""
    assert '"total": 12' in run.stdout
