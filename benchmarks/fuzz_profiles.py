"""Shows that no file makes the profile commands fail in words not ours, take long, or take much memory.

100 000 mutated profiles: flipped bits, overwritten, cut, doubled and exchanged pieces, varints that promise the world,
damaged gzip; and among them bombs: small files that hold or promise millions of entries. Each is read, aggregated by
function and line, compared with the profile it came from, laid out as a flame graph and drawn. Allowed is success, or a
ProfileError; no case may take more than 1 s of CPU time, and no process more than 600 MB.

    python benchmarks/fuzz_profiles.py [--small]
"""

from __future__ import annotations

import contextlib
import gzip
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import time
import traceback
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from common import mb, ms, small_asked, table, verdict, workshop
from google.protobuf.message import Message

from pytest_gomem.flame.picture import Asked, picture
from pytest_gomem.flame.svg import svg
from pytest_gomem.flame.tree import call_tree
from pytest_gomem.pprof import profile_pb2 as pb
from pytest_gomem.pprof.aggregate import aggregate, diff
from pytest_gomem.pprof.model import Function, Line, Location, Profile, ProfileError, ValueType, pack, varint
from pytest_gomem.pprof.read import parse_profile
from pytest_gomem.pprof.write import encode

CASES, SMALL_CASES = 100_000, 40
BOMB_EVERY, SMALL_BOMB_EVERY = 1000, 20
LONGEST, LARGEST = 1.0, 600e6  # seconds of CPU time of a case, bytes of a process
TYPECHECK = Path(__file__).parent / "typecheck"
DENSE = (8 << 20) - 4096  # bytes that a bomb unpacks to, just allowed


@dataclass
class Found:
    """What the cases of one process came to."""

    cases: int = 0
    accepted: int = 0
    longest: float = 0.0
    longest_case: int = -1
    peak: int = 0
    failures: list[str] = field(default_factory=list)


def captured(folder: Path) -> bytes:
    """A real heap profile, unpacked: the type checker's, of a few hundred samples."""
    env = {**os.environ, "CGO_ENABLED": "0", "GODEBUG": "memprofilerate=65536"}
    subprocess.run(["go", "build", "-o", folder / "typecheck", "."], cwd=TYPECHECK, env=env, check=True)
    command = [folder / "typecheck", "-packages", "strconv", "-profile", folder / "profile"]
    subprocess.run(command, cwd=TYPECHECK, env=env, check=True)
    return gzip.decompress((folder / "profile").read_bytes())


def tiny() -> bytes:
    """Five samples with inlined calls and recursion; each byte of it matters."""
    places = {
        number: Location(None, 0, tuple(Line(Function(name, name, "/a.go", 1), 3, 0) for name in names), False)
        for number, names in {1: ["main.a"], 2: ["main.b", "main.c"], 300: ["runtime.x"]}.items()
    }
    stacks = [[1, 2], [2, 1, 2, 1], [300, 1], [2], [1, 1]]
    made = Profile(
        (ValueType("objects", "count"), ValueType("space", "bytes")),
        [pack(stack) for stack in stacks],
        (array("q", [1, 2, 3, 4, 5]), array("q", [10, 2**40, 30, -4, 2**62])),
        None,
        places,
        default_sample_type="space",
    )
    return encode(made)


def flip(data: bytearray, rng: random.Random) -> None:
    """Some bits are turned."""
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def overwrite(data: bytearray, rng: random.Random) -> None:
    """A few bytes become others, perhaps more or fewer."""
    at = rng.randrange(len(data))
    data[at : at + rng.randrange(1, 16)] = rng.randbytes(rng.randrange(16))


def cut(data: bytearray, rng: random.Random) -> None:
    """The end is missing."""
    del data[rng.randrange(len(data)) :]


def move(data: bytearray, rng: random.Random) -> None:
    """A piece stands somewhere else too."""
    start, to = rng.randrange(len(data)), rng.randrange(len(data))
    data[to:to] = data[start : start + rng.randrange(1, 400)]


