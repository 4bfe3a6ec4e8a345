"""Finding the tests that a user means."""

from __future__ import annotations

import pytest

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.base.names import find_tests

KNOWN = ("a/test_x.py::test_one", "a/test_x.py::test_two[p-1]", "a/test_x.py::test_two[p-2]", "b/test_x.py::test_one")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("b/test_x.py::test_one", [3]),
        ("a/test_x.py::test_two[p-2]", [2]),
        ("a/test_x.py::test_two", [1, 2]),
        ("test_two", [1, 2]),
        ("test_two[p-1]", [1]),
        ("a/*", [0, 1, 2]),
        ("*::test_one", [0, 3]),
    ],
)
def test_an_id_its_end_or_a_glob(wanted, found):
    """The whole id, all combinations of one, its end, or a glob."""
    assert list(find_tests(wanted, KNOWN)) == [KNOWN[at] for at in found]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("test_one", "is the end of 2 tests: a/test_x.py::test_one, b/test_x.py::test_one"),
        ("two", "no test 'two'"),
        ("test_tow", r"nearest: .*a/test_x.py::test_two\[p-1\]"),
    ],
)
def test_what_is_no_test_or_several(wanted, says):
    """An end of several tests names them; a slip names the nearest."""
    with pytest.raises(ConfigError, match=says):
        find_tests(wanted, KNOWN)
