"""The rules of the JSON report: how it shows records that it does not show as they are, and what its schema says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from pytest_gomem.attribution.origin import Site, Through
from pytest_gomem.base.errors import Place
from pytest_gomem.config.accepted import Acceptance
from pytest_gomem.judge.verdict import Accepted, Verdict
from pytest_gomem.measure.cross_checks import CrossCheck
from pytest_gomem.measure.cycles import JoinedCycle
from pytest_gomem.measure.peak import PeakMoment
from pytest_gomem.measure.quantiles import Bucket
from pytest_gomem.measure.series import Series
from pytest_gomem.measure.work import LoadSummary
from pytest_gomem.report.holder_rules import HOLDER_RULES, HOLDER_WORDS
from pytest_gomem.report.json_causes import CAUSES
from pytest_gomem.report.json_metrics import METRIC_RULES
from pytest_gomem.report.json_parts import (
    ENVIRONMENT_KEYS,
    Ending,
    Tool,
    all_finite,
    all_loads,
    amount_of,
    budget_of,
    ending_of,
    environment_of,
    finite_interval,
    known_moment,
    limit_of,
    measured_points,
    why,
    why_no_latency,
)
from pytest_gomem.report.json_words import COUNT, NUMBER, NUMBERS, WHY_NONE, count
from pytest_gomem.report.trace_rules import TRACE_RULES, TRACE_WORDS
from pytest_gomem.results.public import FACT, PublicCodec, Rules, Shown
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.whole import ShardRecord, Whole
from pytest_gomem.results.window_record import (
    BillRecord,
    BillRow,
    BuildRecord,
    PhaseRecord,
    WindowRecord,
)

SCHEMA_VERSION = 1


def _in_the_end(name: str) -> Callable[[Mapping[str, Any]], Any]:
    """Reads a part of how the run ended."""
    return lambda data: getattr(PUBLIC.decode(Ending, data["run"]), name)


RULES: Mapping[type, Rules] = {
    RunRecord: Rules(
        hidden=("tool_version", *Ending._fields),
        shown={
            "schema_version": Shown(int, lambda run: SCHEMA_VERSION),
            "tool": Shown(Tool, lambda run: Tool("pytest-gomem", run.tool_version)),
            "environment": Shown(Mapping[str, FACT], environment_of),
            "run": Shown(Ending, ending_of),
            "tests": "tests",  # the last: they are written one by one
        },
        read={
            "tool_version": lambda data: data["tool"]["version"],
            **{name: _in_the_end(name) for name in Ending._fields},
        },
        words={
            "": {
                "title": f"pytest-gomem report, schema_version {SCHEMA_VERSION}",
                "description": "Figures are in base units: bytes, seconds, ratios, counts, and those per second or per "
                "operation. Null is a figure that is not known or not finite, never a measured zero.",
            },
            "schema_version": {"const": SCHEMA_VERSION},
            "environment": {
                "description": "The machine and tools of the run; null where unknown.",
                "properties": {
                    **{name: {"type": ["string", "null"]} for name in ENVIRONMENT_KEYS},
                    **{name: {"type": ["integer", "null"], **COUNT} for name in ("cpus", "page_size")},
                },
                "required": list(ENVIRONMENT_KEYS),
            },
            "run": "How the run of pytest ended, and what it was a run of.",
        },
    ),
    Tool: Rules(words={"name": {"const": "pytest-gomem"}}),
    Ending: Rules(
        null={"artifacts": "", "commit": "", "against": ""},
        words={
            "exit_status": "That of pytest, without what a failed report made of it; null outside of pytest.",
            "interrupted": "By Ctrl-C, or by pytest.exit().",
            "complete": "Each test that was to be measured has a result.",
            "artifacts": "The folder of --gomem-artifacts, relative to that of this report; null without one.",
            "commit": "The hash of HEAD around the rootdir, with -dirty where tracked files differ from it; null "
            "without git.",
            "folder": "The rootdir relative to the top of that repository; empty for the top.",
            "deselected": "Tests that would have been measured, and that -k, -m or a plugin left out.",
            "against": "The base side of comparisons that were asked for: its commit, binary or Go; null without.",
            "whole": "What a run of all tests decides, for gomem report merge.",
            "problems": "What fails the run beside its tests.",
            "shards": "The runs that a merged report is made of.",
        },
    ),
    Whole: Rules(
        words={
            "strict": "Under --gomem-strict.",
            "stale": "What is declared for tests that do not exist; null where not all files were looked into.",
            "accepted": "The entries of gomem_accepted.yaml on limits.",
            "known_leaks": "The entries of gomem_accepted.yaml on leaks.",
        }
    ),
    ShardRecord: Rules(
        words={
            "file": "Its report, as it was named.",
            "exit_status": "That of pytest.",
            "tests": "The ids of its tests.",
        },
    ),
    Acceptance: Rules(
        shown={"amount": Shown(str | None, lambda entry: None if entry.amount is None else str(entry.amount))},
        null={"limit": ""},
        read={"amount": amount_of},
        words={
            "amount": "As written; null where the metric is muted.",
            "limit": "The kind of limit; null for any.",
        },
    ),
    TestRecord: Rules(
        null={"reason": ""},
        words={
            "outcome": "As pytest has it, also xfailed, xpassed and error; crashed, interrupted or not run where the "
            "test has no result.",
            "reason": "Why the test has no result; null where it has one.",
            "matrix": "The GC settings of the test's gomem_gc combination.",
            "line": {
                "description": "Of the test or its first decorator in the file of its id, from 1; null if it is "
                "defined elsewhere.",
                "minimum": 1,
            },
            "duration": {"description": "Seconds of set-up, body and teardown; null without a result.", **COUNT},
        },
    ),
    WindowRecord: Rules(
        shown={
            "load": Shown(LoadSummary | None, all_loads),
            "series": Shown(Mapping[str, Series], measured_points),
            "rounds": Shown(tuple[Mapping[str, float], ...], lambda window: all_finite(window.rounds)),
            "observed_rounds": Shown(
                tuple[Mapping[str, float], ...], lambda window: all_finite(window.observed_rounds)
            ),
            "peak_moment": Shown(PeakMoment | None, known_moment),
        },
        words={
            "gc": "GC settings and the memory limit as printed; an effective one that nobody could read back says why.",
            "ops": count("Operations done in the window; null where none were counted."),
            "culprits": "The lines of Go that allocated most of what a failed metric counts, estimated from samples.",
            "culprit_summaries": "By metric: what its culprits explain together, or why nobody is named.",
            "functions": "What budgets on functions were judged by, estimated from samples.",
            "load": "All loads of the window as one; null where there was none.",
            "loads": "Each load of the window, in order.",
            "artifacts": "Paths relative to the artifacts folder.",
            "peak_moment": "When RSS peaked, in seconds after the window opened, and the bytes it started from.",
            "bill": "Where the resident memory was at the close: rows that sum to rss; null where it was not read.",
            "cross_checks": "Sources of one quantity that were held against each other at the close.",
            "cycles": "The GC cycles; of more than 2000 those with the longest pauses.",
            "size_classes": "What was allocated by size class; size null: all that is larger.",
            "courses": "By metric of growth: the course that its figure is the slope of.",
            "histograms": "Buckets that are not empty, in seconds; null: endless on that side.",
            "base": "The window of the side that this one was compared with, all its rounds as one; null where "
            "there is none.",
            "no_base": "Why a comparison that was asked for has no other side; empty where it has, or none was asked "
            "for.",
            "conditions": "What must be the same for two windows to compare, besides the code.",
            "observed_rounds": "The figures of functions and types that budgets name, of each observed round.",
            "types": "What budgets on live objects were judged by, counted in a heap dump.",
            "diagnosis": "How the cause of the failure was looked for; null where it was not.",
            "instruments": "By instrument that was attached to the window: what it found, in figures.",
            "goroutine_groups": "Goroutines by state, function and creation site, the largest growth first; empty "
            "where their stacks were not read.",
            "known_leaks": "The entries of gomem_accepted.yaml on leaks that mean this test, where what they mean was "
            "looked for.",
            **HOLDER_WORDS,
            **TRACE_WORDS,
            "flames": "Of a failed window: call trees of what broke its limits, for a flame graph each; live, "
            "live_objects, allocated, allocated_objects, peak or holders.",
            "death_spiral": "Set where the collector ran nearly all the time and had almost no room.",
            "oom": "Set where a process of the service was killed at its memory limit.",
            "modules": "Of a failed window: the modules whose version differs from that of the side, or the baseline, "
            "that it is compared with.",
        },
    ),
    BuildRecord: Rules(
        words={
            "folder": "That of the go.mod, relative to the top of the repository: a culprit's file is relative to it. "
            "Null where that is not known."
        }
    ),
    PhaseRecord: Rules(words={"ops": COUNT}),
    **METRIC_RULES,
    Series: Rules(
        words={
            "": {
                "description": "Points: seconds after the window opened, and values; a point that was not measured is "
                "absent."
            },
            "t": NUMBERS,
            "v": NUMBERS,
        }
    ),
    PeakMoment: Rules(null={"floor": 0}, words={"earliest": NUMBER, "latest": NUMBER}),
    LoadSummary: Rules(
        shown={"reason": Shown(str, why_no_latency)},
        null={"reason": ""},
        words={
            "requests": COUNT,
            "errors": COUNT,
            "statuses": {"additionalProperties": {"type": "integer", **COUNT}},
            "reason": WHY_NONE,
        },
    ),
    BillRow: Rules(words={"bytes": COUNT, "share": {"description": "Of rss.", **NUMBER}, "before": COUNT}),
    BillRecord: Rules(
        words={
            "rss": COUNT,
            "explained": count("All rows but 'unexplained'."),
            "sentence": "What weighs most, or changed most, and where to look.",
            "against": "What the rows' before is; empty where the bill stands alone.",
        }
    ),
    Bucket: Rules(null={"low": -math.inf, "high": math.inf}),
    JoinedCycle: Rules(
        words={
            "": {
                "description": "A GC cycle; null where the side that tells it is missing. end: seconds after the "
                "window opened."
            }
        }
    ),
    CrossCheck: Rules(
        words={
            "": {
                "description": "Two sources, the more trusted first, with what each said; precision: what they may "
                "differ by, in words."
            }
        }
    ),
    Accepted: Rules(
        null={"amount": ""},
        words={
            "": {"description": "Set where a broken limit is accepted by gomem_accepted.yaml: its status is warn."},
            "amount": "As written; null where the metric is muted.",
        },
    ),
    Verdict: Rules(
        hidden=("budget", "is_suspect"),
        shown={
            **{name: f"budget.{name}" for name in ("metric", "function", "type", "cum", "phase", "scope", "place")},
            "declared_at": Shown(str, lambda verdict: str(verdict.budget.place)),
            "limit": "limit.value",
            "written": "limit.written",
            "unit": "limit.unit.name",
            "interval": Shown(tuple[float, float] | None, finite_interval),
            "reason": Shown(str, why),
        },
        null={"reason": ""},
        read={"budget": budget_of, "limit": limit_of},
        words={
            "": {
                "if": {"properties": {"actual": {"type": "null"}}},
                "then": {"properties": {"reason": {"type": "string"}}},
            },
            "function": "The function glob of a per-function budget, else empty.",
            "type": "The type glob of a budget on live objects, else empty.",
            "cum": "For a budget on functions: whether what they call counts too.",
            "phase": "The phase judged; empty: the whole window.",
            "kind": "Which limit: max, min, warn, regression; no budget asks for oom, over_limit and death_spiral.",
            "limit": NUMBER,
            "written": "The limit as its author wrote it.",
            "unit": "The limit's unit.",
            "over": "How far past the limit, as a share of it; null where kept or not a share.",
            "headroom": "The share of the limit that is left.",
            "reason": {"minLength": 1},
            "interval": NUMBERS,
            "rounds_needed": COUNT,
            "rounds": {"description": "Of the base, and of this run.", "items": {"type": "integer", **COUNT}},
            "smallest_visible": "A worsening that rounds such as these would find 98 times in 100, in the metric's "
            "unit; null where that is unknown.",
        },
    ),
    **HOLDER_RULES,
    **TRACE_RULES,
    **dict.fromkeys((Place, Site, Through), Rules(words={"line": COUNT})),
    **CAUSES,
}
PUBLIC = PublicCodec(RULES)
