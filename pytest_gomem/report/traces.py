"""The text of an execution trace: what stopped the world, why collections came, who had to help, and who waited."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import BYTES, COUNT, SECONDS, format_value
from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.pprof.group import as_called
from pytest_gomem.report.text import percent, wrapped
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import Status
from pytest_gomem.tracing.model import BY_HAND, FREE_OS_MEMORY, Assist, Cycle, Frame, TraceReport

_STOPPED = frozenset(
    {f"gc_pause_{which}" for which in ("max", "p99", "p50", "mean", "total")}
    | {f"gc_stop_{which}" for which in ("max", "p99", "p50")}
)
_ASSISTED = frozenset({"gc_assist_cpu"})
_COLLECTED = frozenset({"gc_cpu", "gc_cpu_capacity"})
_WAITED = frozenset({"sched_latency_p99", "latency_p50", "latency_p99"})
TRACED = _STOPPED | _ASSISTED | _COLLECTED | _WAITED  # explained by an execution trace
_SENTENCES = 3  # on the first screen
_LISTED = 5
_FORCED = frozenset({BY_HAND, FREE_OS_MEMORY})
_GOOD_PART = 0.25


def trace_sentences(window: WindowRecord, broken: Sequence[Verdict]) -> Iterator[str]:
    """For the first screen: what explains the broken limits, at most 3 sentences; why there is no trace."""
    told = [verdict for verdict in broken if is_told(verdict)]
    if not told:
        return
    if window.trace is None:
        if window.trace_note:
            yield printable(f"no execution trace tells: {window.trace_note}")
        return
    texts = dict.fromkeys(text for verdict in told for text in _of_verdict(verdict, window.trace, window))
    yield from map(printable, list(texts)[:_SENTENCES])


def is_told(verdict: Verdict) -> bool:
    """Whether a trace explains a verdict; it is of the whole window, not of a phase."""
    return verdict.status is Status.FAIL and verdict.budget.metric in TRACED and not verdict.budget.phase


def _of_verdict(verdict: Verdict, trace: TraceReport, window: WindowRecord) -> Iterator[str]:
    """The sentences about its metric; of a comparison the first one says what there was on the base side."""
    metric, base = verdict.budget.metric, window.base.trace if window.base is not None else None
    texts = list(_of_metric(metric, trace))
    if texts and base is not None and verdict.kind == REGRESSION:
        texts[0] += f"; on the base side {_in_short(metric, base)}"
    return iter(texts)


def _in_short(metric: str, trace: TraceReport) -> str:
    if metric in _COLLECTED:
        return _times(trace.cycle_count, "collection")
    if metric in _ASSISTED:
        longest = trace.longest_assist.duration if trace.longest_assist is not None else 0.0
    elif metric in _STOPPED:
        longest = max((stop.longest for stop in trace.stops), default=0.0)
    else:
        longest = trace.latency.longest if trace.latency is not None else 0.0
    return _seconds(longest)


def _of_metric(metric: str, trace: TraceReport) -> Iterator[str]:
    """The sentences that say most about a metric, the first ones most."""
    if metric in _STOPPED:
        yield from (*_longest_stop(trace), *_causes(trace))
    elif metric in _ASSISTED:
        yield from (*_longest_assist(trace), *_causes(trace))
    elif metric in _COLLECTED:
        yield from (*_causes(trace), *_longest_assist(trace))
    else:
        yield from (*_waiting(trace), *_longest_assist(trace), *_longest_stop(trace))


def _longest_assist(trace: TraceReport) -> Iterator[str]:
    """Such as "longest assist 42.5 ms in main.churn main.go:71, 1.5 ms after cycle 7 began (heap goal)"."""
    if (longest := trace.longest_assist) is not None:
        yield f"longest assist {assist_text(longest)}"


def assist_text(assist: Assist) -> str:
    """How long a mark assist took, where, and how soon after its cycle began."""
    least = "at least " * (assist.goes_on or assist.began_before)
    text = f"{least}{_seconds(assist.duration)} in {place(assist.frame) or f'goroutine {assist.goroutine}'}"
    if assist.cycle is None or assist.after is None:
        return text
    cause = f" ({assist.cause})" if assist.cause else ""
    return f"{text}, {_seconds(assist.after)} after cycle {assist.cycle} began{cause}"


def place(frame: Frame | None) -> str:
    """Such as "main.churn main.go:71"; "" without a frame."""
    if frame is None:
        return ""
    return f"{as_called(frame.function)} {frame.file}:{frame.line}" if frame.file else as_called(frame.function)


def _longest_stop(trace: TraceReport) -> Iterator[str]:
    """Of all reasons together, with how many there were."""
    longest = max(trace.stops, key=lambda stop: stop.longest, default=None)
    if longest is not None:
        count = sum(stop.count for stop in trace.stops)
        text = f"longest stop of the world {_seconds(longest.longest)} ({longest.reason})"
        yield f"{text}, {_seconds(longest.longest_start)} after the trace began; {_times(count, 'stop')}"


def _causes(trace: TraceReport) -> Iterator[str]:
    """Such as "14 collections: 12 heap goal, 2 runtime.GC in main.flush main.go:30"."""
    if trace.cycle_count:
        causes = ", ".join(f"{one.count} {one.cause}{_callers(one.cause, trace.cycles)}" for one in trace.causes)
        yield f"{_times(trace.cycle_count, 'collection')}: {causes}"


def _callers(cause: str, cycles: Sequence[Cycle]) -> str:
    """Who asks for collections most often; "" for those that nobody asks for."""
    frame = _caller(cause, cycles)
    return f" in {place(frame)}" if frame is not None else ""


def _caller(cause: str, cycles: Sequence[Cycle]) -> Frame | None:
    callers = [cycle.by for cycle in cycles if cycle.cause == cause and cycle.by is not None]
    return max(callers, key=callers.count) if callers and cause in _FORCED else None


def _waiting(trace: TraceReport) -> Iterator[str]:
    if (found := trace.latency) is not None:
        p99, longest = _seconds(found.p99), _seconds(found.longest)
        yield f"goroutines waited up to {longest} for a processor (p99 {p99}, {_times(found.count, 'wait')})"


def traced_line(window: WindowRecord, verdict: Verdict) -> Frame | None:
    """The line of the user's own that a trace blames for a verdict: it assists most, or it forces collections."""
    trace, metric = window.trace, verdict.budget.metric
    if trace is None or not is_told(verdict):
        return None
    if metric in _ASSISTED:
        return next((line.frame for line in trace.lines if line.frame is not None), None)
    forced = next((one for one in trace.causes if one.cause in _FORCED), None)
    if metric in _COLLECTED | _STOPPED and forced is not None and forced.count >= _GOOD_PART * trace.cycle_count:
        return _caller(forced.cause, trace.cycles)
    return None


