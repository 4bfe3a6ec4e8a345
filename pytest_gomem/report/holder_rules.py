"""The rules of the JSON report for holders of memory and live objects by type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_gomem.report.json_words import COUNT, count
from pytest_gomem.results.public import Rules
from pytest_gomem.retention.model import AllocationSite, Holder, ObjectCount, Step

HOLDER_RULES: Mapping[type, Rules] = {
    Holder: Rules(
        null={
            "name": "",
            "type": "",
            "function": "",
            "file": "",
            "line": 0,
            "state": "",
            "created_by": "",
            "known": "",
        },
        words={
            "kind": "What kind of root it is; several: no single root, and roots names the nearest ones; none: the "
            "dump shows no root, as of what a cleanup or a weak pointer keeps.",
            "root": "The root in words, such as global main.cache (map[string]*main.Session).",
            "retained": count("Bytes that would be free without it."),
            "share": {"description": "Of all live bytes, or of those that are new if two dumps were read.", **COUNT},
            "objects": count("How many objects it retains."),
            "path": "From the root to the objects that make up most of it.",
            "sites": "Where held objects were allocated, as far as that was sampled; most objects first.",
            "name": "Of the variable; null where it is none.",
            "type": "Its Go type; null where it is none.",
            "function": "Of the goroutines that hold alike; null for other roots, as the next four.",
            "count": count("How many goroutines, or other roots, hold alike."),
            "known": "Until when gomem_accepted.yaml accepts it, and by whom; null where it does not.",
            "before": {
                "description": "Bytes that the same path retains on the other side of a comparison; null where that is "
                "not known.",
                **COUNT,
            },
        },
    ),
    Step: Rules(words={"count": count("Objects of this type."), "retained": count("Bytes that they retain.")}),
    AllocationSite: Rules(words={"line": COUNT, "count": count("Sampled objects.")}),
    ObjectCount: Rules(
        words={
            "count": COUNT,
            "bytes": COUNT,
            "new": count("Those that the earlier of two dumps has not; null where there was one dump."),
            "new_bytes": COUNT,
        }
    ),
}
HOLDER_WORDS: Mapping[str, str | Mapping[str, Any]] = {
    "holders": "Who holds what lives, from a heap dump of an observed round, those that retain most first; empty where "
    "none was taken.",
    "holders_of": "The glob over the types of the objects that alone count for the holders; empty where all count.",
    "objects": "By Go type: the live objects of that dump, the types that take most bytes.",
    "retention_note": "Why there are no holders; empty where there are, or where nobody looked for them.",
}
