"""`gomem trace`: says what an execution trace tells of the collector and the scheduler."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from pytest_gomem.base.errors import GomemError
from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import BYTES, COUNT, SECONDS, format_value
from pytest_gomem.commands.cli import Parser, checked, refused
from pytest_gomem.pprof.group import as_called
from pytest_gomem.report.text import columns
from pytest_gomem.tracing.model import Assist, Frame, TraceReport
from pytest_gomem.tracing.read import read_trace

_MOST = 10  # assists and lines


def trace(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Read the trace and print what it says; 0, or 2 with one line in `err` for bad input."""
    given = _parser().parse_args(argv)
    try:
        found = read_trace(given.trace, module=given.module, most=given.top)
    except GomemError as error:
        return refused("trace", error, err)
    if given.json:
        json.dump(asdict(found), out, indent=2)
        out.write("\n")
    else:
        out.writelines(f"{line}\n" for line in _text(found))
    return 0


def _parser() -> Parser:
    parser = Parser(
        "gomem trace",
        "Say why GC cycles began, what stopped the world, who had to assist on which line, and how long goroutines "
        "waited, by an execution trace of Go 1.21 or later. It needs Go, which builds the reader once.",
    )
    parser.add_argument("trace", type=Path, metavar="FILE", help="the trace, of runtime/trace or /debug/pprof/trace")
    parser.add_argument(
        "--module", default="", metavar="PATH", help="your Go module, such as example.com/shop: its lines are named"
    )
    parser.add_argument(
        "--top",
        type=checked(_count),
        default=str(_MOST),
        metavar="N",
        help="how many assists, lines and goroutines to name (default: 10)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _count(written: str) -> int:
    if not written.isdecimal() or not 0 < int(written) <= 1000:
        raise ValueError(f"{written} is not a whole number from 1 to 1000")
    return int(written)


def _text(found: TraceReport) -> Iterator[str]:
    """All but the cycles one by one, which are in the JSON."""
    events = _number(found.events)
    yield f"{_time(found.seconds)} of a trace in the format of {found.format.capitalize()}, {events} events"
    yield from (printable(f"note: {problem}") for problem in found.problems)
    causes = [(one.cause, _number(one.count), _time(one.total), _time(one.longest)) for one in found.causes]
    yield from _table("GC cycles by cause", ("", "cycles", "marking", "longest"), causes, "no GC cycle began")
    stops = [(one.reason, _number(one.count), _time(one.total), _time(one.longest)) for one in found.stops]
    yield from _table("Stops of the world", ("", "stops", "in all", "longest"), stops, "the world was never stopped")
    if found.assist_count == 0:
        yield from ("", "no goroutine had to assist the collector")
    else:
        assists = [(_at_least(one), _place(one.frame), _when(one)) for one in found.assists]
        yield from ("", f"Longest of {_number(found.assist_count)} mark assists, {_time(found.assist_seconds)} in all")
        yield from _indented(assists, right=(0,))
        rows = [(_time(one.total), _number(one.count), _time(one.longest), _place(one.frame)) for one in found.lines]
        yield from _table("Mark assists by line", ("in all", "assists", "longest", ""), rows, "", right=(0, 1, 2))
        if found.lines_left_out:
            yield f"  and {_number(found.lines_left_out)} more lines"
    yield from _scheduling(found)


def _scheduling(found: TraceReport) -> Iterator[str]:
    yield ""
    if found.latency is None:
        yield "no goroutine waited for a processor"
    else:
        p50, p99, longest = (_time(one) for one in (found.latency.p50, found.latency.p99, found.latency.longest))
        yield f"Waits for a processor: p50 {p50}, p99 {p99}, longest {longest}, of {_number(found.latency.count)}"
    heap = [("goal", found.heap_goal), ("in use", found.heap_in_use)]
    known = [f"{name} {format_value(value, BYTES)}" for name, value in heap if value is not None]
    if known:
        yield f"Heap, highest: {', '.join(known)}"


def _table(
    title: str, head: Sequence[str], rows: Sequence[Sequence[str]], none: str, right: Sequence[int] = (1, 2, 3)
) -> Iterator[str]:
    yield ""
    if rows:
        yield title
        yield from _indented([head, *rows], right)
    else:
        yield none


def _indented(rows: Sequence[Sequence[str]], right: Sequence[int]) -> Iterator[str]:
    yield from (f"  {line}" for line in columns(rows, right))


def _at_least(one: Assist) -> str:
    return f"{'at least ' * (one.began_before or one.goes_on)}{_time(one.duration)}"


def _when(one: Assist) -> str:
    """Such as "1.50 ms after cycle 7 began (heap goal)"."""
    if one.cycle is None:
        return f"at {_time(one.start)}"
    when = f"within cycle {one.cycle}" if one.after is None else f"{_time(one.after)} after cycle {one.cycle} began"
    return f"{when} ({one.cause})"


def _place(frame: Frame | None) -> str:
    return "no stack" if frame is None else f"{as_called(frame.function)} {frame.file}:{frame.line}"


def _time(seconds: float) -> str:
    return format_value(seconds, SECONDS)


def _number(count: int) -> str:
    return format_value(count, COUNT)
