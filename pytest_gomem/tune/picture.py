"""Draws the curve of a search, peak RSS against CPU per op, as one self-contained SVG."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_gomem.base.errors import GomemError
from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import SECONDS_PER_OP, scale_of
from pytest_gomem.report.chart import Axis, Curve, draw
from pytest_gomem.report.text import clip_end
from pytest_gomem.tune.paste import setting_words
from pytest_gomem.tune.records import Answer, Question
from pytest_gomem.tune.rows_text import CPU, Point, mib, points_of

_MIB = 1 << 20
_TITLE = 76  # characters that fit


def curve(answer: Answer, question: Question, nodeid: str) -> str:
    """The SVG's text; raises GomemError if no run has both figures."""
    points = points_of(answer)
    if not points:
        raise GomemError("there is no curve to draw: no run ended well with a peak RSS and a CPU per op")
    divisor, suffix = scale_of(max(point.cpu for point in points), SECONDS_PER_OP)
    title = nodeid.rpartition("::")[2]
    chosen = [point for point in points if point.is_answer]
    curves = [_curve("settings that ran", "good", points)]
    if chosen and answer.setting:
        curves.append(_curve("the answer", "bad", chosen))
        title += f": {setting_words(answer.setting)}"
    levels, below = _levels(question, answer), answer.killed_below
    dashed = [*levels, *([f"killed below {mib(below)}"] if below is not None else [])]
    return draw(
        clip_end(printable(title), _TITLE),
        curves,
        Axis(f"peak RSS, MiB (dashed: {', '.join(dashed)})" if dashed else "peak RSS, MiB", _MIB, zero=False),
        Axis(f"CPU per op,{suffix.removesuffix('/op')}", divisor),
        marks=[float(below)] if below is not None else [],
        levels=list(levels.values()),
    )


def _curve(label: str, style: str, points: Sequence[Point]) -> Curve:
    return Curve(label, style, [point.peak for point in points], [point.cpu for point in points], dots=True)


def _levels(question: Question, answer: Answer) -> dict[str, float]:
    """The bounds on CPU per op, in seconds."""
    spare = next((row.figures.get(CPU) for row in answer.rows if row.comfortable), None)
    return {
        str(bound): bound.limit * spare if bound.relative and spare is not None else bound.limit
        for bound in question.kept
        if bound.metric == CPU and not bound.at_least and (spare is not None or not bound.relative)
    }
