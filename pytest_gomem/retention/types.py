"""Globs over Go types: which types one means, and whether a program has any of them."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

from pytest_gomem.base.names import matches

# How the names of types begin that are made of other types, or that the reader of heap dumps could not tell.
_COMPOSED = ("[", "*", "map[", "chan ", "<-chan ", "func", "struct {", "interface {", "?")
_WILD = re.compile(r"[*?]")


def means_type(glob: str, name: str) -> bool:
    """Whether a glob means this type of an object; `*` is any run of characters, `?` exactly one, "*" alone every type.

    A slice, a map and other types made of types are meant only by a glob that begins as they do: "*main.Session" is
    no slice of sessions, and "[]*main.Session" is nothing else.
    """
    if glob == "*":
        return True
    begins = next((begin for begin in _COMPOSED if name.startswith(begin)), "")
    return _begins_as(glob, begins) and matches(glob, name)


def _begins_as(glob: str, begins: str) -> bool:
    # A star at the start of a glob stands for any package, not for a pointer.
    return not begins or (begins != "*" and glob.startswith(begins))


def may_have_type(binary: Path, glob: str) -> bool:
    """Whether a program has a type that the glob may mean; True if that cannot be told.

    The names of all types that are allocated stand in the program, some without the path of their package.
    """
    package, _, named = max(_WILD.split(glob), key=len).partition("[")[0].rpartition(".")
    named = named or package
    if not named:
        return True
    try:
        with binary.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(named.encode(errors="surrogateescape")) >= 0
    except (OSError, ValueError):  # an empty file cannot be mapped
        return True
