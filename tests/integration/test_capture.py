"""Profiles of a service that does not answer as it should: bounded in time, and told in words."""

from __future__ import annotations

import contextlib

import pytest

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe.endpoint import PprofEndpoint
from pytest_gomem.pprof.read import parse_profile

LISTEN = ["--listen", "127.0.0.1:{port}", "--admin", "127.0.0.1:{port:admin}"]


@pytest.mark.parametrize(
    ("how", "seconds", "words"),
    [
        ("slow", 0.5, "got no whole answer within 0.5 s"),
        ("endless", 0.5, "got no whole answer within 0.5 s"),
        ("cut", 30.0, "answer cut off"),
    ],
)
def test_an_answer_that_does_not_come_whole(binaries, launch, until, how, seconds, words):
    """Silence, a trickle without end and a cut connection each end in an error, and the endpoint stays usable."""
    service = launch(binary=str(binaries("profiled")), args=[*LISTEN, "--broken", how], ready={"http": "/healthz"})
    url = f"http://127.0.0.1:{service.ports['admin']}/debug/pprof"
    with contextlib.closing(PprofEndpoint(url, timeout=seconds)) as pprof:
        with pytest.raises(ObserveError, match=words):
            pprof.heap_profile()
        until(lambda: tells_memstats(pprof))


def tells_memstats(pprof):
    """Whether it answers in its time, which is short where machines stall."""
    pprof.silence.forget()
    with contextlib.suppress(ObserveError):
        return pprof.memstats().num_gc >= 0
    return False


def test_a_whole_answer_comes_unchanged(binaries, launch):
    """Heap and goroutine profiles are what the service sent, and parse."""
    service = launch(binary=str(binaries("profiled")), args=LISTEN, ready={"http": "/healthz"})
    url = f"http://127.0.0.1:{service.ports['admin']}/debug/pprof"
    with contextlib.closing(PprofEndpoint(url)) as pprof:
        assert [kind.type for kind in parse_profile(pprof.goroutine_profile()).sample_types] == ["goroutine"]
        assert len(parse_profile(pprof.heap_profile()).sample_types) == 4
