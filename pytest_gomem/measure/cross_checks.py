"""Checks whether two sources of one quantity agree, within the precision of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import known
from pytest_gomem.base.units import BYTES, COUNT, SECONDS, Unit, format_value
from pytest_gomem.measure.cycles import cycles_of
from pytest_gomem.measure.peak import rss_drift
from pytest_gomem.measure.window import MemStatsPair, SourceEdges, Window
from pytest_gomem.observe.records import GcCycle, KernelReading, Observed

UNITS: dict[str, Unit] = {
    "total_alloc": BYTES,
    "mallocs": COUNT,
    "num_gc": COUNT,
    "num_forced_gc": COUNT,
    "pause_total": SECONDS,
    "rss": BYTES,
    "cpu": SECONDS,
}
_COUNTERS = ("total_alloc", "mallocs", "num_gc")
_TICK = 0.01  # seconds: /proc/PID/stat counts CPU in them, user and system each cut off
_RSS_SHARE, _RSS_FLOOR = 0.05, 1 << 20  # how much pages being written may move RSS meanwhile
_CUT = 1.11  # gctrace cuts off after 2 digits: up to 9% too low ...
_CUT_SHORT = 2e-6  # ... and below 10 us up to 1 us, in each of both stops
_FORCED = 1  # a recorded program of Go 1.19 printed "(forced)" once more than NumForcedGC counted
_STALE = 1.0  # seconds that the answer with MemStats may have taken


@dataclass(frozen=True)
class CrossCheck:
    """Two sources of one quantity, the more trusted first, and whether they agree within their precision.

    values: of both, in base units. precision: the difference allowed, in words.
    """

    quantity: str
    sources: tuple[str, str]
    values: tuple[float, float]
    precision: str
    agrees: bool


def cross_checks(window: Window) -> tuple[CrossCheck, ...]:
    """Every pair of sources that the window can compare; never raises: if a source is missing, there is no pair."""
    return (*_counters(window), *_pause_sums(window), *_process(window), *_gctrace(window))


def disagreement(check: CrossCheck) -> str:
    """The note on two sources that do not agree."""
    unit = UNITS[check.quantity]
    first, second = (f"{format_value(v, unit)} by {s}" for s, v in zip(check.sources, check.values, strict=True))
    return f"two sources disagree on {check.quantity}: {first}, {second} ({check.precision})"


def _compared(window: Window) -> Iterator[tuple[SourceEdges, Observed]]:
    """The sources that are less trusted than MemStats, with their readings at the close."""
    for edges in window.sources:
        end = known(edges.end)
        if end is not None:
            yield edges, end


def _counters(window: Window) -> Iterator[CrossCheck]:
    """Counters only grow: a reading between two of MemStats has a value between theirs, whatever the service does."""
    pair = known(window.memstats)
    if pair is None:
        return
    for edges, end in _compared(window):
        for name in _COUNTERS:
            if edges.source == "gctrace" or name not in end.quantities:
                continue
            later = known(pair.after_gc) or pair.later
            low, high = getattr(pair.end, name), None if later is None else getattr(later, name)
            value = end.quantities[name]
            before = "" if high is None else f", and before {format_value(high, UNITS[name])} was"
            words = f"the second was read after the first{before}"
            agrees = low <= value and (high is None or value <= high)
            yield CrossCheck(name, (pair.reader, edges.source), (low, value), words, agrees)


def _pause_sums(window: Window) -> Iterator[CrossCheck]:
    """The sum of the window's pauses, if both sources saw the same cycles."""
    pair = known(window.memstats)
    if pair is None:
        return
    pauses = {number: pause for number, pause, _ in pair.end.pauses}
    numbers = range(pair.start.num_gc + 1, pair.end.num_gc + 1)
    if not numbers or any(number not in pauses for number in numbers):
        return
    for edges, end in _compared(window):
        start = known(edges.start)
        if start is None or any("pause_total" not in edge.quantities for edge in (start, end)):
            continue
        seen = (start.quantities.get("num_gc"), end.quantities.get("num_gc"))
        if seen == (pair.start.num_gc, pair.end.num_gc):
            exact = sum(pauses[number] for number in numbers)
            total = end.quantities["pause_total"] - start.quantities["pause_total"]
            agrees = abs(exact - total) <= 1e-6
            yield CrossCheck("pause_total", (pair.reader, edges.source), (exact, total), "to 1 us", agrees)


