"""Owns whose code a frame is: the runtime's, the standard library's, a dependency's or the user's own."""

from __future__ import annotations

import re
from enum import Enum

from pytest_gomem.pprof.group import Frame, package_of


class Kind(Enum):
    """Whose code; the values are the words of the legend."""

    OWN = "your code"
    DEPENDENCY = "dependencies"
    STANDARD = "standard library"
    RUNTIME = "runtime and system"


# The first elements of the import paths of Go 1.19 to 1.27 (`go list std`).
_STANDARD = frozenset(
    re.findall(
        r"\w+",
        "archive arena bufio builtin bytes cmp compress container context crypto database debug embed encoding errors "
        "expvar flag fmt go hash html image index internal io iter log maps math mime net os path plugin reflect "
        "regexp runtime simd slices sort strconv strings structs sync syscall testing text time unicode unique unsafe "
        "weak",
    )
)
_OF_DEPENDENCY = re.compile(r"@v\d|(?:^|/)vendor/")  # the module cache, with and without -trimpath; vendored code
_OF_STANDARD = re.compile(r"(?:^|/src/)(\w+(?:/\w+)*)/[^/]+$")  # .../go/src/net/http/server.go, net/http/server.go


def kind_of(frame: Frame) -> Kind:
    """Told by the import path, and where that is not in the standard library by the file's place.

    A module of the user's own in the module cache, or beside a vendored one, counts as what it lies in.
    """
    package = frame.package or package_of(frame.function or "")
    if not package and frame.file:
        in_sources = _OF_STANDARD.search(frame.file)
        package = in_sources[1] if in_sources else ""
    if package.startswith(("[", "<")):
        return Kind.RUNTIME
    first, _, _ = package.partition("/")
    if first in _STANDARD:
        is_runtime = first == "runtime" or package.startswith("internal/runtime")
        return Kind.RUNTIME if is_runtime else Kind.STANDARD
    return Kind.DEPENDENCY if _OF_DEPENDENCY.search(frame.file or "") else Kind.OWN
