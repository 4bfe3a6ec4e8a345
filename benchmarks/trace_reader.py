"""Shows that an execution trace is read at little cost, and that `go tool trace` says the same.

A trace of 10 MB must be read within 1 s of CPU time and 64 MB of memory. Of three programs (goroutines that assist,
collections by hand, channels) the reader must name the same causes of GC starts, stops of the world by reason, and mark
assists by line, their number and seconds, as are counted in what `go tool trace -d=parsed` prints of the same trace.
That is read here by another code, which knows the events as text alone.

    python benchmarks/trace_reader.py
    python benchmarks/trace_reader.py --small    one trace of 1 MB, three of 200 kB, for CI
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import MB, MIB, mb, small_asked, table, verdict, workshop

from pytest_gomem.launch.go_program import go_program, program_environment
from pytest_gomem.launch.toolchain import find_toolchain
from pytest_gomem.tracing.reader_program import reader_of, version_for

SOURCE = Path(__file__).parent / "trace_reader"
SIZE, SMALL_SIZE = 10 * MB, MB
COMPARED, SMALL_COMPARED = 2 * MB, MB // 5
MOST_CPU, MOST_MEMORY = 1.0, 64 * MIB
WORK = ("heap", "hand", "channels")
EVENT = re.compile(r'^M=\S+ P=\S+ G=\S+ (Range\w+) Time=(\d+) Name="([^"]+)" Scope=(\S+)')
FUNCTION = re.compile(r"^\t(\S+) @ 0x")
LINE = re.compile(r"^\t\t(.+):(\d+)$")
MARK, ASSIST, STOP = "GC concurrent mark phase", "GC mark assist", "stop-the-world ("


@dataclass
class Said:
    """What one of the two says of a trace: counts, and ns of the assists by line."""

    causes: Counter[str] = field(default_factory=Counter)
    stops: Counter[str] = field(default_factory=Counter)
    assists: Counter[str] = field(default_factory=Counter)
    spent: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def events(lines: Iterable[str]) -> Iterator[tuple[str, int, str, str, list[tuple[str, int]]]]:
    """Each range event: kind, time, name, scope, and the functions and lines of its stack."""
    found: tuple[str, int, str, str, list[tuple[str, int]]] | None = None
    for text in lines:
        if text.startswith("M="):
            if found is not None:
                yield found
            match = EVENT.match(text)
            found = match and (match[1], int(match[2]), match[3], match[4], [])
        elif found is not None and (function := FUNCTION.match(text)):
            found[4].append((function[1], 0))
        elif found is not None and found[4] and (line := LINE.match(text)):
            found[4][-1] = (found[4][-1][0], int(line[2]))
    if found is not None:
        yield found


def cause(functions: list[str]) -> str:
    """Why a cycle began."""
    if any(name.lower().endswith("debug.freeosmemory") for name in functions):
        return "FreeOSMemory"
    if "runtime.GC" in functions:
        return "runtime.GC"
    if "runtime.forcegchelper" in functions:
        return "periodic"
    return "heap goal" if any("mallocgc" in name for name in functions) else "unknown"


def by_go_tool(trace: Path) -> Said:
    """What `go tool trace` prints, counted."""
    said = Said()
    command = ["go", "tool", "trace", "-d=parsed", str(trace)]
    began: dict[tuple[str, str], tuple[int, str]] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for kind, time, name, scope, stack in events(process.stdout):
            key = (name, scope)
            if kind == "RangeBegin" or (kind == "RangeActive" and key not in began):
                mine = next((f"{function}:{line}" for function, line in stack if function.startswith("main.")), "none")
                began[key] = time, mine
                if name == MARK:
                    active = kind == "RangeActive"
                    said.causes["before the trace" if active else cause([function for function, _ in stack])] += 1
            elif kind == "RangeEnd" and key in began:
                start, mine = began.pop(key)
                if name == ASSIST:
                    said.assists[mine] += 1
                    said.spent[mine] += time - start
                elif name.startswith(STOP):
                    said.stops[name[len(STOP) : -1]] += 1
    if process.returncode:
        raise SystemExit("go tool trace failed")
    return said


def by_reader(answer: dict[str, Any]) -> Said:
    """What the reader says."""
    said = Said()
    said.causes.update({one["cause"]: one["count"] for one in answer["causes"]})
    said.stops.update({one["reason"]: one["count"] for one in answer["stops"]})
    for one in answer["lines"]:
        where = "none" if one["frame"] is None else f"{one['frame']['function']}:{one['frame']['line']}"
        said.assists[where] += one["count"]
        said.spent[where] += round(one["total"] * 1e9)
    return said


def read(reader: Path, trace: Path) -> tuple[dict[str, Any], float, int]:
    """The answer, CPU seconds and the peak of the reader's memory in bytes."""
    with (trace.parent / "answer.json").open("w+") as out:
        command = [reader, "-module", "gomem.test/trace_reader", "-top", "1000", trace]
        process = subprocess.Popen(command, stdout=out, env=program_environment())
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"the reader ended with status {process.returncode}")
        out.seek(0)
        return json.load(out), used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def main() -> int:
    """Read, and compare; 1 where it costs too much or differs."""
    small = small_asked(__doc__)
    missed = []
    with workshop() as folder:
        toolchain = find_toolchain()
        reader = go_program(reader_of(version_for(toolchain.version)), folder, toolchain)
        subject = folder / "subject"
        env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
        subprocess.run(["go", "build", "-o", subject, "."], cwd=SOURCE, env=env, check=True)

        def traced(work: str, size: int) -> Path:
            trace = folder / f"{work}.trace"
            subprocess.run([subject, work, str(size), trace], env={**os.environ, "GOMAXPROCS": "2"}, check=True)
            return trace

        rows: list[tuple[object, ...]] = []
        for work in WORK:
            trace = traced(work, SMALL_SIZE if small else SIZE)
            answer, cpu, peak = read(reader, trace)
            size = trace.stat().st_size
            rows.append((work, mb(size), answer["events"], f"{cpu:.2f} s", f"{peak / MIB:.0f} MiB"))
            if cpu > MOST_CPU * max(1.0, size / SIZE):
                missed.append(f"{mb(size)} of {work} took {cpu:.2f} s of CPU")
            if peak > MOST_MEMORY:
                missed.append(f"{mb(size)} of {work} took {peak / MIB:.0f} MiB")
        table("the cost of reading a trace", ("work", "size", "events", "CPU", "memory"), rows)
        rows = []
        for work in WORK:
            trace = traced(work, SMALL_COMPARED if small else COMPARED)
            ours, theirs = by_reader(read(reader, trace)[0]), by_go_tool(trace)
            for what in ("causes", "stops", "assists", "spent"):
                mine, other = dict(getattr(ours, what)), dict(getattr(theirs, what))
                if mine != other:
                    missed.append(f"{work}: {what} are {mine}, and {other} by go tool trace")
            counts = (len(ours.stops), sum(ours.stops.values()), len(ours.assists), sum(ours.assists.values()))
            rows.append((work, mb(trace.stat().st_size), sum(ours.causes.values()), *counts))
        head = ("work", "size", "GC cycles", "reasons", "stops", "lines", "assists")
        table("compared with go tool trace", head, rows)
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
