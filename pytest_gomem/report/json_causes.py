"""The rules of JSON for what observed rounds find: culprits, goroutines, and what globs of budgets count."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_gomem.attribution.causes import KINDS, Cause
from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.attribution.goroutines import GoroutineGroup
from pytest_gomem.attribution.modules import ModuleChange
from pytest_gomem.config.known_leaks import KINDS as LEAK_KINDS
from pytest_gomem.judge.functions import FunctionValue
from pytest_gomem.judge.known_leaks import FoundLeak
from pytest_gomem.judge.objects import TypeValue
from pytest_gomem.report.json_parts import change_of, half_width_of
from pytest_gomem.report.json_words import COUNT, NUMBER, count
from pytest_gomem.results.flame_record import FlameRecord
from pytest_gomem.results.public import Rules, Shown
from pytest_gomem.results.window_record import DiagnosisRecord

_COUNTS = {"type": "integer", **COUNT}
CAUSES: Mapping[type, Rules] = {
    FunctionValue: Rules(
        words={
            "function": "The glob over function names; all it matches count together.",
            "cum": "Whether what they call counts too.",
            "value": count("Bytes or objects: held at the close of the window, or made in it."),
            "interval": count("Half the width of the 2 sigma interval; 0 where every allocation was sampled."),
            "rate": {"description": "Bytes per sample.", "minimum": 1},
            "matched": count("Functions of the profiles that the glob matches."),
            "nearest": "Where it matches none: the function that may have been meant, or empty.",
        }
    ),
    TypeValue: Rules(
        words={
            "type": "The glob over Go types; all it means count together.",
            "value": count("Live objects, or their bytes."),
            "typed": {"description": "The share of all objects, or bytes, whose type is known.", **NUMBER},
            "unknown": count("Objects, or bytes, whose type is not known."),
            "matched": count("Types of live objects that the glob means."),
            "nearest": 'The type that may have been meant, where the program has none of that name; "?" where none is '
            "like it; else empty.",
        }
    ),
    Culprit: Rules(
        shown={"interval": Shown(tuple[int, int], change_of)},
        read={"interval": half_width_of},
        words={
            "line": COUNT,
            "before": "Bytes or objects, as the metric counts; null where there was no earlier profile.",
            "interval": "Of the change, at 2 sigma: what the sampling of the profile leaves open.",
            "share": "Of the growth of all lines that grew.",
            "callers": "The nearest lines of the user's own module that called it, nearest first.",
            "is_between": "Whether before is of the other side of a comparison, not of an earlier moment.",
            "causes": "What is known of why, each in words of its own.",
            "leaf": "The function that allocates on the line's behalf; empty where it is the line's own.",
            "through": "The third-party line nearest to the allocation, between it and the user's own line; null where "
            "there is none.",
            "sample_type": "What it counts, if that is not what the metric counts: alloc_space of a peak that is "
            "garbage; else empty.",
            "module_change": "The changed module that the stack passes through, from this line to the allocation; null "
            "where there is none.",
        },
    ),
    ModuleChange: Rules(
        words={
            "module": 'Its path; "go" is Go itself.',
            "before": "Its version; empty where the module is new.",
            "after": "Its version; empty where the module is gone.",
        }
    ),
    DiagnosisRecord: Rules(
        words={
            "rounds": count("Observed rounds of the side under test; 0 where none could run."),
            "profile_rate": {
                "description": "Bytes per sample of their heap profiles; null where there is none.",
                "minimum": 0,
            },
            "reproduced": "Whether what failed the window was there again; null where that is not known.",
            "notes": "What was left out or went wrong.",
        }
    ),
    FoundLeak: Rules(
        null={"retained": 0, "share": 0.0},
        words={
            "": {"description": "What an entry of gomem_accepted.yaml on leaks means in this window."},
            "kind": {"enum": list(LEAK_KINDS)},
            "count": count("Goroutines that stay, or holders; 0 if it means none."),
            "retained": count("Bytes that its holders retain; null for goroutines."),
            "share": {"description": "Of the live heap, or of its growth; null for goroutines.", **COUNT},
            "is_over": "Whether its last day has passed, so that nothing is accepted.",
        },
    ),
    GoroutineGroup: Rules(
        words={
            "state": "What they wait for, as Go prints it: chan receive, select, sync.Mutex.Lock, IO wait.",
            "function": "The function of the user's own module nearest to the top of their stacks; without one that "
            "of a library; without that, the function that they were started with.",
            "line": COUNT,
            "created_by": "The call that started them, such as main.start (main.go:42); empty for the main goroutine.",
            "before": {
                "description": "How many there were at the opening, or on the other side of a comparison; null where "
                "that was not read.",
                **COUNT,
            },
            "after": count("How many there were at the close."),
            "stack": "The calls on most of their stacks, innermost first, at most 6.",
            "leaked": count("How many of them count as leaked; null if no limit is on leaked_goroutines."),
            "waiting": "Seconds that one of those which leaked has waited at least, in whole minutes, as Go tells "
            "them; null if less than one.",
            "age": "Seconds that one of those which leaked has at least lived after the work; null if unknown.",
            "blocked": count("How many of those which leaked nothing can wake any more; 0 before Go 1.26."),
        }
    ),
    FlameRecord: Rules(
        words={
            "": {
                "description": "The largest frames of a call tree, as columns. Of functions: functions, file, whose. "
                "Of nodes: parent, function, line, value, before; node 0 is the root, a parent comes before its "
                "children."
            },
            "shows": "What the values are.",
            "unit": {"enum": ["bytes", "count"]},
            "against": "What before is, such as at the opening; empty where there is none.",
            "legend": "Whose code, or types, the functions may be.",
            "functions": "Their names; of holders, roots and Go types.",
            "file": "Of each function its place in files; -1 where it is unknown.",
            "whose": "Of each function its place in legend.",
            "parent": "Of each node its caller's place, or its holder's; -1 for the root.",
            "function": "Of each node the place of its function; -1 for the root.",
            "line": {"description": "Of each node the line that has most of its value; 0: unknown.", "items": _COUNTS},
            "value": {"description": "Of each node, with all that it calls, or keeps.", "items": _COUNTS},
            "before": {"description": "The same on the other side of against; else empty.", "items": _COUNTS},
            "dropped": count("Frames that were left out, as too small."),
        }
    ),
    Cause: Rules(words={"kind": {"enum": list(KINDS)}}),
}
