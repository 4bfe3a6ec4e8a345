"""The agent of a program that ends: what it is asked beforehand, and what is read of its answers, whole or torn."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe.agent.answers import Answers
from pytest_gomem.observe.agent.unasked import RECORD, Kept, Unasked, requests

SETTINGS = (
    b'{"go_version":"go1.26","goos":"linux","goarch":"amd64","gomaxprocs":2,"gogc":-1,"gomemlimit":5,"godebug":"",'
    b'"profile_rate":524288,"manual_gc":0}'
)


def answer(request: str, body: bytes, status: str = "ok") -> bytes:
    return f"{request}\n{status} {len(body):012}\n".encode() + body


def recorded(folder: Path, *answers: bytes) -> Unasked:
    (folder / RECORD).write_bytes(b"".join(answers))
    return Unasked(folder)


@pytest.mark.parametrize("kept", [frozenset(), frozenset({Kept.HEAP}), frozenset(Kept)])
def test_figures_are_read_before_what_disturbs_them(kept):
    """At the end MemStats come first, and what is kept last. A peak is watched from the start."""
    path, _, asked = requests(Path("/f"), ["/a", "/b"], kept).partition("\n")
    now, _, at_end = asked.partition("\n\n")
    assert path == f"/f/{RECORD}"
    trace = ["trace\tstart\t/f/trace\t67108864\t600.0"] if Kept.TRACE in kept else []
    assert now.split("\n") == ["settings", *trace, *(["peak\tstart\t/f/peak"] if Kept.PEAK in kept else [])]
    at_end = at_end.removeprefix("trace\tstop\n") if trace else at_end
    figures = ["memstats", "metrics\t/a\t/b", "settings", "cycles\t0"]
    assert at_end.split("\n")[:4] == figures
    peak = ["gc\tonce", "peak\tlook"] if Kept.PEAK in kept else []
    heap = ["profile\theap\tgc"] if Kept.HEAP in kept else []
    assert at_end.split("\n")[4:] == [*peak, *heap, *(["goroutines"] if Kept.GOROUTINES in kept else [])]


def test_the_last_of_two_answers_counts(tmp_path):
    """Settings are asked for at the start, for a program that is killed, and again at the end."""
    at_end = SETTINGS.replace(b"-1", b"50")
    assert Answers(recorded(tmp_path, answer("settings", SETTINGS))).settings().gogc is None
    found = Answers(recorded(tmp_path, answer("settings", SETTINGS), answer("settings", at_end))).settings()
    assert (found.gogc, found.gomemlimit) == (50, 5)


def test_a_missing_answer_and_a_refusal_have_their_reasons(tmp_path):
    """What the agent never came to, what it refused, and a program in which it never started."""
    some = recorded(tmp_path, answer("settings", SETTINGS), answer("peak\tlook", b"not started", "no"))
    assert some.has_started
    with pytest.raises(ObserveError, match="no answer came"):
        some.ask("memstats")
    with pytest.raises(ObserveError, match="the agent of the program: not started"):
        some.ask("peak", "look")
    assert not Unasked(tmp_path / "none").has_started


bodies = st.dictionaries(st.from_regex(r"[a-z]+(\t[a-z0-9/:]+)?", fullmatch=True), st.binary(max_size=40), max_size=4)


@given(bodies=bodies, cut=st.integers(0, 300))
def test_of_a_torn_record_the_whole_answers_count(bodies, cut, tmp_path_factory):
    """Wherever a kill cuts it off: what was written whole is read as it was, whatever its bytes are."""
    folder = tmp_path_factory.getbasetemp()
    record = [answer(request, body) for request, body in bodies.items()]
    read = recorded(folder, b"".join(record)[:cut])
    written = 0
    for (request, body), text in zip(bodies.items(), record, strict=True):
        written += len(text)
        if written <= cut:
            assert read.ask(*request.split("\t")) == body
        else:
            with pytest.raises(ObserveError):
                read.ask(*request.split("\t"))
