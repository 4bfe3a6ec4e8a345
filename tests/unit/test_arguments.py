"""A mistake in a call is said at the caller's own line, with the nearest name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from pytest_gomem.base.errors import ConfigError, ConfigErrors, Place
from pytest_gomem.base.units import SECONDS
from pytest_gomem.config.arguments import above_0, at_least_1, checked
from pytest_gomem.session.attached import AttachedProcess
from pytest_gomem.session.service import Service

HERE = "test_arguments.py"


@pytest.fixture(autouse=True)
def _beside(monkeypatch):
    """Files are shown relative to the current folder."""
    monkeypatch.chdir(Path(__file__).parent)


class Thing:
    @checked
    def work(
        self,
        path: str = "/",
        *,
        times: int | None = None,
        rate: float | str | None = None,
        headers: Mapping[str, str] | None = None,
        value: object = None,
        quick: bool = False,
    ) -> str:
        at_least_1("times", times)
        if rate is not None:
            above_0("rate", rate, SECONDS)
        if value == "file":
            raise ConfigError("is wrong", Place("gomem.yaml", 3, "services"))
        if value == "several":
            raise ConfigErrors([ConfigError("one", Place(key="gogc")), ConfigError("two", Place(key="work().x"))])
        if value == "ours":
            raise TypeError("unsupported operand")
        return path

    @checked
    def part(self, name: str, other: Thing | None = None) -> str:
        return name


@pytest.fixture
def service() -> Iterator[Service]:
    """One that nothing reaches: a call with a mistake never sends a request."""
    with Service(AttachedProcess(None, None, None, 50.0, reset_peak=False, url="http://127.0.0.1:1"), None) as made:
        yield made


def mistake_of(call: Callable[[], object]) -> tuple[ConfigError | ConfigErrors, int]:
    """What the call raises, and the line in which it stands."""
    with pytest.raises((ConfigError, ConfigErrors)) as caught:
        call()
    return caught.value, call.__code__.co_firstlineno


def test_a_good_call_goes_through():
    """Ints are floats too; what takes any object takes it."""
    assert Thing().work("/x", times=1, rate=2, headers={}, value=b"", quick=True) == "/x"
    assert Thing().part("a", other=Thing()) == "a"


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ({"time": 1}, "unknown argument 'time'", "did you mean times?"),
        ({"zzz": 1}, "unknown argument 'zzz'", "allowed here: headers, path, quick, rate, times, value"),
        ({"times": "5"}, "times='5' must be a whole number or None", ""),
        ({"times": 1.0}, "times=1.0 must be a whole number or None", ""),
        ({"times": True}, "times=True must be a whole number or None", ""),
        ({"times": 0}, "times=0 must be a whole number of at least 1", ""),
        ({"rate": b"1"}, "rate=b'1' must be a number or text or None", ""),
        ({"rate": "10 parsecs"}, "rate=: '10 parsecs': 'parsecs' does not fit", ""),
        ({"rate": 0}, "rate=0 must be more than 0", ""),
        ({"headers": [("a", "b")]}, "headers=[('a', 'b')] must be a mapping or None", ""),
        ({"quick": 1}, "quick=1 must be True or False", ""),
        ({"headers": "x" * 50}, "headers='xxxxxxxxxxxx...xxxxxxxxxxxxx' must be a mapping or None", ""),
    ],
)
def test_a_mistake_is_at_the_callers_line(arguments, message, hint):
    """File, line and function, then what is wrong, then what to do."""
    error, at = mistake_of(lambda: Thing().work(**arguments))
    assert error.place == (HERE, at, "work()")
    assert error.message.startswith(message)
    assert error.hint == hint


def test_a_call_that_does_not_fit():
    """Too many arguments, too few, one given twice: in Python's words."""
    for call, words in (
        (
            lambda: Thing().work("/", 5),
            "too many positional arguments\n  pass by name: times, rate, headers",
        ),
        (lambda: Thing().work("/", path="/"), "multiple values for argument 'path'"),
        (lambda: Thing().part(), "missing a required argument: 'name'"),
        (lambda: Thing().part("a", other="b"), "other='b' must be a Thing or None"),
    ):
        with pytest.raises(ConfigError, match=words):
            call()


def test_a_file_elsewhere_is_shown_whole(monkeypatch, tmp_path):
    """As pytest does, where the test runs in another folder, or in one that is gone."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert mistake_of(lambda: Thing().work(times=0))[0].place.file == __file__
    folder.rmdir()
    assert mistake_of(lambda: Thing().work(times=0))[0].place.file == __file__


def test_a_mistake_elsewhere_stays_there():
    """One of a file keeps its place; several all get one; an error that is none of the caller's stays what it is."""
    with pytest.raises(ConfigError, match=r"^gomem.yaml:3 services: is wrong"):
        Thing().work(value="file")
    several, at = mistake_of(lambda: Thing().work(value="several"))
    assert [error.place for error in several.errors] == [
        (HERE, at, "work().gogc"),
        (HERE, at, "work().x"),
    ]
    with pytest.raises(TypeError, match="unsupported operand"):
        Thing().work(value="ours")


def test_calls_of_our_own_have_no_line(monkeypatch):
    """A fixture of ours that launches a service is no line of a user."""
    monkeypatch.setitem(globals(), "__name__", "pytest_gomem.plugin.fixtures")
    with pytest.raises(ConfigError) as caught:
        Thing().work(times=0)
    assert caught.value.place == Place()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s: s.load("/x", request=5), "load(): unknown argument 'request'\n  did you mean requests?"),
        (lambda s: s.load("/x", requests="5"), "load(): requests='5' must be a whole number or None"),
        (
            lambda s: s.load("/x"),
            "load(): no amount of work is given\n  fixed work is requests=1000; an open loop",
        ),
        (lambda s: s.load("/x", requests=5, rate=1), "load(): requests= cannot go with rate= or duration="),
        (lambda s: s.get("/x", json=1, body=b""), "get(): body= and json= are both given"),
        (lambda s: s.get("/x", timeout="5 s", header={}), "get(): unknown argument 'header'\n  did you mean headers?"),
        (lambda s: s.post(5), "post(): path=5 must be text"),
        (lambda s: s.stream("/x", max_body=5), "stream(): unknown argument 'max_body'\n  "),
        (lambda s: s.phase("x", op=5), "phase(): unknown argument 'op'\n  did you mean ops?"),
        (lambda s: s.phase("x", ops=0), "phase(): ops=0 must be a whole number of at least 1"),
        (lambda s: s.count("5"), "count(): n='5' must be a whole number"),
        (lambda s: s.log(tail="5"), "log(): tail='5' must be a whole number or None"),
    ],
)
def test_what_tests_call_is_checked(service, call, words):
    """The words of a service's functions, whole."""
    with pytest.raises(ConfigError) as caught:
        call(service)
    assert str(caught.value).startswith(f"{HERE}:{call.__code__.co_firstlineno} {words}")


def test_editors_see_the_parameters():
    """Signature and docstring are those of the function itself."""
    parameters = inspect.signature(Service.load).parameters
    assert [*parameters][:6] == ["self", "path", "requests", "rate", "duration", "connections"]
    assert all(p.kind is not p.VAR_KEYWORD for p in parameters.values())
    assert Service.load.__doc__.startswith("Many requests")
