"""What a load may be asked to do, and that it reaches the driver unchanged."""

from __future__ import annotations

import json
import os
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.errors import ConfigError, LoadError
from pytest_gomem.load.connection import address, content
from pytest_gomem.load.failures import failure_kind, refuse_forked
from pytest_gomem.load.spec import (
    LoadRecord,
    LoadSpec,
    record_from_message,
    record_to_message,
    spec_from_message,
    spec_to_message,
)

URL = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ({}, "no amount of work is given"),
        ({"requests": 1, "rate": 1}, "cannot go with"),
        ({"requests": 1, "duration": 1}, "cannot go with"),
        ({"rate": 1}, "rate= is given alone"),
        ({"duration": 1}, "duration= is given alone"),
        ({"requests": 0}, "requests=0"),
        ({"requests": 1, "connections": 0}, "connections=0"),
        ({"rate": 0, "duration": 1}, "rate=0 must be more than 0"),
        ({"rate": 1, "duration": "10 parsecs"}, "duration=: '10 parsecs'"),
        ({"rate": -1, "duration": 1}, "rate=: -1"),
        ({"rate": float("nan"), "duration": 1}, "rate=: nan"),
        ({"rate": float("inf"), "duration": 1}, "rate="),
        ({"requests": 1, "timeout": 0}, "timeout=0 must"),
        ({"requests": 1, "body": b"x", "json": {}}, "body= and json="),
        ({"requests": 1, "json": {1, 2}}, "json=: "),
    ],
)
def test_an_impossible_load_is_refused(amount, words):
    """What cannot be driven is a ConfigError that names the argument."""
    with pytest.raises(ConfigError) as caught:
        LoadSpec.of(URL, "/", **amount)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("amount", "planned"),
    [
        ({"requests": 7}, 7),
        ({"rate": 100, "duration": "10s"}, 1000),
        ({"rate": "6000/min", "duration": "0.5min"}, 3000),
        ({"rate": 0.1, "duration": 30}, 3),
        ({"rate": 0.1, "duration": 1}, 1),
    ],
)
def test_the_planned_number_of_requests(amount, planned):
    """Fixed work is its number; an open loop sends rate x duration, at least one."""
    assert LoadSpec.of(URL, "/", **amount).planned == planned


def test_connections_unless_given():
    """Fixed work runs on one connection; an open loop has room for requests that take longer than its interval."""
    assert LoadSpec.of(URL, "/", requests=5).connections == 1
    assert LoadSpec.of(URL, "/", rate=5, duration=1).connections > 1
    assert LoadSpec.of(URL, "/", rate=5, duration=1, connections=1).connections == 1


def test_content_of_a_request():
    """Text is sent as UTF-8, JSON with its content type, unless the user names another one."""
    assert content("ä", None, None) == ("ä".encode(), {})
    assert content(None, {"a": 1}, {"X": "y"}) == (b'{"a": 1}', {"X": "y", "Content-Type": "application/json"})
    assert content(None, [], {"content-type": "application/ld+json"}) == (
        b"[]",
        {"content-type": "application/ld+json"},
    )


@pytest.mark.parametrize("base", ["http://h:1", "http://h:1/"])
@pytest.mark.parametrize("path", ["x?u=http://other", "/x?u=http://other"])
def test_an_address_has_one_slash(base, path):
    """Base and path meet in exactly one slash, whoever wrote it."""
    assert address(base, path) == "http://h:1/x?u=http://other"


def test_a_path_below_a_base_path():
    """A base with a path keeps it, and an empty path asks for its root."""
    assert address("http://h:1/api/", "/x") == "http://h:1/api/x"
    assert address("http://h:1", "") == "http://h:1/"


@pytest.mark.parametrize(("base", "path"), [("127.0.0.1:80", "/"), ("ftp://h", "/"), ("http://h", "http://h/x")])
def test_what_is_no_address_is_refused(base, path):
    """A base without http(s) and a whole URL in place of a path are mistakes, not requests to a strange host."""
    with pytest.raises(ConfigError):
        address(base, path)


@given(
    st.builds(
        LoadSpec,
        url=st.just(URL),
        path=st.text(st.characters(exclude_characters=":")),
        body=st.none() | st.binary(),
        headers=st.dictionaries(st.text(), st.text()).map(MappingProxyType),
        requests=st.integers(1, 10**9),
        connections=st.integers(1, 1000),
    )
)
def test_a_spec_reaches_the_driver_unchanged(spec):
    """A load written as a JSON line and read back is the same load."""
    assert spec_from_message(json.loads(json.dumps(spec_to_message(spec)))) == spec


@given(
    st.builds(
        LoadRecord,
        requests=st.integers(0),
        errors=st.integers(0),
        duration=st.floats(0, 1e6),
        latencies=st.lists(st.floats(0, 1e6)).map(tuple),
        rate_asked=st.none() | st.floats(0, 1e6),
        statuses=st.lists(st.tuples(st.text(), st.integers(0))).map(tuple),
        rate_achieved=st.none() | st.floats(0, 1e6),
    )
)
def test_a_record_comes_back_unchanged(record):
    """A record written as a JSON line and read back is the same record, every latency to the last bit."""
    assert record_from_message(json.loads(json.dumps(record_to_message(record)))) == record


def test_an_unknown_failure_keeps_its_own_words():
    """A failure without a kind of its own is told by the system's words, or else by its class."""
    assert failure_kind(OSError(24, "Too many open files")) == "Too many open files"
    assert failure_kind(RuntimeError("x")) == "RuntimeError"


def test_another_process_may_not_send():
    """Only the process that made a client uses it."""
    refuse_forked(os.getpid())
    with pytest.raises(LoadError, match="forked"):
        refuse_forked(os.getpid() + 1)