def _process(window: Window) -> Iterator[CrossCheck]:
    """RSS and CPU against the kernel's readings before and after."""
    before, after = known(window.end), known(window.after)
    if before is None or after is None or window.tree:
        return
    for edges, end in _compared(window):
        for name, slack in (("rss", _rss_slack(window, before, after)), ("cpu", _TICK * (2 + after.threads))):
            if name not in end.quantities:
                continue
            value, unit = end.quantities[name], UNITS[name]
            low, high = sorted((getattr(before, name), getattr(after, name)))
            if name == "rss":
                high = max(high, after.hwm or 0)  # it may have been higher for a moment
            words = f"+- {format_value(slack, unit)} around the kernel's readings before and after"
            agrees = low - slack <= value <= high + slack
            yield CrossCheck(name, ("kernel", edges.source), (getattr(before, name), value), words, agrees)


def _rss_slack(window: Window, before: KernelReading, after: KernelReading) -> float:
    return 2 * rss_drift(window.cpus) + _RSS_FLOOR + _RSS_SHARE * max(before.rss, after.rss)


def _gctrace(window: Window) -> Iterator[CrossCheck]:
    """Cycles, stops and forced collections by gctrace, against MemStats or the agent's records."""
    pair = known(window.memstats)
    if pair is None or known(window.gctrace) is None:
        return
    try:
        cycles = cycles_of(window)
    except ObserveError:
        return
    if not cycles.traced:
        return
    yield from _numbers(pair, cycles.traced)
    yield from _pauses(pair, cycles.exact, cycles.traced)
    if window.own_cycles:  # it is unknown which of these we forced
        return
    lost = cycles.total - len(cycles.traced)
    forced = (pair.end.num_forced_gc - pair.start.num_forced_gc, sum(cycle.forced for cycle in cycles.traced))
    words = "+- 1" + (f", and of {lost} lost lines it is not known" if lost else "")
    agrees = -_FORCED <= forced[0] - forced[1] <= lost + _FORCED
    yield CrossCheck("num_forced_gc", (pair.reader, "gctrace"), forced, words, agrees)


def _numbers(pair: MemStatsPair, traced: tuple[GcCycle, ...]) -> Iterator[CrossCheck]:
    """A line that was read before MemStats has no higher cycle number than MemStats."""
    early = [cycle.number for cycle in traced if cycle.t is not None and cycle.t < pair.start.t - _STALE]
    words = f"a line read {_STALE:g} s before MemStats has no higher number than these"
    highest = max(early, default=pair.start.num_gc)
    yield CrossCheck("num_gc", (pair.reader, "gctrace"), (pair.start.num_gc, highest), words, not early)


def _pauses(pair: MemStatsPair, exact: Mapping[int, float], traced: tuple[GcCycle, ...]) -> Iterator[CrossCheck]:
    """A pause by PauseNs is never longer: gctrace starts its clock before the world is asked to stop, PauseNs after."""
    both = [(exact[cycle.number], cycle.pause) for cycle in traced if cycle.number in exact]
    if both:
        sums = (sum(pause for pause, _ in both), sum(clock for _, clock in both))
        agrees = all(pause <= _CUT * clock + _CUT_SHORT for pause, clock in both)
        words = "cycle by cycle at most gctrace's, which waits for the stop as well, and cuts off after 2 digits"
        yield CrossCheck("pause_total", (pair.reader, "gctrace"), sums, words, agrees)
