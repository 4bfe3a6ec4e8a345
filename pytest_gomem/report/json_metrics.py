"""How the JSON report shows a metric's figure and the course of a metric of growth."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_gomem.measure.growth import FittedCourse
from pytest_gomem.report.json_parts import part_of_reading, result_of
from pytest_gomem.report.json_words import NUMBERS, WHY_NONE
from pytest_gomem.results.public import Rules
from pytest_gomem.results.window_record import MetricValue

METRIC_RULES: Mapping[type, Rules] = {
    MetricValue: Rules(
        key="name",
        hidden=("result",),
        shown={
            "value": part_of_reading("value", float),
            "source": part_of_reading("source", str),
            "precision": part_of_reading("precision", str),
            "note": part_of_reading("note", str),
            "reason": part_of_reading("reason", str),
            "bounds": part_of_reading("bounds", tuple[float, float]),
            "interval": part_of_reading("interval", tuple[float, float]),
        },
        read={"result": result_of},
        words={
            "": {
                "oneOf": [
                    {"properties": {"value": {"type": "number"}, "reason": {"type": "null"}}},
                    {"properties": {"value": {"type": "null"}, "reason": {"type": "string"}}},
                ]
            },
            "definition": {
                "description": "The version of what the metric means: figures of two versions do not compare.",
                "minimum": 1,
            },
            "reason": WHY_NONE,
            "bounds": {
                "description": "The least and the most that it can have been, where there is no figure and these are "
                "known; else null.",
                **NUMBERS,
            },
            "interval": "Of an estimate: its bounds; a limit is broken only by both. The upper one is null if it is "
            "endless; null for other figures.",
        },
    ),
    FittedCourse: Rules(
        words={
            "per": {"description": "What x counts.", "enum": ["second", "op"]},
            "x": NUMBERS,
            "y": NUMBERS,
            "warm": "How many points at the beginning are left out as warm-up.",
            "slope": "Of the line through the others, y per x.",
            "level": "The line's y where x is 0.",
            "shape": "Whether growth is told; saturates: it rose and stopped; level: no growth can be told.",
        }
    ),
}
