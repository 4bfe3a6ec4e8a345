"""What is made of an error that a body raised."""

from __future__ import annotations

import pytest

from pytest_gomem.body_errors import in_one_line, is_timeout
from pytest_gomem.errors import LaunchError


def fails(error: BaseException) -> None:
    raise error


def raised(error: BaseException) -> BaseException:
    """The error with a traceback."""
    with pytest.raises(type(error)) as caught:
        fails(error)
    return caught.value


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AssertionError("assert 1 == 2\n  more"), "AssertionError: assert 1 == 2"),
        (pytest.fail.Exception("by hand"), "by hand"),
        (pytest.skip.Exception("no database"), "it was skipped there: no database"),
        (LaunchError("api", "not ready"), "service 'api': not ready"),
    ],
)
def test_the_line_names_the_place_and_the_fault(error, words):
    """One line: the user's own file and line, and what it said first."""
    text = in_one_line(raised(error))
    assert text.startswith("test_body_errors.py:")
    assert text.endswith(f": {words}")


def test_timeouts_are_told_from_failures():
    """pytest-timeout fails the body with words of its own, after which nothing may run on."""
    assert is_timeout(pytest.fail.Exception("Timeout (>2.0s) from pytest-timeout."))
    assert not is_timeout(pytest.fail.Exception("too slow"))
    assert not is_timeout(AssertionError("Timeout (>2.0s)"))
