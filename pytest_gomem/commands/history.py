"""`gomem history`: the trend of a metric over commits, and where it changed."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from pytest_gomem.base.errors import ConfigError, GomemError, Place
from pytest_gomem.base.files import write_whole
from pytest_gomem.base.names import did_you_mean, find_tests
from pytest_gomem.base.units import UNITS, scale_of
from pytest_gomem.commands.cli import Parser, checked
from pytest_gomem.config.own_metrics import is_own, parsed
from pytest_gomem.history.changes import Change, MissingStats, Shift, changes_of, shifts_of
from pytest_gomem.history.entry import UNSAID, Entry, with_definition
from pytest_gomem.history.file import Damaged, read
from pytest_gomem.history.plot import trend_lines
from pytest_gomem.history.suggestion import bisect_command
from pytest_gomem.history.trend import Trend, trends
from pytest_gomem.judge.conditions import said
from pytest_gomem.report.chart import Axis, Curve, draw

DEFAULT_FILE = "gomem_history.jsonl"


def history(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Print the trends of a metric; 0 also if it changed, because only tests judge."""
    given = _parser().parse_args(argv)
    if is_own(given.metric):
        given.metric = str(parsed(given.metric, Place(key="METRIC")))
    held = read(Path(given.file))
    for line in held.damaged:
        err.write(f"gomem history: {given.file}:{line.line}: {line.why}; skipped\n")
    entries = _under(with_definition(held.entries, given.metric), given.under)
    metrics = {name for entry in entries for name in entry.metrics}
    if given.metric not in metrics:
        hint = did_you_mean(given.metric, metrics) if metrics else "it holds no figures"
        raise ConfigError(f"{given.file} has no metric '{given.metric}'", hint=hint)
    found = trends(entries, given.metric, find_tests(given.test, {entry.nodeid for entry in entries}))
    if not found:
        raise ConfigError(f"no run in {given.file} measured {given.metric} in '{given.test}'")
    _show(given, found, held.damaged, out, err)
    return 0


def _pair(written: str) -> tuple[str, str]:
    name, equals, value = written.partition("=")
    if not (name and equals):
        raise ValueError(f"expected NAME=VALUE, such as go=go1.26, not {written!r}")
    return name, value


def _under(entries: Sequence[Entry], asked: Sequence[tuple[str, str]]) -> Sequence[Entry]:
    """The entries under these conditions; raises ConfigError, with the conditions there are, if none is left."""
    names = {name for entry in entries for name in entry.conditions}
    for name, value in asked:
        values = [said(entry.conditions, name, UNSAID) for entry in entries]
        if name not in names:
            raise ConfigError(f"no run has a condition {name}", hint=did_you_mean(name, names))
        if value not in values:
            raise ConfigError(f"no run has {name}={value}", hint=f"there are: {', '.join(sorted(set(values)))}")
        entries = [entry for entry, known in zip(entries, values, strict=True) if known == value]
    return entries


def _parser() -> Parser:
    parser = Parser("gomem history", "Show the trend of a metric over the runs that pytest --gomem-history=PATH kept.")
    parser.add_argument("metric", metavar="METRIC", help="such as live_heap")
    parser.add_argument("test", metavar="TEST", help="a test's id, the end of one, or a glob")
    parser.add_argument("--file", default=DEFAULT_FILE, metavar="PATH", help=f"default: {DEFAULT_FILE}")
    parser.add_argument(
        "--under",
        type=checked(_pair),
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="only runs under this condition, such as go=go1.26; repeatable",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("-o", "--output", dest="picture", metavar="FILE.svg", help="draw the trend of one window")
    return parser


def _show(
    given: argparse.Namespace, found: Sequence[Trend], damaged: Iterable[Damaged], out: TextIO, err: TextIO
) -> None:
    changes: list[tuple[Change, ...] | None]
    try:
        changes = [changes_of(trend) for trend in found]
    except MissingStats as error:
        if given.json:
            raise
        err.write(f"gomem history: {error}\n")
        changes = [None] * len(found)
    if given.picture:
        _draw(Path(given.picture), found, changes)
    if given.json:
        rows = [_trend(trend, steps or ()) for trend, steps in zip(found, changes, strict=True)]
        skipped = [{"line": line.line, "why": line.why} for line in damaged]
        out.write(json.dumps({"trends": rows, "damaged": skipped}, indent=1) + "\n")
        return
    width = shutil.get_terminal_size().columns
    blocks = ["\n".join(trend_lines(c, s, width)) for c, s in zip(found, changes, strict=True)]
    out.write("\n\n".join(blocks) + "\n")


def _draw(path: Path, found: Sequence[Trend], changes: Sequence[tuple[Change, ...] | None]) -> None:
    if len(found) > 1:
        names = ", ".join(map(_name, found))
        hint = "name one test" + (", and choose one trend by --under" if any(trend.apart for trend in found) else "")
        raise ConfigError(f"-o draws one trend, and there are {len(found)}: {names}", hint=hint)
    (trend,) = found
    top = max(trend.values, key=abs)
    divisor, suffix = scale_of(top, UNITS[trend.unit]) if trend.unit in UNITS else (1.0, trend.unit)
    axes = (
        Axis("run", zero=False, step=1.0),
        Axis(f"{trend.metric} ({suffix.strip() or 'count'})", divisor, zero=False),
    )
    runs = range(1, len(trend.points) + 1)
    curve = Curve(f"{trend.window} of {trend.service}", "good", tuple(runs), trend.values)
    marks = [change.at + 0.5 for steps in changes for change in steps or ()]
    breaks = [start + 0.5 for start in trend.starts]
    try:
        write_whole(path, draw(trend.nodeid, [curve], *axes, marks, breaks))
    except OSError as error:
        raise GomemError(f"{path} cannot be written: {error.strerror}") from None


def _name(trend: Trend) -> str:
    apart = "".join(f" --under {name}={value}" for name, value in trend.apart.items())
    return f"{trend.nodeid} / {trend.window}{apart}"


def _trend(trend: Trend, changes: Iterable[Change]) -> dict[str, Any]:
    return {
        "nodeid": trend.nodeid,
        "window": trend.window,
        "service": trend.service,
        "metric": trend.metric,
        "unit": trend.unit,
        "left_out": trend.left_out,
        "apart": trend.apart,
        "points": [
            {
                "time": f"{point.time:%Y-%m-%dT%H:%M:%SZ}",
                "commit": point.revision.commit or None,
                "dirty": point.revision.dirty,
                "branch": point.revision.branch or None,
                "value": point.value,
                "rounds": point.rounds,
                "conditions": point.conditions,
                "facts": point.facts,
            }
            for point in trend.points
        ],
        "changes": [
            {
                **_step(change),
                "facts": {n: {"before": a, "after": b} for n, (a, b) in change.facts.items()},
                "bisect": bisect_command(trend, change) or None,
            }
            for change in changes
        ],
        "conditions_changed": [
            {**_step(shift), "conditions": {n: {"before": a, "after": b} for n, (a, b) in shift.conditions.items()}}
            for shift in shifts_of(trend)
        ],
    }


def _step(step: Change | Shift) -> dict[str, Any]:
    return {
        "at": step.at,
        "time": f"{step.point.time:%Y-%m-%dT%H:%M:%SZ}",
        "commit": step.point.revision.commit or None,
        "before": step.before,
        "after": step.after,
        "change": step.share,
    }
