"""The rules of the JSON report for execution traces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_gomem.report.json_words import COUNT, count
from pytest_gomem.results.public import Rules
from pytest_gomem.tracing.model import (
    Assist,
    AssistLine,
    CauseSum,
    Cycle,
    Frame,
    GoroutineSum,
    Latency,
    Stops,
    TraceReport,
)

_STARTS = {"description": "Seconds since the trace began.", **COUNT}
TRACE_RULES: Mapping[type, Rules] = {
    TraceReport: Rules(
        words={
            "": {"description": "What an execution trace says. All times are seconds, of the trace's own clock."},
            "format": "The newest Go release that changed the format of this trace.",
            "events": COUNT,
            "seconds": {"description": "From the first to the last event that was read.", **COUNT},
            "cycle_count": count("All GC cycles; cycles has the first ones."),
            "causes": "The cycles by cause, most cycles first.",
            "stops": "The stops of the world by reason, those that took longest together first.",
            "assist_count": count("All mark assists; assists has the longest ones."),
            "assist_seconds": COUNT,
            "lines": "The lines that assisted longest.",
            "lines_left_out": COUNT,
            "goroutines": "The goroutines that assisted longest.",
            "goroutines_left_out": COUNT,
            "latency": "How long goroutines waited for a processor; null where none did.",
            "heap_goal": count("The highest, in bytes; null where the trace tells none."),
            "heap_in_use": count("The highest, in bytes; null where the trace tells none."),
            "problems": "What could not be read, in words.",
        }
    ),
    Cycle: Rules(
        words={
            "": {"description": "The mark phase of a GC cycle."},
            "index": {"description": "In the order of the trace, from 1.", "minimum": 1},
            "start": _STARTS,
            "duration": {"description": "Seconds; null where the trace ends before it.", **COUNT},
            "cause": "What began it: heap goal, runtime.GC, periodic, FreeOSMemory, goroutine leak profile, "
            "pytest-gomem, before the trace or unknown.",
            "by": "The call of the user's code that began it; null where nobody asked for it.",
            "stack": "The functions that began it, innermost first, where the cause is unknown.",
            "began_before": "It ran when the trace began.",
        }
    ),
    CauseSum: Rules(words={"count": COUNT, "total": COUNT, "longest": COUNT}),
    Stops: Rules(
        words={
            "reason": "In the words of Go's runtime.",
            "count": COUNT,
            "total": COUNT,
            "longest": COUNT,
            "longest_start": _STARTS,
        }
    ),
    Assist: Rules(
        null={"cause": ""},
        words={
            "": {"description": "A goroutine that allocates was made to mark first."},
            "start": _STARTS,
            "duration": COUNT,
            "leaf": "The innermost call outside of Go's runtime.",
            "frame": "The nearest call of the user's own code; null where the trace has no stack.",
            "cycle": "The index of the GC cycle that it worked for; null where the trace does not have that.",
            "after": {"description": "Seconds from the beginning of that cycle.", **COUNT},
            "cause": "Of that cycle; null without one.",
            "goes_on": "It ran when the trace ended, so that its duration is a lower bound.",
            "began_before": "It ran when the trace began, so that its duration is a lower bound.",
        },
    ),
    AssistLine: Rules(words={"count": COUNT, "total": COUNT, "longest": COUNT}),
    GoroutineSum: Rules(
        null={"function": ""},
        words={
            "function": "The one that it began with; null where the trace does not tell.",
            "assists": COUNT,
            "assist": {"description": "Seconds of its mark assists.", **COUNT},
            "longest_assist": COUNT,
            "running": {"description": "Seconds.", **COUNT},
            "waiting": {"description": "Seconds that it waited for a processor.", **COUNT},
            "longest_wait": COUNT,
        },
    ),
    Latency: Rules(
        words={
            "p50": {"description": "Seconds; too high by at most `precision`, as p99.", **COUNT},
            "precision": {"description": "A ratio.", **COUNT},
        }
    ),
    Frame: Rules(words={"line": COUNT}),
}
TRACE_WORDS: Mapping[str, str | Mapping[str, Any]] = {
    "trace": "What an execution trace of an observed round says, or that of the flight recorder; null where none was "
    "taken.",
    "trace_note": "Why there is no trace, or what is to be known of it; empty where neither is.",
}
