"""What a flame graph says of a frame, and in which colours: whose code it is, and how much it changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from pytest_gomem.flame.tree import CallTree, Values
from pytest_gomem.pprof.group import Frame, package_of


class Kind(Enum):
    """Whose code a frame is; the values are the legend's text."""

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
    """Whose code a frame is, by its import path, and outside of the standard library by its file's folder.

    A user's module in the module cache, or in a vendor folder, counts as a dependency.
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


class Held(Enum):
    """Where a frame of holders belongs; the values are the legend's text."""

    ROOT = "who holds"
    DECLARED = "types of your code and its dependencies"
    STANDARD = "types of the standard library"
    BUILT_IN = "built-in types"


_QUALIFIED = re.compile(r"[\w.~/-]+\.\w")  # the first type of a package within a name: of map[string]*main.Session


def held_kind_of(frame: Frame, is_root: bool) -> Held:
    """Where a frame of holders belongs: the outermost one is a root, all others are Go types."""
    if is_root:
        return Held.ROOT
    named = _QUALIFIED.search(frame.function or "")
    if named is None:
        return Held.BUILT_IN
    return Held.STANDARD if package_of(named[0]).partition("/")[0] in _STANDARD else Held.DECLARED


class Change(Enum):
    """Steps of change; the values are the legend's text."""

    GONE_MOSTLY = "less than half"
    SHRUNK = "10% to 50% less"
    SHRUNK_LITTLE = "1% to 10% less"
    SAME = "within 1%"
    GROWN_LITTLE = "1% to 11% more"
    GROWN = "11% to 100% more"
    GROWN_MUCH = "more than doubled, or new"


# As a share of the larger value: a tenth less is 10% less, and back up from nine tenths it is 11% more.
_STEPS = (
    (0.01, Change.SAME, Change.SAME),
    (0.1, Change.SHRUNK_LITTLE, Change.GROWN_LITTLE),
    (0.5, Change.SHRUNK, Change.GROWN),
)


def change(before: int, now: int) -> Change:
    """The step between two cumulative values; symmetric for growth and shrinking."""
    size = max(abs(before), abs(now))
    ratio = abs(now - before) / size if size else 0.0
    for limit, shrunk, grown in _STEPS:
        if ratio <= limit:
            return grown if now > before else shrunk
    return Change.GROWN_MUCH if now > before else Change.GONE_MOSTLY


class Vanished(NamedTuple):
    """A frame that held or made something before and nothing now, so that it cannot be drawn."""

    node: int
    before: int


def vanished(tree: CallTree, before: Values, now: Values) -> tuple[Vanished, ...]:
    """The outermost vanished frames of each path, the largest first, then by name."""
    gone = [old > 0 and new <= 0 for old, new in zip(before.cum, now.cum, strict=True)]
    outermost = [node for node, is_gone in enumerate(gone) if is_gone and not (node and gone[tree.parents[node]])]
    found = (Vanished(node, before.cum[node]) for node in outermost)
    return tuple(sorted(found, key=lambda one: (-one.before, str(tree.frames[one.node]), one.node)))


def path(tree: CallTree, node: int) -> Sequence[int]:
    """The nodes from the root to this one, both included."""
    nodes = [node]
    while tree.parents[nodes[-1]] >= 0:
        nodes.append(tree.parents[nodes[-1]])
    return nodes[::-1]


TEXT = "#111111"  # on every frame, in both themes
MARK = {"light": "#5b0f86", "dark": "#3d0a5c"}  # of what was found or stands out, on any of the colours
ROOT = {"light": "#dfe3e8", "dark": "#8a929b"}

# Orange, blue, yellow and grey differ with any common deficiency of colour vision.
KINDS: Mapping[str, Mapping[Enum, str]] = {
    "light": {
        Kind.OWN: "#f4a95c",
        Kind.DEPENDENCY: "#93c0e8",
        Kind.STANDARD: "#f2e6a2",
        Kind.RUNTIME: "#cfd3d8",
    },
    "dark": {
        Kind.OWN: "#e08f3c",
        Kind.DEPENDENCY: "#6ca6d9",
        Kind.STANDARD: "#cfc074",
        Kind.RUNTIME: "#8f979f",
    },
}
HELD: Mapping[str, Mapping[Enum, str]] = {
    theme: dict(zip(Held, fills.values(), strict=True)) for theme, fills in KINDS.items()
}
# From blue over grey to red-orange, lighter in the middle, so that a grey print still shows changes.
CHANGES: Mapping[str, Mapping[Enum, str]] = {
    "light": {
        Change.GONE_MOSTLY: "#5b9fd0",
        Change.SHRUNK: "#9bc6e3",
        Change.SHRUNK_LITTLE: "#d0e3f0",
        Change.SAME: "#e9e9e6",
        Change.GROWN_LITTLE: "#fbdcc6",
        Change.GROWN: "#f5ae84",
        Change.GROWN_MUCH: "#e3734f",
    },
    "dark": {
        Change.GONE_MOSTLY: "#4a9fe0",
        Change.SHRUNK: "#74afd8",
        Change.SHRUNK_LITTLE: "#92b1c6",
        Change.SAME: "#a3a3a0",
        Change.GROWN_LITTLE: "#c9a590",
        Change.GROWN: "#dd9468",
        Change.GROWN_MUCH: "#ec6f48",
    },
}


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours "#rrggbb", 1 to 21, as WCAG 2 defines it."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
