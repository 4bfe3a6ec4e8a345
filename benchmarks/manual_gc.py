"""Shows what collections by hand (`manual_gc`) cost a service, and how far apart they come.

A program allocates objects of 10 kB at a steady rate under GOGC=off, so that every collection is one by hand. The bytes
from one to the next are those of gctrace at the end of the mark, in whole MiB, so that what is allocated during a
collection is in them. The CPU of the looking alone is that of the program that allocates nothing, and that of the busy
program under a manual_gc that is never reached, against the same without. Limits: up to 1000 MB/s the median lies
within 5% of what was asked, and an idle program pays at most 1% of a CPU. --small judges nothing: a short run on a busy
machine tells nothing.

    python benchmarks/manual_gc.py [--small]
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from statistics import median

from agents import built, line, module, running, tell
from common import MB, MIB, small_asked, table, verdict, workshop

from pytest_gomem.launch.launcher import MANUAL_GC_VARIABLE

ASKED = 100 * MB
NEVER = 10**15
MOST_OFF, MOST_IDLE = 0.05, 0.01
JUDGED = 1000 * MB  # bytes/s: above, the machine decides when the collection begins
RATES = (50, 200, 1000, 3000)  # MB/s asked; the machine decides what it gives
GCTRACE = {"GODEBUG": "gctrace=1"}
_HEAPS = re.compile(r"\d+->(\d+)->(\d+) MB")  # MiB at the end of the mark, live
SOURCE = """package main

import (
	"bufio"
	"fmt"
	"os"
	"time"
)

var kept []byte

func main() {
	var rate, total int
	in := bufio.NewReader(os.Stdin)
	for {
		if _, err := fmt.Fscan(in, &rate, &total); err != nil {
			return
		}
		start := time.Now()
		for done := 0; done < total; {
			for until := done + rate/1000 + 10_000; done < until; done += 10_000 {
				kept = make([]byte, 10_000)
			}
			time.Sleep(time.Until(start.Add(time.Duration(float64(done) / float64(rate) * 1e9))))
		}
		fmt.Println(time.Since(start).Seconds())
	}
}
"""


def cpu(pid: int) -> float:
    """Seconds on a CPU of all living threads, by the scheduler's count of nanoseconds."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def environment(every: int | None) -> dict[str, str]:
    """Of a program under this policy."""
    return {"GOGC": "off", "GOMEMLIMIT": "2GiB", **({} if every is None else {MANUAL_GC_VARIABLE: str(every)})}


def spacings(binary: Path, rate: int, total: int, trace: Path) -> tuple[float, list[float]]:
    """The rate that was reached, bytes/s, and the bytes from one collection to the next, in whole MiB."""
    with (
        trace.open("wb") as stderr,
        running(binary, env=environment(ASKED) | GCTRACE, stderr=stderr) as (process, agent, _),
    ):
        agent.gc()
        tell(process, f"{rate * MB} {total}\n".encode())
        seconds = float(line(process))
    heaps = [(int(at_end), int(live)) for at_end, live in _HEAPS.findall(trace.read_text())]
    return total / seconds, [(heaps[i][0] - heaps[i - 1][1]) * MIB for i in range(4, len(heaps))]


def busy_cpu(binary: Path, every: int | None, total: int) -> float:
    """CPU seconds of 500 MB/s until `total` bytes are allocated; no cycle comes."""
    with running(binary, env=environment(every)) as (process, _, _):
        before = cpu(process.pid)
        tell(process, f"{500 * MB} {total}\n".encode())
        line(process)
        return cpu(process.pid) - before


def idle_cpu(binary: Path, every: int | None, seconds: float) -> float:
    """CPU seconds for each second of doing nothing."""
    with running(binary, env=environment(every)) as (process, _, _):
        time.sleep(0.5)
        before = cpu(process.pid)
        time.sleep(seconds)
        return (cpu(process.pid) - before) / seconds


def _total(rate: int, cycles: int) -> int:
    """Bytes for so many collections, but no longer than 20 s."""
    return min((cycles + 3) * ASKED, 20 * rate * MB)


def main() -> int:
    """Measure and print."""
    small = small_asked(__doc__)
    seconds, cycles, turns = (0.3, 3, 1) if small else (5.0, 40, 9)
    missed = []
    with workshop() as folder:
        binary = built(".", module(folder / "bench", SOURCE), folder / "bin" / "bench")
        rows = []
        for rate in RATES[-1:] if small else RATES:
            reached, found = spacings(binary, rate, _total(rate, cycles), folder / "trace")
            half = median(found)
            rows.append(
                (
                    f"{rate} MB/s",
                    f"{reached / MB:.0f} MB/s",
                    len(found),
                    *(f"{b / MB:.1f}" for b in (min(found), half, max(found))),
                )
            )
            if rate * MB <= JUDGED and abs(half / ASKED - 1) > MOST_OFF:
                missed.append(f"{half / MB:.1f} MB between two collections at {rate} MB/s")
        table(
            "MB from one collection by hand to the next, 100 asked",
            ("rate asked", "rate", "n", "least", "median", "most"),
            rows,
        )
        idle = {
            every: median(idle_cpu(binary, every, seconds) for _ in range(min(turns, 3))) for every in (None, NEVER)
        }
        total = (2 if small else 15) * ASKED
        busy = [(busy_cpu(binary, None, total), busy_cpu(binary, NEVER, total)) for _ in range(turns)]
        extra = sorted(looking / without - 1 for without, looking in busy)
        table(
            "CPU",
            ("", "without", "looking"),
            [
                ("idle program, share of a CPU", *(f"{share:.3%}" for share in idle.values())),
                ("500 MB/s, seconds (medians)", *(f"{median(column):.3f}" for column in zip(*busy, strict=True))),
            ],
        )
        print(f"looking costs a busy program {median(extra):+.1%} ({extra[0]:+.1%}..{extra[-1]:+.1%}, {turns} pairs)")
        if idle[NEVER] > MOST_IDLE:
            missed.append(f"an idle program pays {idle[NEVER]:.2%} of a CPU")
    return verdict(missed, enforced=not small)


if __name__ == "__main__":
    sys.exit(main())
