"""`gomem leaks`: watches a running service for a while, and says what grows and who allocates it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from pytest_gomem.attribution.culprits import Findings
from pytest_gomem.base.printable import printable
from pytest_gomem.base.unavailable import Unavailable, known
from pytest_gomem.base.units import BYTES, BYTES_PER_SECOND, COUNT, PER_SECOND, SECONDS, format_value, parse_quantity
from pytest_gomem.commands.cli import Parser, checked
from pytest_gomem.commands.target import TARGET_HELP, endpoint_url
from pytest_gomem.diagnosis.watched import GOROUTINES, LIVE_HEAP, RSS, Watched, watch
from pytest_gomem.launch.build import binary_info
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.measure.course import Course
from pytest_gomem.measure.shape import Shape
from pytest_gomem.observe.endpoint import PprofEndpoint
from pytest_gomem.observe.system import System
from pytest_gomem.report.culprits import culprit_lines, summary
from pytest_gomem.report.goroutines import goroutine_lines
from pytest_gomem.report.text import columns, percent, wrapped

_FOR = "60s"
_SHORTEST = 5.0  # seconds: a reading forces two collections
_WIDTH = 110
_UNITS = {
    LIVE_HEAP: ("live heap", BYTES, BYTES_PER_SECOND),
    GOROUTINES: ("goroutines", COUNT, PER_SECOND),
    RSS: ("RSS", BYTES, BYTES_PER_SECOND),
}


def leaks(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Watch, and print what grows; 0 if nothing does that can be told, 1 if something does, 2 for bad input."""
    given = _parser().parse_args(argv)
    pid = int(given.target) if given.target.isdecimal() else None
    url = endpoint_url(given.target)
    if not given.json:
        length = format_value(given.seconds, SECONDS)
        err.write(f"gomem leaks: watching {printable(url)} for {length}; Ctrl-C ends it early\n")
        err.flush()
    with closing(PprofEndpoint(url)) as endpoint:
        system = System(pid)
        rss = None if pid is None else lambda: system.read(pss=False).rss
        watched = watch(endpoint, given.seconds, _module(pid), clock=system, rss=rss)
    if given.json:
        json.dump(_answer(url, watched), out, indent=2)
        out.write("\n")
    else:
        out.writelines(f"{line}\n" for line in _lines(url, watched))
    return int(any(_grows(watched.course(name)) for name in (LIVE_HEAP, GOROUTINES)))


def _parser() -> Parser:
    parser = Parser(
        "gomem leaks",
        "Watch a running service for a while: whether its live heap and its goroutines grow, and who allocates them. "
        "It reads net/http/pprof, and forces collections at each of 30 readings.",
    )
    parser.add_argument("target", metavar="URL|PID", help=TARGET_HELP)
    parser.add_argument(
        "--for",
        dest="seconds",
        type=checked(_seconds),
        default=_FOR,
        metavar="TIME",
        help=f"such as 30s or 10min (default: {_FOR}); give the service work meanwhile",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _seconds(written: str) -> float:
    value = parse_quantity(written, SECONDS).value
    if value < _SHORTEST:
        raise ValueError(f"{written} is too short to tell growth: give at least {_SHORTEST:g}s")
    return value


def _module(pid: int | None) -> GoModule:
    """The module of a process of this machine; of others, and without Go at hand, nothing is known."""
    return GoModule() if pid is None else binary_info(Path(f"/proc/{pid}/exe")).module


def _grows(course: Course | Unavailable) -> bool:
    return isinstance(course, Course) and course.shape is Shape.GROWS


def _lines(url: str, watched: Watched) -> Iterator[str]:
    length = format_value(watched.seconds, SECONDS)
    yield f"{printable(url)}: {watched.readings} readings in {length}, each after forced collections"
    yield from columns(
        [(name, *_row(watched, key)) for key, (name, _, _) in _UNITS.items() if key in watched.points], gap=2
    )
    yield f"allocated meanwhile: {format_value(watched.allocated, BYTES)}"
    for note in watched.notes:
        yield from wrapped(f"note: {printable(note)}", _WIDTH, "")
    if not _is_level(watched.course(LIVE_HEAP)):
        yield ""
        yield from _culprit_lines(watched.culprits)
    if not _is_level(watched.course(GOROUTINES)):
        yield ""
        yield from _group_lines(watched)


def _row(watched: Watched, name: str) -> tuple[str, str]:
    _, unit, _ = _UNITS[name]
    points = watched.points[name]
    ends = f"{format_value(points[0][1], unit)} -> {format_value(points[-1][1], unit)}"
    return ends, _verdict(watched, name)


def _verdict(watched: Watched, name: str) -> str:
    """Such as "grows by 12.3 kB/s (11.9 kB/s to 12.6 kB/s)"."""
    unit, course = _UNITS[name][2], watched.course(name)
    if isinstance(course, Unavailable):
        return f"it is not known whether it grows: {course.reason}"
    low, high = (format_value(end, unit) for end in course.interval)
    if course.shape is Shape.GROWS:
        return f"grows by {format_value(course.line.slope, unit)} ({low} to {high})"
    length = format_value(watched.seconds, SECONDS)
    bound = f"no growth above {high} can be told from {course.count} readings in {length}"
    if course.shape is Shape.SATURATES:
        rise = format_value(course.rise, _UNITS[name][1])
        return f"saturates: it rose by {rise}, most of it in the first {percent(course.filled)} of the time; {bound}"
    return f"{bound}: it {course.why}" if course.why else bound


def _is_level(course: Course | Unavailable) -> bool:
    return isinstance(course, Course) and course.shape is not Shape.GROWS


def _culprit_lines(found: Findings | Unavailable) -> Iterator[str]:
    if isinstance(found, Unavailable):
        yield from wrapped(f"nobody is named: {printable(found.reason)}", _WIDTH, "")
    else:
        yield from culprit_lines(found.culprits, {found.metric: summary(found)}, _WIDTH)


def _group_lines(watched: Watched) -> Iterator[str]:
    if isinstance(watched.groups, Unavailable):
        yield from wrapped(f"no stacks of goroutines: {printable(watched.groups.reason)}", _WIDTH, "")
    else:
        yield from goroutine_lines([group for group in watched.groups if group.growth > 0], _WIDTH)


def _answer(url: str, watched: Watched) -> dict[str, Any]:
    culprits, groups = known(watched.culprits), known(watched.groups)
    return {
        "url": url,
        "seconds": watched.seconds,
        "readings": watched.readings,
        "allocated": watched.allocated,
        **{name: _course(watched, name) for name in _UNITS},
        "culprits": [] if culprits is None else [asdict(one) for one in culprits.culprits],
        "goroutine_groups": [asdict(one) for one in groups or () if one.growth > 0],
        "notes": list(watched.notes),
    }


def _course(watched: Watched, name: str) -> dict[str, Any] | None:
    points = watched.points.get(name)
    if not points:
        return None
    ends = {"first": points[0][1], "last": points[-1][1]}
    course = watched.course(name)
    if isinstance(course, Unavailable):
        return {**ends, "shape": None, "slope": None, "interval": None, "reason": course.reason}
    reason = course.why or None
    return {
        **ends,
        "shape": course.shape.value,
        "slope": course.line.slope,
        "interval": course.interval,
        "reason": reason,
    }
