"""What is made of an error that a body raised."""

from __future__ import annotations

import contextlib
import traceback

import pytest

from pytest_gomem.base.errors import BuildError, LaunchError, LoadError
from pytest_gomem.load.connection import Request
from pytest_gomem.load.http_client import HttpClient
from pytest_gomem.plugin.body_errors import hide_our_frames, in_one_line, is_timeout, plainly


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
        (
            LaunchError("api", "exited with status 2", "flag provided but not defined: -admin\nUsage of api:\n"),
            "service 'api': exited with status 2; its log: flag provided but not defined: -admin ... Usage of api:",
        ),
        (
            BuildError(
                "api at HEAD~1", ["go", "build"], "/src", "# example.com/app\n./a.go:1:2: undefined: b\n./a.go:3:4: c\n"
            ),
            "building service 'api at HEAD~1' failed: ./a.go:1:2: undefined: b; ./a.go:3:4: c",
        ),
    ],
)
def test_the_line_names_the_place_and_the_fault(error, words):
    """One line: the user's own file and line, and what it said first."""
    text = in_one_line(raised(error))
    assert text.startswith("test_body_errors.py:")
    assert text.endswith(f": {words}")


def test_a_fixtures_failure_is_told_as_the_error_behind_it():
    """It is raised as pytest's own; of a long list of the compiler's the first lines are enough."""
    output = "".join(f"./a.go:{line}:1: wrong\n" for line in range(1, 9))
    try:
        try:
            fails(BuildError("api", ["go", "build"], "/src", output))
        except BuildError as error:
            fails(plainly(error))
    except pytest.fail.Exception as failure:
        text = in_one_line(failure)
    assert text.endswith("building service 'api' failed: ./a.go:1:1: wrong; ./a.go:2:1: wrong; ./a.go:3:1: wrong ...")


def test_timeouts_are_told_from_failures():
    """pytest-timeout fails the body with words of its own, after which nothing may run on."""
    assert is_timeout(pytest.fail.Exception("Timeout (>2.0s) from pytest-timeout."))
    assert not is_timeout(pytest.fail.Exception("too slow"))
    assert not is_timeout(AssertionError("Timeout (>2.0s)"))


def nobody_answers() -> None:
    with contextlib.closing(HttpClient("http://127.0.0.1:1")) as client:
        client.request(Request("GET", "/"))


def test_what_an_error_of_ours_was_made_from_is_not_shown():
    """The HTTP library's traceback says nothing to the user; what they were handling themselves does."""
    with pytest.raises(LoadError) as alone:
        nobody_answers()
    try:
        try:
            fails(ValueError("the user's own"))
        except ValueError:
            nobody_answers()
    except LoadError as error:
        handling = error
    try:
        try:
            nobody_answers()
        except LoadError as error:
            raise AssertionError("the user's own") from error
    except AssertionError as error:
        built_on = error
    for error, own in ((alone.value, 0), (handling, 1), (built_on, 1)):
        hide_our_frames(error)
        text = "".join(traceback.format_exception(error))
        assert "urllib3" not in text
        assert "load/client.py" not in text
        assert text.count("the user's own\n") == own
