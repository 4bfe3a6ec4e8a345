"""Owns `gomem top` and `gomem diff`: from a command line to a table or to JSON."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from getopt import GetoptError, gnu_getopt  # loads faster than argparse, and its mistakes are exceptions
from typing import NamedTuple, TextIO

from pytest_gomem.errors import GomemError
from pytest_gomem.pprof.aggregate import Row, Table, aggregate, sort_rows
from pytest_gomem.pprof.diff import diff as difference
from pytest_gomem.pprof.group import GRANULARITIES
from pytest_gomem.pprof.read import read_profile
from pytest_gomem.pprof.table import table_lines

_OPTIONS = (
    "[--sample S] [--by function|line|file|package] [--focus REGEX] [--ignore REGEX] [--cum] [--limit N, 0 = all] "
    "[--json]"
)
_DEFAULT_LIMIT = "20"


_FLAGS = ["sample=", "by=", "focus=", "ignore=", "cum", "limit=", "json", "help"]


class _Wish(NamedTuple):
    """What a command line asks for."""

    paths: list[str]
    sample: str
    by: str
    focus: str
    ignore: str
    cum: bool
    limit: int
    json: bool


def top(argv: Sequence[str], out: TextIO = sys.stdout, err: TextIO = sys.stderr) -> int:
    """`gomem top PROFILE`: what holds or allocates most. Returns 0, or 2 with one line in `err` for bad input."""
    return _run("top", ("PROFILE",), argv, out, err)


def diff(argv: Sequence[str], out: TextIO = sys.stdout, err: TextIO = sys.stderr) -> int:
    """`gomem diff BASE NEW`: what holds or allocates more or less. Returns 0, or 2 with one line for bad input."""
    return _run("diff", ("BASE", "NEW"), argv, out, err)


def _run(command: str, operands: tuple[str, ...], argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    usage = f"usage: gomem {command} {' '.join(operands)} {_OPTIONS}"
    if "--help" in argv:
        print(usage, file=out)
        return 0
    try:
        wish = _parse(argv, len(operands))
        with _no_collections():
            table = _table(wish)
    except (GetoptError, ValueError) as error:
        print(f"gomem {command}: {error}; {usage}", file=err)
        return 2
    except GomemError as error:
        print(f"gomem {command}: {' '.join(str(error).split())}", file=err)
        return 2
    rows = sort_rows(table.rows, cum=True) if wish.cum else table.rows
    shown = rows[: wish.limit or None]
    if wish.json:
        _print_json(table, shown, out)
    else:
        for line in table_lines(table, shown, wish.by, wish.cum, signed=command == "diff"):
            print(line, file=out)
    return 0


def _parse(argv: Sequence[str], operands: int) -> _Wish:
    """The wish of a command line; raises GetoptError or ValueError for one that is not understood."""
    flags, paths = gnu_getopt(list(argv), "", _FLAGS)
    said = dict(flags)
    if len(paths) != operands:
        raise ValueError(f"{operands} file{'s' * (operands > 1)} wanted, {len(paths)} given")
    by, limit = said.get("--by", "function"), said.get("--limit", _DEFAULT_LIMIT)
    if by not in GRANULARITIES:
        raise ValueError(f"--by {by} is not one of {', '.join(GRANULARITIES)}")
    if not limit.isdecimal():
        raise ValueError(f"--limit {limit} is not a whole number of rows")
    focus, ignore = said.get("--focus", ""), said.get("--ignore", "")
    return _Wish(paths, said.get("--sample", ""), by, focus, ignore, "--cum" in said, int(limit), "--json" in said)


@contextmanager
def _no_collections() -> Iterator[None]:
    """Without the cycle collector, which finds nothing here and takes 8% of the time to look."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _table(wish: _Wish) -> Table:
    profiles = (read_profile(path, labels=False) for path in wish.paths)
    how = (wish.sample, wish.by, wish.focus, wish.ignore)
    if len(wish.paths) == 1:
        return aggregate(next(profiles), *how)
    return difference(next(profiles), next(profiles), *how)


def _print_json(table: Table, shown: Sequence[Row], out: TextIO) -> None:
    import json

    rows = []
    for frame, flat, cum in shown:
        row = {"function": frame.function, "file": frame.file, "line": frame.line, "flat": flat, "cum": cum}
        rows.append(row if frame.package is None else {"package": frame.package, **row})
    answer = {"sample_type": table.sample_type, "unit": table.unit, "total": table.total, "rows": rows}
    json.dump(answer, out, indent=2)
    print(file=out)
