"""Text layout for the reports: values, percentages, display width, shortening, columns, window labels."""

from __future__ import annotations

import math
import re
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from pytest_gomem.base.printable import printable
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import UNITS, format_value
from pytest_gomem.config.budgets import PER_GLOB, unit_of
from pytest_gomem.judge.acceptances import metric_of
from pytest_gomem.judge.oom import OOM
from pytest_gomem.judge.over_limit import OVER_LIMIT
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.death_spiral import DEATH_SPIRAL
from pytest_gomem.measure.metric import Reading
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import WindowRecord

Style = Literal["", "green", "red", "yellow", "bold"]
Line = tuple[str, Style]

_BEFORE_UNIT = re.compile(r"(?<=[0-9]) (?=(?:[kMGT]?B|[mun]?s|min|h|d)\b)")
_NO_BREAK = "\0"  # printable text has none
_OF_ONE_PROCESS = re.compile(r"(?<=:)[0-9]{2,5}\b|(?<=\bpid )[0-9]+|(?<=\bprocess )[0-9]+")


def finite(result: Reading | Unavailable) -> Reading | Unavailable:
    """The result; Unavailable, with the reason, for an infinite or not-a-number reading."""
    if isinstance(result, Unavailable):
        return result if result.reason else Unavailable("no reason was given")
    if math.isfinite(result.value):
        return result
    return Unavailable(f"not a finite number: {result.value}" + (f" from {result.source}" if result.source else ""))


def known(value: float | None) -> float | None:
    """The value; None if it is infinite or not a number."""
    return value if value is not None and math.isfinite(value) else None


def readings(window: WindowRecord) -> dict[str, Reading | Unavailable]:
    """The window's metrics by name, every reading in it finite."""
    return {metric.name: finite(metric.result) for metric in window.metrics}


def judged_reading(window: WindowRecord, verdict: Verdict) -> Reading | Unavailable | None:
    """The reading that a verdict judged, of the window or of its budget's phase."""
    phases = {phase.name: phase.metrics for phase in window.phases}
    metrics = phases.get(verdict.budget.phase, ()) if verdict.budget.phase else window.metrics
    return next((finite(metric.result) for metric in metrics if metric.name == verdict.budget.metric), None)


def value_text(value: float, unit: str) -> str:
    """A value with its unit, by units.format_value; an unknown unit is printed as it is."""
    if not math.isfinite(value):
        return str(value)
    return format_value(value, UNITS[unit]) if unit in UNITS else f"{value:.4g} {unit}"


def percent(ratio: float) -> str:
    """The size of a ratio in few digits: 12%, 8%, 2.5%, <0.1%."""
    points = abs(ratio) * 100
    if 0 < points < 0.05:
        return "<0.1%"
    return f"{points:.0f}%" if points >= 9.95 else f"{points:.1f}".removesuffix(".0") + "%"


def budget_name(verdict: Verdict) -> str:
    """The metric of a verdict, with the budget's glob if it has one: alloc_space[main.encode*]."""
    return printable(metric_of(verdict))


def metric_unit(window: WindowRecord, metric: str, unknown: str = "") -> str:
    """The unit of a metric of the window, or of a figure of functions or types."""
    known = {measured.name: measured.unit for measured in window.metrics}
    per_glob = unit_of(metric, {}) if metric in PER_GLOB else None
    return known.get(metric, per_glob.name if per_glob else unknown)


def limit_text(verdict: Verdict) -> str:
    """The limit as written, with its kind unless it is a ceiling: 1.8GB, >= 24h, warn 60MiB."""
    written = printable(verdict.limit.written).lstrip("<>= ")
    word = {"max": "", "min": ">=", OOM: "", DEATH_SPIRAL: ">=", OVER_LIMIT: ">="}.get(verdict.kind, verdict.kind)
    return f"{word} {written}".lstrip()


