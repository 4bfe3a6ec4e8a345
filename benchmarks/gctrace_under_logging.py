"""Shows that gctrace is read right while the service logs heavily, look-alike gctrace lines among it.

tests/programs/gclogger collects while four goroutines and a child process, with gctrace lines of its own, write to the
same stderr. The truth is asked of the service itself: NumGC before and after, and the pause of every cycle in PauseNs,
read before its ring of 256 turns. Limits: accepted + lost cycles are the difference of NumGC; no cycle is accepted
twice; and every accepted line tells the end of its own cycle, that is, by PauseEnd and the line's own clock the program
started at one and the same moment, within 20 ms. Lines whose pause is not that of PauseNs are counted: gctrace looks at
its clock before it asks the world to stop, PauseNs after (runtime/mgc.go), and on a busy machine another thread may run
between the two.
The peer is a reader that trusts every whole line it sees: how many of those are no lines of the service's own.

    python benchmarks/gctrace_under_logging.py [--small]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from common import program, service_yaml, small_asked, table, verdict, workshop

from pytest_gomem.base.unavailable import known, required
from pytest_gomem.config.gomem_yaml import load_config
from pytest_gomem.diagnosis.explanation import ByProfiles
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.measure.window import Window
from pytest_gomem.observe.records import GcCycle
from pytest_gomem.session.run import Run, RunSettings
from pytest_gomem.session.service import Service
from pytest_gomem.session.window import OpenWindow

CYCLES = 150  # a burst; few enough for all pauses to be in the ring still
SAME_START = 0.020  # seconds; gctrace prints its clock in whole ms
WHOLE_LINE = re.compile(
    r"^gc \d+ @[\d.]+s \d+%: \S+ ms clock, \S+ ms cpu, \S+ MB, .*\d P(?: \(forced\))?$", re.MULTILINE
)


@dataclass
class Tally:
    """What was seen in all bursts."""

    happened: int = 0
    accepted: int = 0
    lost: int = 0
    rejected: int = 0
    log_bytes: int = 0
    look_alikes: int = 0
    wrong: list[str] = field(default_factory=list)
    starts: dict[int, float] = field(default_factory=dict)  # when the program started, by cycle
    other_pause: int = 0


def burst(service: Service, tally: Tally) -> None:
    """One window full of collections and noise, compared with what the service says of itself."""
    kept = service.process.kept
    assert kept is not None
    log_start = kept.state().log_end
    before = int(service.get("/numgc").text)
    window = OpenWindow(service.process, "burst", fresh=False)
    after = int(service.get(f"/burn?cycles={CYCLES}", timeout=120).text)
    closed = window.close()
    _count(closed, before, after, tally)
    accepted, tally.rejected = kept.gc_cycles(closed.opened)
    _compare(accepted, closed, tally)
    log, log_end = kept.log(log_start)
    tally.log_bytes += log_end - log_start
    tally.look_alikes += len(WHOLE_LINE.findall(log))


def _count(window: Window, before: int, after: int, tally: Tally) -> None:
    """Whether accepted and lost cycles are all that happened, also by the service's own count."""
    memstats, trace = known(window.memstats), known(window.gctrace)
    if memstats is None or trace is None or trace.lost is None:
        raise SystemExit("neither MemStats nor gctrace of gclogger could be read")
    first, last = memstats.start.num_gc, memstats.end.num_gc
    accepted, lost = len(trace.cycles), trace.lost
    tally.happened += last - first
    tally.accepted += accepted
    tally.lost += lost
    if not before <= first < after <= last:
        tally.wrong.append(f"NumGC of the window {first}..{last}, of the service itself {before}..{after}")
    if lost < 0 or accepted + lost != last - first:
        tally.wrong.append(f"{accepted} accepted + {lost} lost, {last - first} happened")


def _compare(accepted: Sequence[GcCycle], window: Window, tally: Tally) -> None:
    """Whether every line that the reader accepted since the window opened is that of a cycle in MemStats' ring."""
    ring = {number: (pause, end) for number, pause, end in required(required(window.memstats).after_gc).pauses}
    for cycle in accepted:
        if cycle.number not in ring:
            tally.wrong.append(f"a line of cycle {cycle.number} was accepted, which did not happen then")
            continue
        if cycle.number in tally.starts:
            tally.wrong.append(f"two lines of cycle {cycle.number} were accepted")
        pause, end = ring[cycle.number]
        tally.starts[cycle.number] = end - (cycle.since_start + cycle.pause + cycle.concurrent_mark)
        tally.other_pause += not agrees(cycle.pause, pause)


def strangers(starts: Mapping[int, float]) -> list[str]:
    """The cycles whose line tells of a program that started at another moment than most."""
    usual = median(starts.values())
    return [
        f"the line of cycle {number} is {abs(start - usual) * 1e3:.1f} ms off PauseEnd"
        for number, start in starts.items()
        if abs(start - usual) > SAME_START
    ]


def agrees(printed: float, exact: float) -> bool:
    """Whether a gctrace pause can be this cycle's: its two parts lose up to 9% each, below 10 us up to 1 us each."""
    return 0.9 * exact - 2e-6 <= printed <= exact + 2e-6


def measured(folder: Path, bursts: int) -> Tally:
    """All bursts on one service."""
    config = folder / "gomem.yaml"
    config.write_text(service_yaml(program("gclogger", folder)))
    registry, tally = Registry(builtin_metrics()), Tally()
    run = Run(RunSettings(load_config(config, registry.units()), registry, folder, ByProfiles()))
    try:
        with run.launch("api", Overrides()) as service:
            for _ in range(bursts):
                burst(service, tally)
    finally:
        run.close()
    return tally


def main() -> int:
    """Measure and print."""
    bursts = 2 if small_asked(__doc__) else 40
    with workshop() as folder:
        tally = measured(folder, bursts)
    tally.wrong += strangers(tally.starts)
    rows = [
        ("GC cycles by NumGC", tally.happened, 1),
        ("accepted gctrace lines", tally.accepted, tally.accepted / tally.happened),
        ("lost (torn by other output)", tally.lost, tally.lost / tally.happened),
        ("lines compared (those of our readings too)", len(tally.starts), len(tally.starts) / tally.happened),
        ("misread", len(tally.wrong), len(tally.wrong) / tally.happened),
        ("pause of the line is not PauseNs", tally.other_pause, tally.other_pause / tally.happened),
        ("rejected: torn, stale, another's", tally.rejected, tally.rejected / tally.happened),
        ("peer, any whole line: false ones", tally.look_alikes, tally.look_alikes / tally.happened),
    ]
    title = f"gctrace beside {tally.log_bytes / 1e6:.0f} MB of log in {bursts} bursts"
    table(title, ("", "number", "of NumGC"), [(what, n, f"{share:.3f}") for what, n, share in rows])
    return verdict(tally.wrong)


if __name__ == "__main__":
    sys.exit(main())
