"""Finds the debug information of a binary that was built without any: the same program, built once more with it."""

from __future__ import annotations

import os
import shlex
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_gomem.base.errors import GomemError, ObserveError
from pytest_gomem.launch.build import build_once, why_no_agent
from pytest_gomem.launch.launched import Built

_STRIPS = {"s", "w"}  # flags of the linker that leave debug information out
_MOST_SECTIONS, _MOST_NAMES = 10_000, 1 << 20  # what a damaged file may claim


def symbols_of(built: Built) -> Path | None:
    """A binary with the debug information that this one lacks; None if it has its own.

    Raises ObserveError with the reason if there is none.
    """
    if has_debug_info(built.binary):
        return None
    spec = built.source.build
    if spec is None:
        raise ObserveError("the binary has no debug information (-s or -w), and it was not built here")
    with_symbols = replace(spec, flags=tuple(_unstripped(spec.flags)), env=_unstripped_env(spec.env))
    folder, name = built.binary.parent.parent, built.binary.name
    agent = not why_no_agent(built.binary)
    try:
        twin = build_once(
            name, with_symbols, built.source.base_dir, folder, agent=agent, toolchain=built.source.toolchain
        )
    except GomemError as error:
        raise ObserveError(f"the binary could not be built again with debug information: {error}") from None
    if not has_debug_info(twin):
        raise ObserveError("the binary has no debug information, and a build without -s and -w has none either")
    return twin


def _unstripped_env(env: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """The variables of the build, with a GOFLAGS that strips nothing."""
    flags = (env or {}).get("GOFLAGS", os.environ.get("GOFLAGS", ""))
    try:
        words = shlex.split(flags)
    except ValueError:  # Go refuses them too
        return env
    kept = list(_unstripped(words))
    return env if kept == words else {**(env or {}), "GOFLAGS": " ".join(f"'{word}'" for word in kept)}


def _unstripped(flags: Sequence[str]) -> Iterator[str]:
    """The flags of `go build`, with -ldflags but for those that strip."""
    following = iter(flags)
    for flag in following:
        name, equals, value = flag.lstrip("-").partition("=")
        if not flag.startswith("-") or name != "ldflags":
            yield flag
            continue
        value = value if equals else next(following, "")
        pattern, separator, rest = value.partition("=")
        if separator and not pattern.lstrip().startswith("-"):  # "all=-s -w": packages that they are for
            yield f"-ldflags={pattern}={_kept(rest)}"
        else:
            yield f"-ldflags={_kept(value)}"


def _kept(ldflags: str) -> str:
    return " ".join(word for word in ldflags.split(" ") if not _strips(word))


def _strips(word: str) -> bool:
    return word.startswith("-") and word.lstrip("-").partition("=")[0] in _STRIPS


def has_debug_info(binary: Path) -> bool:
    """Whether an ELF binary has a section of debug information; of other files nothing is said against it."""
    try:
        with binary.open("rb") as file:
            head = file.read(64)
            if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":  # of 64 bits, little-endian
                return True
            offset, size, count, names = *struct.unpack_from("<Q", head, 40), *struct.unpack_from("<3H", head, 58)
            file.seek(offset)
            table = file.read(size * min(count, _MOST_SECTIONS))
            headers = [table[at : at + size] for at in range(0, len(table), size)] if size >= 64 else []
            if names >= len(headers):
                return True
            start, length = struct.unpack_from("<2Q", headers[names], 24)
            file.seek(start)
            strings = file.read(min(length, _MOST_NAMES))
    except (OSError, struct.error):
        return True
    return b".debug_info\0" in strings or b".zdebug_info\0" in strings
