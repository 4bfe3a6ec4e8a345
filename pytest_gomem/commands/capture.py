"""`gomem capture`: saves a profile of a running service."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TextIO

from pytest_gomem.base.errors import GomemError, ObserveError
from pytest_gomem.base.files import write_whole
from pytest_gomem.commands.cli import Parser, checked, refused
from pytest_gomem.commands.target import TARGET_HELP, endpoint_url
from pytest_gomem.observe.endpoint import PprofEndpoint
from pytest_gomem.pprof.model import Profile, validate
from pytest_gomem.pprof.read import parse_profile
from pytest_gomem.pprof.table import value_text

_TIMEOUT = "60"


def capture(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Capture a profile and print the file's name; 0, or 2 with one line in `err` if there is none."""
    given = _parser().parse_args(argv)
    if given.seconds is not None and given.kind != "allocs":
        err.write("gomem capture: --seconds works only with --allocs\n")
        return 2
    file = Path(given.file or f"{given.kind}.pb.gz")
    try:
        url = endpoint_url(given.target)
        data = _fetch(url, given)
        profile = _checked(url, data)
        _save(file, data)
    except GomemError as error:
        return refused("capture", error, err)
    _print(url, given, file, profile, len(data), out)
    return 0


def _parser() -> Parser:
    parser = Parser(
        "gomem capture",
        "Save a profile of a running service, for go tool pprof, gomem top and gomem flame.",
    )
    parser.add_argument(
        "target",
        metavar="URL|PID",
        help=TARGET_HELP,
    )
    kinds = parser.add_mutually_exclusive_group()
    for kind, words in (
        ("heap", "what is held, after two forced collections (default)"),
        ("allocs", "what was allocated since the start, or within the next --seconds"),
        ("goroutine", "the stacks of all goroutines"),
    ):
        kinds.add_argument(f"--{kind}", dest="kind", action="store_const", const=kind, default="heap", help=words)
    parser.add_argument("--seconds", type=checked(_seconds), metavar="N", help="with --allocs: how long to wait")
    parser.add_argument(
        *("-o", "--output"), dest="file", metavar="FILE", help="default: heap.pb.gz, allocs.pb.gz or goroutine.pb.gz"
    )
    parser.add_argument(
        "--timeout", type=checked(_seconds), default=_TIMEOUT, metavar="SECONDS", help=f"default: {_TIMEOUT}"
    )
    parser.add_argument("--json", action="store_true", help="print JSON about what was saved")
    return parser


def _seconds(written: str) -> float:
    try:
        value = float(written)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"{written} is not a number of seconds above 0")
    return value


def _fetch(url: str, given: argparse.Namespace) -> bytes:
    with closing(PprofEndpoint(url, given.timeout)) as endpoint:
        if given.kind == "heap":
            return endpoint.heap_profile()
        return endpoint.goroutine_profile() if given.kind == "goroutine" else endpoint.allocs_profile(given.seconds)


def _checked(url: str, data: bytes) -> Profile:
    try:
        profile = parse_profile(data)
        validate(profile)
    except ObserveError as error:
        raise GomemError(f"{url} answered with {len(data)} bytes that are not saved: {error}") from None
    return profile


def _save(file: Path, data: bytes) -> None:
    try:
        write_whole(file, data)
    except OSError as error:
        raise GomemError(f"{file}: {error.strerror or error}") from None


def _print(url: str, given: argparse.Namespace, file: Path, profile: Profile, size: int, out: TextIO) -> None:
    totals = {kind: sum(column) for kind, column in zip(profile.sample_types, profile.values, strict=True)}
    if given.json:
        by_type = {kind.type: {"unit": kind.unit, "total": total} for kind, total in totals.items()}
        answer = {"file": str(file), "url": url, "profile": given.kind, "bytes": size, "sample_types": by_type}
        json.dump({**answer, "samples": len(profile.stacks)}, out, indent=2)
        out.write("\n")
        return
    sums = ", ".join(f"{kind.type} {value_text(total, kind.unit)}" for kind, total in totals.items())
    out.write(f"{file}: {given.kind} profile of {url}, {len(profile.stacks)} samples; {sums}\n")
