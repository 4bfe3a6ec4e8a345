"""The runs of a search as a table and as a sketch of the curve, in plain characters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_gomem.report.text import columns, display_width, pad, value_text
from pytest_gomem.tune.paste import size_text
from pytest_gomem.tune.records import Answer, Off, Question, Row

PEAK, CPU = "peak_rss", "cpu_per_op"
_SHOWN = ("gc_cycles", CPU, PEAK)
_LINES, _WIDEST = 8, 64  # of the sketch, in cells
_RUN, _ANSWER = "*", "@"


def mib(size: float) -> str:
    """Memory as limits are written: 312 MiB."""
    return f"{size / 2**20:.3g} MiB" if size < 1000 * 2**20 else f"{size / 2**20:.0f} MiB"


def cell_text(metric: str, value: float | None, units: Mapping[str, str]) -> str:
    """A figure of a row; memory in MiB."""
    if value is None:
        return "-"
    unit = units.get(metric, "count")
    return mib(value) if unit == "bytes" else value_text(value, unit)


def metrics_shown(question: Question) -> tuple[str, ...]:
    """The columns of figures: what the model needs, and what the bounds name."""
    return tuple(dict.fromkeys((*_SHOWN, *(bound.metric for bound in question.kept))))


def how_it_went(row: Row) -> str:
    """How the runs of a setting ended and what they keep: "killed 2 of 3", "keeps all", "breaks latency_p99<=50ms"."""
    bad = {"killed": row.killed, "thrashing": row.thrashing, "failed": row.failed}
    if any(bad.values()):
        return ", ".join(f"{what} {count} of {row.runs}" for what, count in bad.items() if count)
    broken = [bound for bound, kept in row.keeps.items() if kept is False]
    unsure = [bound for bound, kept in row.keeps.items() if kept is None]
    if broken:
        return f"breaks {', '.join(broken)}"
    if unsure:
        return f"not told: {', '.join(unsure)}"
    return "with memory to spare" if row.comfortable else "keeps all" if row.keeps else "survives"


def table_cells(answer: Answer, question: Question, units: Mapping[str, str]) -> list[tuple[str, ...]]:
    """The head and a row for each setting that ran; columns in which no row says anything are left out."""
    shown = metrics_shown(question)
    head = ("", "limit", "GOMEMLIMIT", "GOGC", "runs", *shown, "")
    cells = [
        (
            ">" if row.setting == answer.setting else "",
            _size(row.setting.memory_limit),
            _size(row.setting.gomemlimit),
            "own" if row.setting.gogc is None else str(row.setting.gogc),
            str(row.runs),
            *(cell_text(name, row.figures.get(name), units) for name in shown),
            how_it_went(row),
        )
        for row in answer.rows
    ]
    said = [at for at in range(len(head)) if at == 0 or any(row[at] not in ("own", "-") for row in cells)]
    return [tuple(row[at] for at in said) for row in (head, *cells)]


def _size(size: int | Off | None) -> str:
    return "own" if size is None else size_text(size) if size == "off" else mib(size)


def table_lines(answer: Answer, question: Question, units: Mapping[str, str], width: int) -> list[str]:
    """The same as aligned lines; where they are too wide, how it went stands below each row."""
    rows = table_cells(answer, question, units)
    if len(rows) == 1:
        return []
    right = range(1, len(rows[0]) - 1)
    lines = columns(rows, right=right)
    if max(map(display_width, lines)) <= width:
        return lines
    head, *figures = columns([row[:-1] for row in rows], right=right)
    return [head, *(line for row, told in zip(figures, rows[1:], strict=True) for line in (row, f"     {told[-1]}"))]


@dataclass(frozen=True)
class Point:
    """A setting on the curve: its peak RSS in bytes, its CPU per op in seconds."""

    row: Row
    peak: float
    cpu: float
    is_answer: bool


def points_of(answer: Answer) -> list[Point]:
    """The settings whose runs ended well, by their peak."""
    found = (
        Point(row, row.figures[PEAK], row.figures[CPU], row.setting == answer.setting)
        for row in answer.rows
        if PEAK in row.figures and CPU in row.figures
    )
    return sorted(found, key=lambda point: point.peak)


def sketch_lines(points: Sequence[Point], width: int) -> Iterator[str]:
    """CPU per op above peak RSS; nothing for a single setting, whose curve would be a dot."""
    if len(points) < 2:
        return
    costs, peaks = [point.cpu for point in points], [point.peak for point in points]
    labels = [value_text(max(costs), "seconds/op"), value_text(min(costs), "seconds/op")]
    margin = max(map(len, labels)) + 2
    room = max(min(width - margin - 3, _WIDEST), 2)
    grid = [[" "] * room for _ in range(_LINES)]
    for point in sorted(points, key=lambda point: point.is_answer):  # the answer is drawn over the others
        line = _LINES - 1 - round(_share(point.cpu, costs) * (_LINES - 1))
        grid[line][round(_share(point.peak, peaks) * (room - 1))] = _ANSWER if point.is_answer else _RUN
    yield "CPU per op"
    for at, row in enumerate(grid):
        label = labels[0] if at == 0 else labels[1] if at == _LINES - 1 else ""
        yield f"{pad(label, margin, right=True)} |{''.join(row)}".rstrip()
    yield f"{' ' * margin} +{'-' * room}"
    low, high = mib(peaks[0]), mib(peaks[-1])
    middle = " peak RSS "
    gap = max(room - len(low) - len(high), len(middle))
    yield f"{' ' * margin}  {low}{middle.center(gap)}{high}"


def _share(value: float, among: Sequence[float]) -> float:
    low, high = min(among), max(among)
    return (value - low) / (high - low) if high > low else 0.5
