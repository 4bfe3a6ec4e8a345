"""How much CPU the machine withheld from the process in a window, and the metric of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, required
from pytest_gomem.base.units import RATIO, SECONDS, format_value
from pytest_gomem.measure.metric import Better, Noise, Reading, metric
from pytest_gomem.measure.window import Window, once_per_window
from pytest_gomem.measure.window_sources import duration, joined
from pytest_gomem.observe.scheduling import Scheduling

_SCHEDSTAT = "run delay of /proc/PID/task/*/schedstat"
# From these shares on, figures of wall time say so: of the time in which threads could run, and of the window.
NOTED, NOTED_OF_WINDOW = 0.10, 0.01
_MOST_UNSEEN = 0.5  # of the CPU time: with more of it used by threads that ended, the others do not speak for all
_LEAST_SHOWN = 0.01  # a smaller share of steal or throttling is not worth its words


@dataclass(frozen=True)
class Starvation:
    """How long the threads of the process ran in a window and how long they waited for a CPU, seconds.

    by: who took the CPU, in words; "" if only other work on the same CPUs is known.
    """

    ran: float
    waited: float
    by: str

    @property
    def share(self) -> float:
        """The share of the time in which threads ran or could have run that they waited."""
        return self.waited / (self.ran + self.waited) if self.waited else 0.0


@once_per_window
def starvation(window: Window) -> Starvation:
    """From the readings at the window's edges; raises ObserveError if they lack it."""
    start, end = _measured(required(window.start).scheduling), _measured(required(window.end).scheduling)
    gained = [_gained(start.threads.get(tid, (0.0, 0.0)), times) for tid, times in end.threads.items()]
    ran, waited = (sum(times) for times in zip(*gained, strict=True))
    used = required(window.end).cpu - required(window.start).cpu
    if ran < (1 - _MOST_UNSEEN) * used:
        raise ObserveError(
            f"threads that used {1 - ran / used:.0%} of the CPU time ended within the window, and the count of their "
            "waiting with them"
        )
    return Starvation(ran, waited, joined(*_by(start, end, duration(window))))


def _measured(one: Scheduling | None) -> Scheduling:
    if one is None or not one.threads:
        raise ObserveError("the kernel does not tell how long threads waited for a CPU: /proc/PID/task/*/schedstat")
    return one


def _gained(before: tuple[float, float], after: tuple[float, float]) -> tuple[float, float]:
    """For one thread. If it ran less than before, it is a new one with the id of a thread that ended."""
    if after[0] < before[0]:
        return after
    return after[0] - before[0], after[1] - before[1]


def _by(start: Scheduling, end: Scheduling, wall: float) -> Iterator[str]:
    if start.machine and end.machine:
        whole, stolen = (after - before for before, after in zip(start.machine, end.machine, strict=True))
        if whole > 0 and stolen / whole > _LEAST_SHOWN:
            yield f"the hypervisor gave {stolen / whole:.0%} of the machine's CPU time to others (steal)"
    for group, before in start.throttled.items():
        stopped = end.throttled.get(group, before) - before
        if stopped > _LEAST_SHOWN * wall:
            taken = f"{format_value(stopped, SECONDS)}, all CPUs together"
            yield f"the CPU quota of its cgroup stopped it for {taken} ({group})"


def withheld(window: Window) -> str:
    """What a reader of a figure of wall time must know of this window; "" if the machine withheld little."""
    try:
        found = starvation(window)
    except ObserveError:  # cpu_starvation says why
        return ""
    if not found.by and (found.share <= NOTED or found.waited <= NOTED_OF_WINDOW * window.duration):
        return ""
    return joined(f"the machine withheld CPU: cpu_starvation {found.share:.1%}", found.by)


@metric(
    group="work",
    unit=RATIO,
    better=Better.LOWER,
    noise=Noise.NOISY,
    sources=(_SCHEDSTAT,),
    precision="exact for the threads that live at the close; those that ended within the window are not in it",
)
def cpu_starvation(window: Window) -> Reading | Unavailable:
    """Share of the time in which threads of the process ran or could have run that they waited for a CPU."""
    found = starvation(window)
    waited = f"waited {format_value(found.waited, SECONDS)}, ran {format_value(found.ran, SECONDS)}"
    return Reading(found.share, _SCHEDSTAT, note=joined(waited, found.by))


METRICS = (cpu_starvation,)
