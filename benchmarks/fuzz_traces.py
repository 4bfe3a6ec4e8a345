"""Shows that no execution trace makes the reader crash, hang, or take much memory.

5000 mutants of the recorded traces of Go 1.21 to 1.27 go through the reader: bits and bytes are changed, cut, doubled,
and replaced by numbers that promise the world. Each must be answered or refused in one line, within 10 s, by a process
whose memory stays below 100 MB. The same number gives the same mutant.

    python benchmarks/fuzz_traces.py [--mutants 5000] [--first 0]
    python benchmarks/fuzz_traces.py --small    50 mutants, for CI
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from common import ROOT, mb, table, verdict, workshop

from pytest_gomem.launch.go_program import go_program, program_environment
from pytest_gomem.launch.toolchain import find_toolchain
from pytest_gomem.tracing.model import report_from_json
from pytest_gomem.tracing.reader_program import reader_of, version_for

CASES, SMALL_CASES = 5000, 50
LONGEST, LARGEST = 10.0, 100e6  # seconds of a mutant, bytes of a process
HEADER = 16  # bytes, which are not changed: what has another one is no trace
HUGE = b"\xff" * 9 + b"\x01"  # 2^64 - 1 as a varint


def mutant(content: bytes, number: int) -> bytes:
    """The content with some changes, always the same ones for a number."""
    rng = random.Random(number)
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20, 100))):
        at = rng.randrange(HEADER, len(data))
        match rng.randrange(6):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at] = rng.choice((0, 1, 127, 128, 255))
            case 2:
                data[at : at + len(HUGE)] = HUGE
            case 3:
                del data[at : at + rng.randrange(1, 50)]
                data += bytes(max(HEADER + 1 - len(data), 0))
            case 4:
                start = rng.randrange(HEADER, len(data))
                data[at:at] = data[start : start + rng.randrange(200)]
            case _:
                data[at : at + 4] = rng.randbytes(4)
    return bytes(data)


@dataclass
class Read:
    """How the reader ended, what it said, and what it took."""

    status: int
    out: str
    err: str
    seconds: float
    peak: int


def read(reader: Path, trace: Path) -> Read:
    """Run it; one that does not end is killed after its time."""
    began = time.monotonic()
    with (trace.parent / "out").open("w+") as out, (trace.parent / "err").open("w+") as err:
        process = subprocess.Popen([reader, trace], stdout=out, stderr=err, env=program_environment())
        killer = threading.Timer(LONGEST, process.kill)
        killer.start()
        _, status, used = os.wait4(process.pid, 0)
        killer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        took = time.monotonic() - began
        return Read(process.returncode, out.read(), err.read(), took, used.ru_maxrss * 1024)


def wrong(found: Read) -> str:
    """What is wrong with an end of the reader; "" if nothing."""
    if found.status == 0:
        try:
            report_from_json(json.loads(found.out))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            return f"its answer is not understood: {error}"
        return ""
    if found.status == 2 and found.err.count("\n") == 1 and found.err.startswith(("the trace", "the file")):
        return ""
    return f"status {found.status}: {found.err[:200]!r}"


def main() -> int:
    """Mutate, read, count; 1 where one crashes, takes too long or too much."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=CASES)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--small", action="store_true", help="a small instance, for CI")
    given = parser.parse_args()
    count = SMALL_CASES if given.small else given.mutants
    recorded = [gzip.decompress(path.read_bytes()) for path in sorted(ROOT.glob("tests/recorded/go*/trace.gz"))]
    missed, answered, slowest, peak = [], 0, 0.0, 0
    with workshop() as folder:
        toolchain = find_toolchain()
        reader = go_program(reader_of(version_for(toolchain.version)), folder, toolchain)
        for number in range(given.first, given.first + count):
            (folder / "trace").write_bytes(mutant(recorded[number % len(recorded)], number))
            found = read(reader, folder / "trace")
            answered += found.status == 0
            slowest, peak = max(slowest, found.seconds), max(peak, found.peak)
            if said := wrong(found):
                missed.append(f"mutant {number}: {said}")
    rows = [
        ("mutants", count),
        ("answered", answered),
        ("refused", count - answered - len(missed)),
        ("slowest", f"{slowest:.2f} s"),
        ("peak of a process", mb(peak)),
    ]
    table("mutated traces through the reader", ("what", ""), rows)
    if slowest >= LONGEST:
        missed.append(f"a mutant took {slowest:.1f} s")
    if peak > LARGEST:
        missed.append(f"a process took {mb(peak)}")
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
