"""Shows that no heap dump makes the reader panic, hang, or take much memory.

100 000 mutants of the dump of a small program (fuzz_dumps/subject) go through the reader's packages, in one Go
process (fuzz_dumps/main.go): bits and bytes of records are changed, cut, doubled, exchanged, and replaced by numbers
that promise the world; what objects contain is changed too. Each must be refused or answered, within 10 s of time, by a
process whose memory stays below 600 MB. The same number gives the same mutant.

    python benchmarks/fuzz_dumps.py [--mutants 100000] [--first 0]
    python benchmarks/fuzz_dumps.py --small    300 mutants, for CI
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from common import mb, table, verdict, workshop

SOURCE = Path(__file__).parent / "fuzz_dumps"
CASES, SMALL_CASES = 100_000, 300
LONGEST, LARGEST = 10.0, 600e6  # seconds of a mutant, bytes of the process


def main() -> int:
    """Build, mutate, count; 1 where one panics, takes too long or too much."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=CASES)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--small", action="store_true", help="a small instance, for CI")
    given = parser.parse_args()
    if given.small:
        given.mutants = SMALL_CASES
    with workshop() as folder:
        env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
        subject, mutator, dump = folder / "subject", folder / "mutator", folder / "dump"
        for program, package in ((subject, "./subject"), (mutator, ".")):
            subprocess.run(["go", "build", "-o", program, package], cwd=SOURCE, env=env, check=True)
        subprocess.run([subject, dump], check=True)
        command = [mutator, f"-dump={dump}", f"-binary={subject}"]
        began = time.monotonic()
        with (folder / "result.json").open("w+") as out:
            fuzzer = subprocess.Popen(
                [*command, f"-mutants={given.mutants}", f"-first={given.first}"], stdout=out, env=env
            )
            _, status, used = os.wait4(fuzzer.pid, 0)
            out.seek(0)
            text = out.read()
        seconds = time.monotonic() - began
        size = dump.stat().st_size
    if status:
        return verdict([f"the reader's process ended with status {status}"])
    found = json.loads(text)
    peak = used.ru_maxrss * 1024
    rows = [
        ("mutants", found["mutants"]),
        ("of a dump of", mb(size)),
        ("answered", found["accepted"]),
        ("refused", found["refused"]),
        ("panics", found["panics"]),
        ("slowest", f"{found['slowest']:.2f} s"),
        ("peak of the process", mb(peak)),
        ("all together", f"{seconds:.0f} s"),
    ]
    table("mutated heap dumps through the reader", ("what", ""), rows)
    missed = list(found["told"])
    if found["slowest"] > LONGEST:
        missed.append(f"a mutant took {found['slowest']:.1f} s")
    if peak > LARGEST:
        missed.append(f"the process took {mb(peak)}")
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
