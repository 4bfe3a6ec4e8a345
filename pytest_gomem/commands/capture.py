"""Owns `gomem capture`: a profile of a running service, saved as it came."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import closing
from getopt import gnu_getopt
from pathlib import Path
from typing import NamedTuple, TextIO
from urllib.parse import urlsplit

import psutil

from pytest_gomem.commands import arguments
from pytest_gomem.errors import GomemError, ObserveError
from pytest_gomem.files import write_whole
from pytest_gomem.launch.ports import addresses
from pytest_gomem.observe.endpoint import PprofEndpoint, find_endpoint
from pytest_gomem.pprof.model import Profile
from pytest_gomem.pprof.read import parse_profile
from pytest_gomem.pprof.table import value_text
from pytest_gomem.pprof.validate import validate

USAGE = """\
usage: gomem capture URL|PID [--heap | --allocs [--seconds N] | --goroutine] [-o FILE] [--timeout SECONDS] [--json]

Saves a profile of a running service as it came, for go tool pprof, gomem top and gomem flame. URL is that of its
net/http/pprof, or HOST:PORT; of a process the ports it listens on are tried. --heap, which is what is captured unless
said otherwise, forces two collections before; --seconds N captures what is allocated within the next N seconds.
"""
_KINDS = ("heap", "allocs", "goroutine")
_PATH = "/debug/pprof"
_TIMEOUT = "60"


class _Wish(NamedTuple):
    target: str
    kind: str
    seconds: float | None
    file: Path
    timeout: float
    json: bool


def capture(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Capture and name the file; 0, or 2 with one line in `err` when there is nothing to save."""
    wish = arguments.wish("capture", USAGE, _parse, argv, out, err)
    if isinstance(wish, int):
        return wish
    try:
        url = _process_url(int(wish.target)) if wish.target.isdecimal() else _url(wish.target)
        data = _fetch(url, wish)
        profile = _checked(url, data)
        _save(wish.file, data)
    except GomemError as error:
        err.write(f"gomem capture: {' '.join(str(error).split())}\n")
        return 2
    _tell(url, wish, profile, len(data), out)
    return 0


def _parse(argv: Sequence[str]) -> _Wish:
    """The wish of a command line; raises GetoptError or ValueError for one that is not understood."""
    flags, targets = gnu_getopt(list(argv), "o:", [*_KINDS, "seconds=", "timeout=", "json", "help"])
    said = dict(flags)
    if len(targets) != 1:
        raise ValueError(f"one URL or process id is wanted, {len(targets)} given")
    kinds = [kind for kind in _KINDS if f"--{kind}" in said]
    if len(kinds) > 1:
        raise ValueError(f"--{' and --'.join(kinds)} ask for different profiles")
    kind = (*kinds, _KINDS[0])[0]
    if "--seconds" in said and kind != "allocs":
        raise ValueError("--seconds goes with --allocs alone")
    seconds = _seconds("--seconds", said["--seconds"]) if "--seconds" in said else None
    timeout = _seconds("--timeout", said.get("--timeout", _TIMEOUT))
    return _Wish(targets[0], kind, seconds, Path(said.get("-o", f"{kind}.pb.gz")), timeout, "--json" in said)


def _seconds(flag: str, written: str) -> float:
    try:
        value = float(written)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"{flag} {written} is not a number of seconds above 0")
    return value


def _url(written: str) -> str:
    """The address of the pprof endpoint, from that of the service, the endpoint or one of its profiles."""
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
    try:
        ports = addresses(pid)
    except psutil.NoSuchProcess:
        raise GomemError(f"there is no process {pid}") from None
    except psutil.Error:
        raise GomemError(f"the sockets of process {pid} may not be looked at; give its pprof URL") from None
    if not ports:
        raise GomemError(f"process {pid} listens on no TCP port; give the pprof URL of the service")
    with closing(find_endpoint(f"http://{address}{_PATH}" for address in ports)) as endpoint:
        return endpoint.url


def _fetch(url: str, wish: _Wish) -> bytes:
    with closing(PprofEndpoint(url, wish.timeout)) as endpoint:
        if wish.kind == "heap":
            return endpoint.heap_profile()
        return endpoint.goroutine_profile() if wish.kind == "goroutine" else endpoint.allocs_profile(wish.seconds)


def _checked(url: str, data: bytes) -> Profile:
    try:
        profile = parse_profile(data)
        validate(profile)
    except ObserveError as error:
        raise GomemError(f"{url} answered with {len(data)} bytes that cannot be kept: {error}") from None
    return profile


def _save(file: Path, data: bytes) -> None:
    try:
        write_whole(file, data)
    except OSError as error:
        raise GomemError(f"{file}: {error.strerror or error}") from None


def _tell(url: str, wish: _Wish, profile: Profile, size: int, out: TextIO) -> None:
    totals = {kind: sum(column) for kind, column in zip(profile.sample_types, profile.values, strict=True)}
    if wish.json:
        by_type = {kind.type: {"unit": kind.unit, "total": total} for kind, total in totals.items()}
        answer = {"file": str(wish.file), "url": url, "profile": wish.kind, "bytes": size, "sample_types": by_type}
        json.dump({**answer, "samples": len(profile.stacks)}, out, indent=2)
        out.write("\n")
        return
    sums = ", ".join(f"{kind.type} {value_text(total, kind.unit)}" for kind, total in totals.items())
    out.write(f"{wish.file}: {wish.kind} profile of {url}, {len(profile.stacks)} samples; {sums}\n")
