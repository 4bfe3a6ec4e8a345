"""`gomem capture`: saves a profile of a running service."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from pytest_gomem.base.errors import GomemError, ObserveError
from pytest_gomem.base.files import write_whole
from pytest_gomem.commands.cli import Parser, checked
from pytest_gomem.launch.ports import bases
from pytest_gomem.observe.endpoint import PprofEndpoint, find_endpoint
from pytest_gomem.observe.kernel import stopped_words
from pytest_gomem.pprof.model import Profile, validate
from pytest_gomem.pprof.read import parse_profile
from pytest_gomem.pprof.table import value_text

_PATH = "/debug/pprof"
_TIMEOUT = "60"


def capture(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Capture a profile and print the file's name; 0, or 2 with one line in `err` if there is none."""
    given = _parser().parse_args(argv)
    if given.seconds is not None and given.kind != "allocs":
        err.write("gomem capture: --seconds works only with --allocs\n")
        return 2
    file = Path(given.file or f"{given.kind}.pb.gz")
    try:
        url = _process_url(int(given.target)) if given.target.isdecimal() else _url(given.target)
        data = _fetch(url, given)
        profile = _checked(url, data)
        _save(file, data)
    except GomemError as error:
        err.write(f"gomem capture: {' '.join(str(error).split())}\n")
        return 2
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
        help="the address of its net/http/pprof, HOST:PORT, or a process id: then its ports are tried",
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


def _url(written: str) -> str:
    """The address of the pprof endpoint, from the address of the service, the endpoint or a profile."""
    url = written if "://" in written else f"http://{written}"
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and parts.scheme in ("http", "https") and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known:
        raise GomemError(f"'{written}' is neither a process id nor an address: write http://HOST:PORT{_PATH}")
    path = parts.path.rstrip("/")
    root, found, _ = path.partition(_PATH)
    return f"{parts.scheme}://{parts.netloc}{root if found or not path else path}{_PATH if found or not path else ''}"


def _process_url(pid: int) -> str:
    if stopped := stopped_words(pid):
        raise GomemError(stopped)
    urls = (f"{base}{_PATH}" for base in bases(pid, "give the pprof URL of the service"))
    with closing(find_endpoint(urls, "in place of the process id")) as endpoint:
        return endpoint.url


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
