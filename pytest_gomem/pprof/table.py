"""A profile as a table for people: aligned columns, the total, each row's share, and what is not shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import BYTES, COUNT, SECONDS, UNITS, Unit, format_value
from pytest_gomem.pprof.aggregate import Row, Table

_NANOSECOND = 1e-9
_PLURALS = {"function": "functions", "line": "lines", "file": "files", "package": "packages"}
_NOTE = "kB and MB are 10^3 and 10^6 bytes here; `go tool pprof` prints 2^10 and 2^20 under the same names"


def table_lines(table: Table, shown: Sequence[Row], by: str, cum: bool = False, signed: bool = False) -> Iterator[str]:
    """The lines of the table, with the rows in `shown`; signed: differences with + and -."""
    yield f"{table.sample_type} ({table.unit}), {_headline(table, shown, by, cum, signed)}"
    if not shown:
        return
    cells = [("flat", "flat%", "cum", "cum%", by)]
    for row in shown:
        values = [value_text(value, table.unit, signed) for value in (row.flat, row.cum)]
        shares = [_share(value, table.total) for value in (row.flat, row.cum)]
        cells.append((values[0], shares[0], values[1], shares[1], printable(str(row.frame))))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for *numbers, name in cells:
        yield "  ".join([*(text.rjust(width) for text, width in zip(numbers, widths, strict=False)), name])
    if table.unit == "bytes":
        yield f"({_NOTE})"


def _headline(table: Table, shown: Sequence[Row], by: str, cum: bool, signed: bool) -> str:
    total = value_text(table.total, table.unit)
    if signed:
        net = value_text(sum(row.flat for row in table.rows), table.unit, True)
        text = f"{net} on a base of {total}: "
    else:
        text = f"total {total}: "
    text += f"{len(shown)} of {len(table.rows)} {_PLURALS[by]}"
    of = sum(abs(row.flat) for row in table.rows) if signed else table.total
    if cum or not of:
        return text
    part = sum(abs(row.flat) for row in shown) / of
    return f"{text}, {format_value(part, UNITS['ratio'])} of the " + ("changes" if signed else "total")


def value_text(value: int, unit: str, signed: bool = False) -> str:
    """A value of a profile as text: "41.0 MB", "1204", "5.00 ms"; signed: growth gets a +."""
    number, known = _base_unit(value, unit)
    # Counts are printed whole: three digits of 15 432 objects would hide a change.
    text = format_value(abs(number), known)
    return ("-" if value < 0 else "+" if signed and value else "") + text + ("" if unit in _SAID else f" {unit}")


_SAID = ("bytes", "nanoseconds", "count")


def _base_unit(value: int, unit: str) -> tuple[float, Unit]:
    if unit == "nanoseconds":
        return value * _NANOSECOND, SECONDS
    return value, BYTES if unit == "bytes" else COUNT


def _share(value: int, total: int) -> str:
    return f"{100 * value / total:.1f}%" if total else "-"
