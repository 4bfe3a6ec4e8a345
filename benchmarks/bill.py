"""Shows that the bill finds what holds the memory: four services, each with one kind more than its twin.

tests/programs/billed holds 40 MiB more: of live heap, of a mapped file, of C's malloc; and, with 20 MiB of live heap
and 60 MiB of garbage made, runs under GOGC=400 instead of 50. Limits: the guilty row is the largest change of the bill,
and 'unexplained' stays under 5% of RSS.
The peer is RSS alone, which is the same sum for all of them.

    python benchmarks/bill.py [--small]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from agents import built, line, running
from common import PROGRAMS, mb, small_asked, table, verdict, workshop

from pytest_gomem.measure.bill import Bill, bill, sentence
from pytest_gomem.observe.smaps import read_smaps

MOST_UNEXPLAINED = 0.05
CHURN = ("--live=20", "--churn=60")
CASES = {
    "heap retained": ("live_heap", (), ("--live=40",)),
    "garbage under GOGC=400": ("garbage", (*CHURN, "--gogc=50"), (*CHURN, "--gogc=400")),
    "mapped file": ("files", (), ("--file=40",)),
    "malloc in C": ("cgo", (), ("--malloc=40",)),
}


def bill_of(binary: Path, options: tuple[str, ...]) -> Bill:
    """As a window takes it: MemStats, the mappings, then MemStats after two forced collections."""
    with running(binary, *options) as (process, client, _):
        if line(process) != b"ready\n":
            raise SystemExit(f"billed {' '.join(options)} did not become ready")
        stats, smaps = client.memstats().common, read_smaps(process.pid)
        client.gc()
        return bill(smaps, stats, client.memstats().common)


def main() -> int:
    """Measure and print."""
    rounds = 1 if small_asked(__doc__) else 20
    cases = {name: case for name, case in CASES.items() if "malloc" not in name or shutil.which("gcc")}
    rows, missed = [], list[str]()
    with workshop() as folder:
        binary = built("./billed", PROGRAMS, folder / "bin" / "billed")
        for name, (guilty, base, more) in cases.items():
            found, unexplained = 0, 0.0
            for _ in range(rounds):
                before, after = bill_of(binary, base), bill_of(binary, more)
                changes = {b.name: a.bytes - b.bytes for b, a in zip(before.rows, after.rows, strict=True)}
                largest = max(changes, key=lambda row: abs(changes[row]))
                found += largest == guilty
                unexplained = max(unexplained, 1 - after.explained / after.rss)
                if largest != guilty:
                    missed.append(f"{name}: {largest} changed most: {sentence(after, before)}")
            rows.append((name, f"{found} of {rounds}", mb(changes[guilty]), f"{unexplained:.1%}", mb(after.rss)))
            if unexplained >= MOST_UNEXPLAINED:
                missed.append(f"{name}: {unexplained:.1%} of RSS is unexplained")
    head = ("", "guilty row is the largest change", "its change", "most unexplained", "peer: RSS")
    table("bills against those of a twin", head, rows)
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