def repeat(data: bytearray, rng: random.Random) -> None:
    """A piece comes many times."""
    start = rng.randrange(len(data))
    piece = data[start : start + rng.randrange(1, 200)]
    data[start:start] = piece * rng.choice((2, 10, 300))


def promise(data: bytearray, rng: random.Random) -> None:
    """A varint of up to 2^64, as a length, an id or a value, in place of what is there."""
    at = rng.randrange(len(data))
    data[at : at + rng.randrange(3)] = varint(rng.getrandbits(rng.choice((14, 28, 32, 63, 64))))


NUMBERS = (0, 1, -1, 2**31, 2**62, -(2**63), 2**63 - 1)
TEXTS = ("", "(", "(?P<x>.*)+", ".*", "main.</script>", "\x00\u202e", "a" * 5000, "[[[", "go.shape.int", "/" * 300)


def contradict(original: bytes, rng: random.Random) -> bytes:
    """A well-formed message that says something else: other numbers, ids, texts, and parts missing or doubled."""
    made = pb.Profile.FromString(original)
    for _ in range(rng.choice((1, 2, 5, 30))):
        table = rng.choice((made.sample, made.sample, made.location, made.function, made.sample_type, made.mapping))
        if rng.random() < 0.2:
            made.string_table[rng.randrange(len(made.string_table))] = rng.choice(TEXTS)
        elif rng.random() < 0.1:
            setattr(made, rng.choice(("doc_url", "default_sample_type")), rng.randrange(12))
        elif table:
            one = rng.choice(table)
            if rng.random() < 0.3:
                table.append(one)
            else:
                alter(one, rng)
    return made.SerializeToString()


def alter(message: Message, rng: random.Random) -> None:
    """One field of the message gets another value, is emptied, or doubled."""
    descriptor = rng.choice(message.DESCRIPTOR.fields)
    value = getattr(message, descriptor.name)
    if isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):  # ids take no negative number
            setattr(message, descriptor.name, rng.choice((*NUMBERS, value + 1, rng.randrange(50))))
    elif hasattr(value, "MergeFrom") and hasattr(value, "extend"):
        if rng.random() < 0.3:
            message.ClearField(descriptor.name)
        else:
            value.extend(list(value))


MUTATIONS = (flip, overwrite, cut, move, repeat, promise)


def mutated(original: bytes, rng: random.Random) -> bytes:
    """The profile with some harm done to it, before or after it is packed."""
    if rng.random() < 0.6:
        return contradict(original, rng)
    data = bytearray(original)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if data:
            rng.choice(MUTATIONS)(data, rng)
    if rng.random() < 0.5:
        return bytes(data)
    packed = bytearray(gzip.compress(bytes(data), 1))
    if rng.random() < 0.3:
        rng.choice((flip, cut, overwrite))(packed, rng)
    return bytes(packed)


def entry(tag: int, body: bytes) -> bytes:
    """A field that holds a message or a string."""
    return bytes([tag]) + varint(len(body)) + body


def entries(tag: int, body: bytes = b"", size: int = DENSE) -> bytes:
    """As many numbered messages as fit."""
    made, number, length = [], 1, 0
    while length < size:
        made.append(entry(tag, b"\x08" + varint(number) + body))
        length += len(made[-1])
        number += 1
    return b"".join(made)


