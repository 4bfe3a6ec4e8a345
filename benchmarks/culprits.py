"""Owns the proof that the first culprit is the guilty line, with the right reason, in the example's bad versions.

    python benchmarks/culprits.py            10 runs of each of four bad versions, about a minute
    python benchmarks/culprits.py --small    one run of the last of them, for CI: the suite has a test of all

The line is found by the Go that stands there. The escape reason is judged where the line itself lets something escape;
elsewhere the reason is the library function that allocates on its behalf.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common import GO_SERVICE, small_asked, table, verdict, workshop


class Guilty(NamedTuple):
    """A bad version: the code of its guilty line, and what the reason must say, of which kind."""

    test: str
    file: str
    code: str
    kind: str
    reason: str


BAD = (
    Guilty(
        "test_logs", "logs.go", "make([]byte, 0, lineSize)", "escape", "`make([]byte, 0, 1024)` escapes to the heap"
    ),
    Guilty("test_buffers", "buffers.go", "return new(buffer)", "escape", "escapes to the heap, since it is returned"),
    Guilty("test_upload", "upload.go", "io.ReadAll(body)", "callee", "io.ReadAll (io/io.go:"),
    Guilty("test_encode_fresh", "encode.go", "uint64(s.Time)", "callee", "AppendUint64 (encoding/binary/binary.go:"),
)


def main() -> int:
    """Run, count, print; 1 where a run named another line, or gave another reason."""
    runs, bads = (1, BAD[-1:]) if small_asked(__doc__) else (10, BAD)
    named, explained, shares = ({bad.test: [] for bad in bads} for _ in range(3))
    with workshop() as folder:
        for number in range(runs):
            culprits = first_culprits(folder / f"{number}.json", bads)
            for bad in bads:
                first = culprits.get(bad.test, {})
                named[bad.test].append((first.get("file"), first.get("line")) == (bad.file, line_of(bad)))
                told = [cause["text"] for cause in first.get("causes", []) if cause["kind"] == bad.kind]
                explained[bad.test].append(any(bad.reason in text for text in told))
                shares[bad.test].append(first.get("share", 0.0))
    rows = [
        (
            f"{bad.test}  {bad.file}:{line_of(bad)}",
            f"{sum(named[bad.test])} of {runs}",
            f"{bad.kind}: {sum(explained[bad.test])} of {runs}",
            f"{min(shares[bad.test]):.0%} and more",
        )
        for bad in bads
    ]
    table("first culprit is the guilty line", ("", "named", "reason", "share of the growth"), rows)
    missed = [f"{bad.test} named another line first" for bad in bads if not all(named[bad.test])]
    missed += [f"{bad.test} has not its {bad.kind} reason" for bad in bads if not all(explained[bad.test])]
    return verdict(missed)


def first_culprits(report: Path, bads: Sequence[Guilty]) -> dict[str, dict[str, Any]]:
    """Run these bad tests; the first culprit of each by the name of its test."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--gomem-json={report}",
        *(f"tests/test_bad.py::{bad.test}" for bad in bads),
    ]
    done = subprocess.run(command, cwd=GO_SERVICE, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if not report.exists():
        raise SystemExit(f"the example's tests did not run:\n{done.stdout}{done.stderr}")
    tests = json.loads(report.read_text())["tests"]
    windows = {test["nodeid"].rpartition("::")[2]: test["windows"] for test in tests}
    return {name: found[0]["culprits"][0] for name, found in windows.items() if found and found[0]["culprits"]}


def line_of(bad: Guilty) -> int:
    """The line that holds the code."""
    lines = (GO_SERVICE / bad.file).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if bad.code in line)


if __name__ == "__main__":
    sys.exit(main())
