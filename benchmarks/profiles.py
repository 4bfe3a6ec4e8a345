"""Owns the comparison of `gomem top` with `go tool pprof -top` on large heap profiles: time, and memory at its peak.

    python benchmarks/profiles.py            profiles of some 60 000 and 150 000 samples, about three minutes
    python benchmarks/profiles.py --small    one of some thousand samples, for CI, below 20 s

Whole processes are measured, start-up included, ours and the peer's in turn, so that whatever else the machine does
meets both. Time is wall-clock time; memory is ru_maxrss of wait4, exact because a small process forks them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

PROGRAM = Path(__file__).parent / "typecheck"
PACKAGES = (
    "net/http,go/types,encoding/json,text/template,archive/zip,database/sql,html/template,encoding/xml,debug/dwarf,"
    "debug/elf,net/rpc,log/slog,image/png,image/gif,image/jpeg,testing,testing/quick,go/doc,go/build,net/http/httputil,"
    "net/smtp,mime/multipart,expvar,runtime/pprof,archive/tar,compress/bzip2,encoding/gob,encoding/asn1,encoding/csv,"
    "index/suffixarray,net/mail,net/textproto,text/tabwriter,go/printer,go/format"
)
OURS = [sys.executable, "-c", "import sys; from pytest_gomem.pprof.commands import top; sys.exit(top(sys.argv[1:]))"]
PEER = ["go", "tool", "pprof", "-top", "-symbolize=none"]
TARGETS = (0.25, 0.3)  # of the peer's time and of its memory


class Cost(NamedTuple):
    """What one process took: seconds of wall-clock time, seconds of CPU time, bytes at the peak."""

    wall: float
    cpu: float
    peak: int


class Subject(NamedTuple):
    """A profile to measure on: the rate it is sampled with, what is checked, and whether the garbage is kept."""

    rate: int
    packages: str
    keep: bool = False


LARGE = (Subject(512, PACKAGES), Subject(64, PACKAGES), Subject(512, PACKAGES, keep=True))
SMALL = (Subject(4096, "net/http"),)


def cost(command: list[str]) -> Cost:
    """Run a command to its end, its output thrown away; raises RuntimeError when it fails."""
    started = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        os.execvp(command[0], command)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with status {status}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def capture(subject: Subject, program: Path, profile: Path) -> None:
    """Have the Go program write a profile of itself."""
    env = {**os.environ, "CGO_ENABLED": "0", "GODEBUG": f"memprofilerate={subject.rate}"}
    flags = ["-packages", subject.packages, "-profile", str(profile), f"-keep={str(subject.keep).lower()}"]
    subprocess.run([program, *flags], cwd=PROGRAM, env=env, check=True)


def measure(subject: Subject, profile: Path, runs: int) -> None:
    """Print a line for each of two sample types: the one both show by default, and the one no sample of which is 0."""
    print(f"rate {subject.rate}, {_samples(profile)} samples, {profile.stat().st_size / 1e6:.2f} MB", end="")
    print(", garbage kept" if subject.keep else "")
    for sample in ("inuse_space", "alloc_space"):
        peer_command = [*PEER, f"-sample_index={sample}", str(profile)]
        our_command = [*OURS, str(profile), "--sample", sample]
        cost(peer_command), cost(our_command)  # go builds its pprof on first use; both find the file in memory
        pairs = [(cost(peer_command), cost(our_command)) for _ in range(runs)]
        print(f"  {sample:12}", *_columns(pairs), sep="  ")


def _columns(pairs: list[tuple[Cost, Cost]]) -> list[str]:
    peer, ours = (
        [statistics.median(values) for values in zip(*costs, strict=True)] for costs in zip(*pairs, strict=True)
    )
    time_ratio, cpu_ratio, memory_ratio = (mine / theirs for mine, theirs in zip(ours, peer, strict=True))
    return [
        f"{ours[0] * 1e3:6.0f} of {peer[0] * 1e3:6.0f} ms = {time_ratio:.2f}x {_mark(time_ratio, TARGETS[0])}",
        f"CPU {ours[1] * 1e3:6.0f} of {peer[1] * 1e3:6.0f} ms = {cpu_ratio:.2f}x",
        f"{ours[2] / 1e6:6.1f} of {peer[2] / 1e6:6.1f} MB = {memory_ratio:.2f}x {_mark(memory_ratio, TARGETS[1])}",
    ]


def _mark(ratio: float, target: float) -> str:
    return f"(target {target}{'' if ratio <= target else ', missed'})"


def _samples(profile: Path) -> int:
    from pytest_gomem.pprof.read import read_profile

    return len(read_profile(profile, labels=False).stacks)


def main() -> None:
    """Capture the profiles, measure, print; never fails for being slow."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="one small profile, for CI")
    parser.add_argument("--runs", type=int, default=0, help="runs of each command (11, or 3 with --small)")
    options = parser.parse_args()
    runs = options.runs or (3 if options.small else 11)
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "typecheck")
        env = {**os.environ, "CGO_ENABLED": "0"}
        subprocess.run(["go", "build", "-o", program, "."], cwd=PROGRAM, env=env, check=True)
        for number, subject in enumerate(SMALL if options.small else LARGE):
            profile = Path(folder, f"{number}.pb.gz")
            capture(subject, program, profile)
            measure(subject, profile, runs)


if __name__ == "__main__":
    main()
