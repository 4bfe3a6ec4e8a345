"""`gomem retention`: says who holds the memory in a heap dump, or what has come since an earlier one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TextIO

from pytest_gomem.base.errors import GomemError
from pytest_gomem.base.files import write_whole
from pytest_gomem.commands.cli import Parser, checked, refused
from pytest_gomem.config.dump_limits import DEFAULT_LIMITS
from pytest_gomem.launch.build import binary_info
from pytest_gomem.pprof.write import compressed
from pytest_gomem.report.holders import retention_lines
from pytest_gomem.retention.holding import without_agent
from pytest_gomem.retention.model import Holder, Retention
from pytest_gomem.retention.places import with_short_files
from pytest_gomem.retention.profile import holders_profile
from pytest_gomem.retention.reading import read_dump
from pytest_gomem.retention.symbols import has_debug_info

_WIDTH = 110
_NO_SYMBOLS = "the binary has no debug information (-s or -w): name a build of the same program that has, by --symbols"


def retention(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Read the dump, and print its holders and types; 0, or 2 with one line in `err` for bad input."""
    given = _parser().parse_args(argv)
    try:
        for path in filter(None, (given.dump, given.binary, given.base, given.symbols)):
            _check(path)
        limits = replace(DEFAULT_LIMITS, max_objects=given.max_objects)
        found = read_dump(given.dump, given.binary, base=given.base, symbols=given.symbols, limits=limits, of=given.of)
        found = with_short_files(without_agent(found), binary_info(given.binary).module)
        if given.symbols is None and not has_debug_info(given.binary):
            found = replace(found, notes=(*found.notes, _NO_SYMBOLS))
        if given.pprof is not None:
            _save(given.pprof, found)
    except GomemError as error:
        return refused("retention", error, err)
    if given.json:
        json.dump(_answer(found), out, indent=2)
        out.write("\n")
    else:
        out.writelines(f"{line}\n" for line in retention_lines(found, _WIDTH))
    return 0


def _parser() -> Parser:
    parser = Parser(
        "gomem retention",
        "Say who holds the memory in a heap dump of a Go process, as service.retention(keep=...) or "
        "debug.WriteHeapDump leaves it. It needs Go, which builds the reader once.",
    )
    parser.add_argument("dump", type=_absolute, metavar="DUMP", help="the heap dump")
    parser.add_argument(
        "--binary", type=_absolute, required=True, metavar="FILE", help="the program that ran, the very same build"
    )
    parser.add_argument(
        "--base",
        type=_absolute,
        metavar="DUMP0",
        help="an earlier dump of that process: the answer is of the growth",
    )
    parser.add_argument(
        "--symbols", type=_absolute, metavar="FILE", help="a build with debug information, if the program has none"
    )
    parser.add_argument(
        "--max-objects",
        type=checked(_count),
        default=str(DEFAULT_LIMITS.max_objects),
        metavar="N",
        help="refuse dumps with more (default: 8 million)",
    )
    parser.add_argument(
        "--of",
        action="append",
        default=[],
        metavar="GLOB",
        help="also say who holds the objects of these types, such as '*main.Session'; repeatable",
    )
    parser.add_argument("--pprof", type=Path, metavar="FILE", help="also write the holders as a profile")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _absolute(written: str) -> Path:
    return Path(written).absolute()


def _count(written: str) -> int:
    if not written.isdecimal() or not int(written):
        raise ValueError(f"{written} is not a whole number above 0")
    return int(written)


def _check(path: Path) -> None:
    try:
        if path.exists() and not path.is_file():  # to open a pipe may take for ever
            raise GomemError(f"{path}: is not a file")
        with path.open("rb"):
            pass
    except OSError as error:
        raise GomemError(f"{path}: {error.strerror or error}") from None


def _save(path: Path, found: Retention) -> None:
    try:
        write_whole(path, compressed(holders_profile(found.holders)))
    except OSError as error:
        raise GomemError(f"{path}: {error.strerror or error}") from None


def _answer(found: Retention) -> dict[str, Any]:
    return {
        **asdict(replace(found, holders=(), types={}, of={})),
        "holders": _holders(found.holders),
        "types": {name: asdict(count) for name, count in found.types.items()},
        "of": {glob: _holders(holders) for glob, holders in found.of.items()},
    }


def _holders(holders: Sequence[Holder]) -> list[dict[str, Any]]:
    return [{**asdict(one), "kind": one.kind.value} for one in holders]
