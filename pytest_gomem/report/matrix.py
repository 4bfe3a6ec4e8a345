"""The comparison of GC settings: a table per test, and what the extremes cost and save."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_gomem.base.printable import printable
from pytest_gomem.measure.metric import Reading
from pytest_gomem.report.text import (
    Line,
    clip,
    columns,
    display_width,
    percent,
    readings,
    short_name,
    short_names,
    value_text,
    window_labels,
    wrapped,
)
from pytest_gomem.results.keys import ran_to_its_end
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import WindowRecord

# The most important first: on a narrow terminal, columns are dropped from the end.
METRICS = (
    "gc_cycles",
    "peak_rss",
    "memory_headroom",  # under a memory limit
    "gc_cpu",
    "live_heap",
    "gc_pause_max",
    "throughput",
    "latency_p99",
)
_HIGHER_IS_BETTER = frozenset({"throughput", "memory_headroom"})
_OF_THE_BUILD = frozenset({"goexperiment", "pgo", "tags"})
_SAME_PEAK = (900e3, 0.018)  # bytes and share: six sigmas of the prior of peak_rss
_SAME_WORK = 1.02  # ops that differ by no more than this count as the same work


@dataclass(frozen=True)
class Row:
    """One combination of settings. complete: its body ran to its end, so its figures are of the whole work."""

    settings: Mapping[str, str]
    ops: int | None
    values: Mapping[str, float]
    texts: Mapping[str, str]
    complete: bool


def matrix_lines(run_tests: Sequence[TestRecord], width: int) -> Iterator[Line]:
    """A table and a sentence for each test that ran under two or more combinations of GC settings.

    A "*" marks the best of a column, and all that look the same. No line is wider than `width` cells.
    """
    for title, rows in groups_of(run_tests).items():
        if len(rows) > 1:
            by = by_what(rows)
            yield clip(f"gomem: {short_name(short_names(title), width - 8 - len(by))} {by}", width), "bold"
            yield from _table(rows, width)
            for remark in remarks(rows):
                yield from ((line, "") for line in wrapped(remark, width, "  "))


def by_what(rows: Sequence[Row]) -> str:
    """What tells the rows apart."""
    return "by build settings" if all(row.settings.keys() <= _OF_THE_BUILD for row in rows) else "by GC settings"


def groups_of(run_tests: Sequence[TestRecord]) -> dict[str, list[Row]]:
    """Rows by test; if a combination ran again (a rerun), the last run counts."""
    groups: dict[str, dict[tuple[tuple[str, str], ...], Row]] = {}
    for test in run_tests:
        for label, window in zip(window_labels(test), test.windows, strict=True):
            if test.matrix:
                group = groups.setdefault(_title(test, label), {})
                group[tuple(test.matrix.items())] = _row(test, window)
    return {title: list(rows.values()) for title, rows in groups.items()}


def _title(test: TestRecord, label: str) -> str:
    """The test's id without its combination of settings: other parameters and windows are not compared."""
    base, _, params = test.nodeid.partition("[")
    combination = "-".join(f"{key}={value}" for key, value in test.matrix.items())
    others = params.removesuffix("]").replace(combination, "").strip("-") if combination in params else ""
    return base + (f"[{others}]" if others else "") + (f" / {label}" if label else "")


def _row(test: TestRecord, window: WindowRecord) -> Row:
    units = {metric.name: metric.unit for metric in window.metrics}
    known = {name: result.value for name, result in readings(window).items() if isinstance(result, Reading)}
    return Row(
        settings=test.matrix,
        ops=window.ops,
        values=known,
        texts={name: value_text(value, units[name]) for name, value in known.items()},
        complete=ran_to_its_end(test),
    )