def display_width(text: str) -> int:
    """Terminal cells of printable text: East Asian wide characters take two, combining marks none."""
    return sum(map(_cells, text))


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def pad(text: str, width: int, right: bool = False) -> str:
    """The text filled with blanks to `width` cells, aligned left or right; longer text stays whole."""
    blanks = " " * max(width - display_width(text), 0)
    return blanks + text if right else text + blanks


def clip(text: str, width: int) -> str:
    """The text in at most `width` cells, cut in the middle, where names differ least."""
    if display_width(text) <= width:
        return text
    room = max(width - 3, 0)
    tail = _head(text[::-1], room // 2)[::-1]
    return (_head(text, room - display_width(tail)) + "..." + tail)[: max(width, 0)]


def clip_end(text: str, width: int) -> str:
    """The text in at most `width` cells, cut at its end."""
    return text if display_width(text) <= width else (_head(text, max(width - 3, 0)) + "...")[: max(width, 0)]


def _head(text: str, cells: int) -> str:
    for index, char in enumerate(text):
        cells -= _cells(char)
        if cells < 0:
            return text[:index]
    return text


def short_names(nodeid: str) -> tuple[str, ...]:
    """The test's id, shorter and shorter: whole, without folders, without the file, the function alone."""
    # A "/" or "::" in the parameters is not a separator.
    path, bracket, params = nodeid.partition("[")
    file, _, names = path.partition("::")
    base = file.rpartition("/")[2]
    spellings = [path, f"{base}::{names}", names, names.rpartition("::")[2]] if names else [path, base, base, base]
    return tuple(printable(spelling + bracket + params) for spelling in spellings)


def short_name(names: Sequence[str], width: int) -> str:
    """The first of these names, from long to short, that fits in `width` cells; else the last one, cut."""
    return next((name for name in names if display_width(name) <= width), clip(names[-1], width))


def alike_names(names: Sequence[Sequence[str]], width: int) -> list[str]:
    """One spelling for each of these names: the longest in which all fit in `width` cells.

    Mixed spellings would look like a difference. If the shortest does not fit either, it is cut.
    """
    spellings = zip(*names, strict=True)
    fitting = next((spelled for spelled in spellings if all(display_width(name) <= width for name in spelled)), None)
    return list(fitting) if fitting else [clip(name[-1], width) for name in names]


def wrapped(text: str, width: int, label: str = "") -> list[str]:
    """The label and the text as lines of at most `width` cells, broken between words, not before a unit."""
    words = _BEFORE_UNIT.sub(_NO_BREAK, printable(text))
    lines = textwrap.wrap(words, max(width, 1), initial_indent=label, subsequent_indent=" " * len(label))
    return [clip(line.replace(_NO_BREAK, " "), width) for line in lines]


def without_process(text: str) -> str:
    """The text without ports and pids, which differ between processes for the same reason."""
    return _OF_ONE_PROCESS.sub("", text)


def window_labels(test: TestRecord) -> tuple[str, ...]:
    """A distinct label for each window of the test: "" for its only one, else the name, with service or number added
    where names repeat."""
    if len(test.windows) == 1:
        return ("",)
    plain = [window.name or window.service or "window" for window in test.windows]
    full = [
        f"{window.service}.{name}" if plain.count(name) > 1 and window.service else name
        for window, name in zip(test.windows, plain, strict=True)
    ]
    seen: Counter[str] = Counter()
    labels: list[str] = []
    for label in full:
        seen[label] += 1
        labels.append(f"{label}#{seen[label]}" if full.count(label) > 1 else label)
    return tuple(labels)


def columns(rows: Sequence[Sequence[str]], right: Iterable[int] = (), gap: int = 2) -> list[str]:
    """Rows of equally many cells as aligned lines without trailing blanks; `right` names the right-aligned columns."""
    if not rows:
        return []
    rights = set(right)
    rows = [tuple(map(printable, row)) for row in rows]
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    return [(" " * gap).join(pad(cell, widths[i], i in rights) for i, cell in enumerate(row)).rstrip() for row in rows]
