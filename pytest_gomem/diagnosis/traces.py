"""What an execution trace of an observed round tells of a failed window: pauses, assists, GC CPU and latency."""

from __future__ import annotations

from dataclasses import replace

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import SECONDS, format_value
from pytest_gomem.diagnosis.excess import SEEN, is_traced
from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.explanation import Evidence
from pytest_gomem.stats.decision import Status
from pytest_gomem.tracing.model import TraceReport
from pytest_gomem.tracing.named import told

_LONGEST = frozenset({"gc_pause_max", "gc_stop_max"})
_ASSISTED = "gc_assist_cpu"


def with_trace(window: WindowRecord, head: Evidence, base: Evidence | None) -> tuple[WindowRecord, tuple[bool, ...]]:
    """The window with its trace, and that of its base; or the reason why there is none.

    As it is if no limit that a trace explains is broken, or if nobody took one. Also, for each broken limit that a
    trace tells something of, whether it shows what broke it.
    """
    broken = [verdict for verdict in window.verdicts if verdict.status is Status.FAIL and is_traced(verdict)]
    if not broken or head.trace is None:
        return window, ()
    if isinstance(head.trace.report, Unavailable):
        return replace(window, trace_note=head.trace.report.reason), ()
    found = head.trace.report
    seen = tuple(is_so for verdict in broken if (is_so := _is_seen(verdict, found)) is not None)
    notes = [head.trace.note]
    if seen and not any(seen):
        stop = max((stop.longest for stop in found.stops), default=0.0)
        notes.append(f"no stop in it is longer than {format_value(stop, SECONDS)}: what broke the limit was not there")
    theirs = window.base
    if base is not None and base.trace is not None and theirs is not None and any(v.kind == REGRESSION for v in broken):
        if isinstance(base.trace.report, TraceReport):
            theirs = replace(theirs, trace=told(base.trace.report, base.module))
        else:
            notes.append(f"there is no execution trace {base.there}: {base.trace.report.reason}")
    note = "; ".join(filter(None, notes))
    return replace(window, trace=told(found, head.module), trace_note=note, base=theirs), seen


def _is_seen(verdict: Verdict, found: TraceReport) -> bool | None:
    """Whether a trace shows what broke a limit; None if it does not tell."""
    metric = verdict.budget.metric
    if metric == _ASSISTED:
        return found.assist_count > 0
    if metric in _LONGEST and verdict.actual is not None:
        return max((stop.longest for stop in found.stops), default=0.0) >= SEEN * verdict.actual
    return None