def _table(rows: Sequence[Row], width: int) -> Iterator[Line]:
    settings = list(dict.fromkeys(key for row in rows for key in row.settings))
    wanted = [name for name in METRICS if any(name in row.values for row in rows)]
    for shown in range(len(wanted), -1, -1):
        names = wanted[:shown]
        cells = [[*map(printable, settings), *(f"{name} " for name in names), ""]]
        best = {name: best_text(rows, name) for name in names}
        cells += [_cells(row, settings, best) for row in rows]
        lines = [f"  {line}" for line in columns(cells, right=range(len(settings) + len(names)))]
        if all(display_width(line) <= width for line in lines):
            break
    for index, line in enumerate(lines):
        yield clip(line, width), "" if index else "bold"
    if any(best.values()):
        yield clip("  * best of its column", width), ""
    if hidden := wanted[shown:]:
        yield from ((line, "") for line in wrapped(f"no room here for {', '.join(hidden)}", width, "  "))


def _cells(row: Row, settings: Sequence[str], best: Mapping[str, str]) -> list[str]:
    figures = []
    for name, best_text in best.items():
        text = row.texts.get(name, "-")
        figures.append(text + ("*" if row.complete and text == best_text else " "))
    return [*(printable(row.settings.get(key, "-")) for key in settings), *figures, "" if row.complete else "failed"]


def best_text(rows: Sequence[Row], name: str) -> str:
    """The best of a column as it is printed; "" if all are the same."""
    known = [row for row in rows if row.complete and name in row.values]
    if len({row.texts[name] for row in known}) < 2:
        return ""
    choose = max if name in _HIGHER_IS_BETTER else min
    return choose(known, key=lambda row: row.values[name]).texts[name]


def remarks(rows: Sequence[Row]) -> Iterator[str]:
    """What the extremes cost and save, or why that is not told."""
    whole = [row for row in rows if row.complete]
    if len(whole) < len(rows):
        yield f"{len(rows) - len(whole)} of {len(rows)} failed before their end and are not compared"
    ops = [row.ops for row in whole if row.ops is not None]
    if ops and max(ops) > min(ops) * _SAME_WORK:
        yield f"the work differs ({min(ops)} to {max(ops)} ops): totals such as gc_cycles do not compare"
    elif trade := _trade(whole):
        yield trade


def _trade(rows: Sequence[Row]) -> str:
    """What the combination with the smallest peak costs, compared with the one of fewest cycles; "" if unknown."""
    known = [row for row in rows if min(row.values.get("gc_cycles", -1), row.values.get("peak_rss", -1)) >= 0]
    if len(known) < 2:
        return ""
    if _is_alike(known):
        return "their GC cycles and peak RSS differ no more than those of equal settings can"
    lean = min(known, key=lambda row: (row.values["peak_rss"], row.values["gc_cycles"]))
    calm = min(known, key=lambda row: (row.values["gc_cycles"], row.values["peak_rss"]))
    if lean is calm:
        return f"{_spelled(lean.settings)} has both the fewest GC cycles and the smallest peak RSS"
    shared = {key: value for key, value in lean.settings.items() if calm.settings.get(key) == value}
    first, second = (
        _spelled({key: value for key, value in row.settings.items() if key not in shared}) for row in (lean, calm)
    )
    cost = _cost(lean.values["gc_cycles"], calm.values["gc_cycles"], second)
    saved = percent(1 - lean.values["peak_rss"] / calm.values["peak_rss"])
    both = f" (both with {_spelled(shared)})" if shared else ""
    return f"{first} costs {cost} and saves {saved} of peak RSS{both}"


def _is_alike(rows: Sequence[Row]) -> bool:
    """Whether the extremes differ no more than two runs under the same settings."""
    (least, most), (low, high) = (
        (min(found), max(found)) for found in ([row.values[name] for row in rows] for name in ("gc_cycles", "peak_rss"))
    )
    absolute, relative = _SAME_PEAK
    return most - least <= 1 and high - low <= absolute + relative * low


def _cost(cycles: float, fewest: float, of: str) -> str:
    if fewest == 0:
        return f"{cycles:.0f} GC cycles where {of} has none"
    ratio = cycles / fewest
    if ratio < 2:
        return f"{percent(ratio - 1)} more GC cycles than {of}"
    return f"{ratio:.{0 if ratio >= 9.95 else 1}f}x the GC cycles of {of}"


def _spelled(settings: Mapping[str, str]) -> str:
    return printable(" ".join(f"{key}={value}" for key, value in settings.items()))
