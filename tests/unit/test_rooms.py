"""The house: each room imports only from rooms below it, and the core knows nothing of pytest."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "pytest_gomem"
# From the bottom up.
ROOMS = (
    "base",
    "git",
    "config",
    "pprof",
    "load",
    "observe",
    "cgroup",
    "supervisor",
    "measure",
    "launch",
    "stats",
    "attribution",
    "retention",
    "tracing",
    "judge",
    "results",
    "session",
    "instruments",
    "report",
    "flame",
    "ci",
    "diagnosis",
    "comparison",
    "baseline",
    "history",
    "selftest",
    "scaffold",
    "tighten",
    "bisect",
    "tune",
    "page",
    "plugin",
    "commands",
)
AT_THE_TOP = {"__init__", "testing"}
KNOW_PYTEST = {"plugin", "commands", "testing", "__init__"}
LONGEST = 350  # lines; a module that is longer holds two concepts


def imports(path: Path) -> Iterator[str]:
    """What a module imports, as dotted names, also within functions and for type checkers alone."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if not path.name.endswith("_pb2.py")]


def test_every_room_is_listed():
    """A room that is new gets its place in the order."""
    assert {room_of(path) for path in MODULES} == {*ROOMS, *AT_THE_TOP}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_from_below(room):
    """What flows from launch to report never runs back."""
    above = {f"pytest_gomem.{name}" for name in ROOMS[ROOMS.index(room) + 1 :]}
    running_back = {
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in MODULES
        if room_of(path) == room
        for name in imports(path)
        if ".".join(name.split(".")[:2]) in above
    }
    assert running_back == set()


def test_the_core_knows_no_pytest():
    """All of it can be used without, as `gomem run` does."""
    of_pytest = {"pytest", "_pytest", "pluggy", "xdist"}
    knowing = {
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if room_of(path) not in KNOW_PYTEST and any(name.split(".")[0] in of_pytest for name in imports(path))
    }
    assert knowing == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_what_it_is_for(path):
    """In its first line, in plain words; and it is short enough to be of one concept."""
    text = path.read_text()
    first = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    assert first.endswith((".", "?"))
    assert not first.startswith("Owns")
    assert len(text.splitlines()) <= LONGEST


def test_imports_see_what_is_there():
    """The reading of imports finds this file's own."""
    assert {"ast", "pathlib.Path"} <= set(imports(Path(__file__)))