TYPE, PLACE, ONE = entry(0x0A, b""), entry(0x22, b"\x08\x01"), entry(0x12, b"\x01")
BOMBS: tuple[Callable[[], bytes], ...] = (
    lambda: bytes(1 << 30),
    lambda: TYPE + b"\x12\x00" * (DENSE // 2),
    lambda: TYPE + b"\x1a\x00" * (DENSE // 2),
    lambda: TYPE + b"\x22\x00" * (DENSE // 2),
    lambda: TYPE + b"\x2a\x00" * (DENSE // 2),
    lambda: TYPE + b"\x32\x00" * (DENSE // 2),
    lambda: TYPE * (DENSE // 2),
    lambda: TYPE + b"\x68\x00" * (DENSE // 2),
    lambda: TYPE + entries(0x22),
    lambda: TYPE + entries(0x2A),
    lambda: TYPE + entries(0x1A),
    lambda: TYPE + entries(0x22, size=1_400_000) + entries(0x2A, size=1_000_000),
    lambda: TYPE + entry(0x22, b"\x08\x01" + b"\x22\x00" * (DENSE // 2)),
    lambda: TYPE + PLACE + entry(0x12, entry(0x0A, b"\x01" * DENSE) + ONE),
    lambda: TYPE + PLACE + entry(0x12, entry(0x0A, b"\x01" * 60_000) + ONE) * (DENSE // 60_020),
    lambda: TYPE + PLACE + entry(0x12, ONE + b"\x1a\x00" * (DENSE // 2)),
    lambda: TYPE + PLACE + entry(0x12, entry(0x0A, b"\x01") + ONE) * (DENSE // 16),
    lambda: TYPE + PLACE + entry(0x12, b"\x12" + varint(2**63)) * 1000,
    lambda: TYPE + PLACE + entry(0x12, entry(0x0A, b"\xff" * 9 + b"\x7f") + ONE) * 1000,
)


def use(data: bytes, base: Profile, draw: bool) -> None:
    """What the commands do with a profile; raises ProfileError where they refuse it."""
    profile = parse_profile(data)
    aggregate(profile)
    aggregate(profile, by="line")
    for before in (base, profile):
        diff(before, profile)
        drawn = picture(profile, call_tree(profile, before), Asked("fuzz", "base"))
    if draw:
        for view in drawn.views[:2]:
            svg(drawn, view)


def run(task: tuple[Sequence[int], int, Sequence[bytes]]) -> Found:
    """All cases of one process; each is made again by its number alone."""
    numbers, bomb_every, originals = task
    bases = [parse_profile(original) for original in originals]
    found = Found()
    for number in numbers:
        rng = random.Random(number)
        which = rng.randrange(len(originals))
        if number % bomb_every == 0:
            data = gzip.compress(BOMBS[number // bomb_every % len(BOMBS)](), 1)
        else:
            data = mutated(originals[which], rng)
        started = time.process_time()
        try:
            use(data, bases[which], draw=number % 10 == 1)
            found.accepted += 1
        except ProfileError:
            pass
        except Exception:
            found.failures.append(f"case {number}: {traceback.format_exc().strip().splitlines()[-1]}")
        taken = time.process_time() - started
        found.cases += 1
        if taken > found.longest:
            found.longest, found.longest_case = taken, number
    unit = 1 if sys.platform == "darwin" else 1024
    found.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return found


def main() -> int:
    """Fuzz, print, compare with the limits."""
    small = small_asked(__doc__)
    cases, bomb_every = (SMALL_CASES, SMALL_BOMB_EVERY) if small else (CASES, BOMB_EVERY)
    workers = os.cpu_count() or 1
    with workshop() as folder:
        originals = (tiny(), captured(folder))
    tasks = [(range(first, cases, workers), bomb_every, originals) for first in range(workers)]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        found = pool.map(run, tasks)
    done, accepted = sum(one.cases for one in found), sum(one.accepted for one in found)
    longest = max(found, key=lambda one: one.longest)
    peak = max(one.peak for one in found)
    failures = [failure for one in found for failure in one.failures]
    head = ("cases", "accepted", "refused in our words", "other errors", "longest (CPU)", "peak of a process")
    row = (done, accepted, done - accepted - len(failures), len(failures), ms(longest.longest), mb(peak))
    table("mutated profiles", head, [row])
    missed = failures
    if longest.longest > LONGEST:
        missed.append(f"case {longest.longest_case} took {ms(longest.longest)} of CPU time")
    if peak > LARGEST:
        missed.append(f"a process took {mb(peak)}")
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
