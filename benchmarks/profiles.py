"""Shows what `gomem top` costs beside `go tool pprof -top` on large heap profiles: time, and memory at its peak.

Whole processes are measured, start-up included, ours and the peer's in turn, so that whatever else the machine does
meets both. Time is wall-clock time; memory is ru_maxrss of wait4, exact because a small process forks them. Two sample
types: the one both show by default, and the one no sample of which is 0. Limits, by the medians: 0.25 times the peer's
time and 0.3 times its memory.

    python benchmarks/profiles.py            three of 45 000 to 150 000 samples, about three minutes
    python benchmarks/profiles.py --small    one of some 13 000 samples, for CI, below 20 s

--small prints, and enforces no limit: on a small profile Python's start is most of the time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from common import mb, ms, small_asked, table, verdict, workshop

from pytest_gomem.launch.toolchain import find_toolchain

PROGRAM = Path(__file__).parent / "typecheck"
PACKAGES = (
    "net/http,go/types,encoding/json,text/template,archive/zip,database/sql,html/template,encoding/xml,debug/dwarf,"
    "debug/elf,net/rpc,log/slog,image/png,image/gif,image/jpeg,testing,testing/quick,go/doc,go/build,net/http/httputil,"
    "net/smtp,mime/multipart,expvar,runtime/pprof,archive/tar,compress/bzip2,encoding/gob,encoding/asn1,encoding/csv,"
    "index/suffixarray,net/mail,net/textproto,text/tabwriter,go/printer,go/format"
)
COUNT = "import sys; from pytest_gomem.pprof.read import read_profile as read; print(len(read(sys.argv[1]).stacks))"
OURS = [sys.executable, "-c", "import sys; from pytest_gomem.commands.top import top; sys.exit(top(sys.argv[1:]))"]
PEER = ["tool", "pprof", "-top", "-symbolize=none"]
SAMPLES = ("inuse_space", "alloc_space")
TIME_LIMIT, MEMORY_LIMIT = 0.25, 0.3  # of the peer's


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


class Pair(NamedTuple):
    """The medians of what both tools took for one sample type of a profile."""

    name: str
    peer: Cost
    ours: Cost

    @property
    def time_ratio(self) -> float:
        """Our time over the peer's."""
        return self.ours.wall / self.peer.wall

    @property
    def memory_ratio(self) -> float:
        """Our memory over the peer's."""
        return self.ours.peak / self.peer.peak

    def row(self) -> tuple[str, ...]:
        """A line of the table."""
        walls = (ms(self.peer.wall), ms(self.ours.wall), f"{self.time_ratio:.2f}")
        peaks = (mb(self.peer.peak), mb(self.ours.peak), f"{self.memory_ratio:.2f}")
        return (self.name, *walls, f"{self.ours.cpu / self.peer.cpu:.2f}", *peaks)

    def missed(self) -> list[str]:
        """Which limits were missed."""
        ratios = (("time", self.time_ratio, TIME_LIMIT), ("memory", self.memory_ratio, MEMORY_LIMIT))
        return [
            f"{self.name}: {ratio:.2f} of the peer's {what}, at most {limit}"
            for what, ratio, limit in ratios
            if ratio > limit
        ]


def capture(go: str, subject: Subject, program: Path, profile: Path) -> None:
    """Have the Go program write a profile of itself."""
    # It reads the sources of the standard library where its go command, found on PATH, says that they are.
    path = os.pathsep.join((str(Path(go).parent), os.environ.get("PATH", "")))
    env = {**os.environ, "PATH": path, "CGO_ENABLED": "0", "GODEBUG": f"memprofilerate={subject.rate}"}
    flags = ["-packages", subject.packages, "-profile", str(profile), f"-keep={str(subject.keep).lower()}"]
    subprocess.run([program, *flags], cwd=PROGRAM, env=env, check=True)


def measure(go: str, name: str, profile: Path, runs: int) -> list[Pair]:
    """Both tools on one profile, in turn."""
    found = []
    for sample in SAMPLES:
        peer, ours = [go, *PEER, f"-sample_index={sample}", str(profile)], [*OURS, str(profile), "--sample", sample]
        # The first pair has go build its pprof, and brings the file into memory.
        pairs = [(cost(peer), cost(ours)) for _ in range(runs + 1)][1:]
        found.append(Pair(f"{name}, {sample}", *map(_medians, zip(*pairs, strict=True))))
    return found


def _medians(costs: tuple[Cost, ...]) -> Cost:
    wall, cpu, peak = map(median, zip(*costs, strict=True))
    return Cost(wall, cpu, round(peak))


def named(subject: Subject, profile: Path) -> str:
    """What tells a profile from the others."""
    # Not read here: a process that is forked from a large one begins with the memory of that one as its peak.
    samples = int(subprocess.check_output([sys.executable, "-c", COUNT, profile]))
    return f"{samples} samples, {mb(profile.stat().st_size)}{', garbage kept' if subject.keep else ''}"


def main() -> int:
    """Capture the profiles, measure, print."""
    small = small_asked(__doc__)
    subjects, runs = (SMALL, 1) if small else (LARGE, 11)
    go, pairs = find_toolchain().go, []
    with workshop() as folder:
        program = folder / "typecheck"
        env = {**os.environ, "CGO_ENABLED": "0"}
        subprocess.run([go, "build", "-o", program, "."], cwd=PROGRAM, env=env, check=True)
        for number, subject in enumerate(subjects):
            profile = folder / f"{number}.pb.gz"
            capture(go, subject, program, profile)
            pairs += measure(go, named(subject, profile), profile, runs)
    head = ("profile, sample type", "peer", "ours", "of its time", "of its CPU", "peer", "ours", "of its memory")
    table(f"gomem top and go tool pprof -top, medians of {runs} turns", head, [pair.row() for pair in pairs])
    return verdict([line for pair in pairs for line in pair.missed()], enforced=not small)


if __name__ == "__main__":
    sys.exit(main())