def trace_lines(window: WindowRecord, width: int) -> Iterator[str]:
    """A title, and what the trace says of collections, stops, assists and waits; without one, why there is none."""
    if window.trace is None and not window.trace_note:
        return
    yield "from an execution trace"
    for text in trace_texts(window):
        yield from wrapped(text, width, "  ")


def trace_texts(window: WindowRecord) -> Iterator[str]:
    """All that is told of a trace, a printable text each."""
    if (trace := window.trace) is not None:
        yield from map(printable, _all(trace))
    if window.trace_note:
        yield printable(f"note: {window.trace_note}")


def _all(trace: TraceReport) -> Iterator[str]:
    goal = f"; highest heap goal {format_value(trace.heap_goal, BYTES)}" if trace.heap_goal else ""
    yield from (f"{text}{goal}" for text in _causes(trace))
    for stop in trace.stops[:_LISTED]:
        longest = f"longest {_seconds(stop.longest)}"
        yield f"{_times(stop.count, 'stop')} for {stop.reason}: {_seconds(stop.total)} in all, {longest}"
    if trace.assist_count:
        longest = "".join(f", {text}" for text in _longest_assist(trace))
        yield f"{_times(trace.assist_count, 'mark assist')}: {_seconds(trace.assist_seconds)} in all{longest}"
    for line in trace.lines[:_LISTED]:
        share = percent(line.total / trace.assist_seconds) if trace.assist_seconds else ""
        where = place(line.frame) or "goroutines without a stack"
        times, longest = _times(line.count, "time"), _seconds(line.longest)
        yield f"{where} assists {times}: {_seconds(line.total)}, {share} of all, longest {longest}"
    yield from _waiting(trace)
    yield from trace.problems


def _times(count: int, what: str) -> str:
    return f"{format_value(count, COUNT)} {what}{'s' * (count != 1)}"


def _seconds(value: float) -> str:
    number, _, unit = format_value(value, SECONDS).partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}"
