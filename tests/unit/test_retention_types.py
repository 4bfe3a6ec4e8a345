"""Globs over Go types: what they mean, and whether a program has such a type."""

from __future__ import annotations

import pytest

from pytest_gomem.retention.types import may_have_type, means_type


@pytest.mark.parametrize(
    ("glob", "means", "not_these"),
    [
        ("main.Session", ["main.Session"], ["main.Sessions", "x/main.Session", "[]main.Session"]),
        (
            "*main.Session",
            ["main.Session", "example.com/app/main.Session"],
            ["[]main.Session", "*main.Session", "map[int]main.Session", "[]*main.Session", "chan main.Session"],
        ),
        ("main.*", ["main.Session", "main.Cache[string,*main.Session]"], ["func main.run.func1", "[]main.Session"]),
        ("[]*main.Session", ["[]main.Session", "[]*main.Session"], ["main.Session", "[4]main.Session"]),
        ("map[string]*", ["map[string]int"], ["map[int]string", "main.Session"]),
        ("func main.*", ["func main.run.func1"], ["main.Session"]),
        ("chan *", ["chan int"], ["[]chan int"]),
        ("string", ["string"], ["[]string"]),
        ("*", ["main.Session", "[]uint8", "*int", "?ptrs(64)"], []),
    ],
)
def test_what_a_glob_means(glob, means, not_these):
    """A star stands for a part of a type's own name, and never for a slice or a pointer around it."""
    assert [name for name in means if not means_type(glob, name)] == []
    assert [name for name in not_these if means_type(glob, name)] == []


@pytest.mark.parametrize(
    ("glob", "may"),
    [
        ("*main.Session", True),
        ("github.com/redis/go-redis/v9.Client", True),
        ("*main.Sesion", False),
        ("main.*", True),
        ("[]uint8", True),
        ("*", True),
        ("map[string]*main.Session", True),
        ("map[string]*main.Sesion", False),
    ],
)
def test_a_program_has_the_names_of_its_types(tmp_path, glob, may):
    """Without the path before the package, so only the last name tells."""
    program = tmp_path / "app"
    program.write_bytes(b"\x00\x0d*main.Session\x00\x0e*redis.Client\x00main.run\x00")
    assert may_have_type(program, glob) is may


def test_without_a_program_any_type_may_be_there(tmp_path):
    """What cannot be told is no mistake of the user."""
    (tmp_path / "empty").touch()
    assert may_have_type(tmp_path / "empty", "main.T")
    assert may_have_type(tmp_path / "none", "main.T")
