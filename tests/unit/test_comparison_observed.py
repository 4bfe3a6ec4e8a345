"""Budgets that observed rounds judge: what their figures are, and why there may be none."""

from __future__ import annotations

from types import SimpleNamespace

from report_samples import window

from pytest_gomem.base.errors import Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.comparison.observed import unmatched_globs, with_observed
from pytest_gomem.config.budgets import parse_budget
from pytest_gomem.judge.figures import asked_by
from pytest_gomem.retention.model import ObjectCount, Retention
from pytest_gomem.session.judging import Judging
from pytest_gomem.session.objects import known_types, measured_objects
from pytest_gomem.stats.decision import Status

(SESSIONS,) = parse_budget("objects", {"*main.Session": 300}, units={}, scope="test", place=Place())


def observed(count):
    """The window in an observed round whose dump has so many sessions, or a reason why there is no dump."""
    if isinstance(count, int):
        found = Retention("go1.26", 1000, 9e6, 0.97, 0.99, types={"main.Session": ObjectCount(count, 32 * count)})
    else:
        found = count
    types = known_types(measured_objects([asked_by(SESSIONS)], found, None))
    return SimpleNamespace(record=window(types=types), retention=found)


def judged(*rounds, lost=""):
    return with_observed(window(), [SESSIONS], list(map(observed, rounds)), Judging("t.py::test_a"), lost)


def test_the_median_of_the_rounds_is_judged():
    """Each round keeps its own figure, for a comparison."""
    found = judged(300, 301, 305)
    (verdict,) = found.verdicts
    assert (verdict.status, verdict.actual) == (Status.FAIL, 301)
    assert [one["objects[*main.Session]"] for one in found.observed_rounds] == [300, 301, 305]
    assert [one.value for one in found.types] == [301]


def test_what_has_no_dump_fails_with_the_reason():
    """One round without a dump leaves nothing to judge, and so do no rounds."""
    refused = Unavailable("a heap dump would take 3 GB")
    for found, reason in (
        (judged(300, refused), "no observed round has a figure: a heap dump would take 3 GB"),
        (judged(None), "no observed round has a figure: no heap dump was taken; of a program that ends by itself"),
        (judged(lost="the body failed"), "no observed round has a figure: the body failed"),
        (judged(), "no observed round has a figure: there was none"),
    ):
        (verdict,) = found.verdicts
        assert verdict.status is Status.UNAVAILABLE
        assert reason in verdict.reason


def test_a_misspelt_type_is_told(tmp_path):
    """If neither the dump nor the program has it."""
    program = tmp_path / "app"
    program.write_bytes(b"*main.Session\0")
    (mistyped,) = parse_budget("objects", {"main.Sesion": 0}, units={}, scope="test", place=Place())
    found = Retention("go1.26", 10, 320, 1.0, 1.0, types={"main.Session": ObjectCount(10, 320)})
    values = measured_objects(map(asked_by, (mistyped, SESSIONS)), found, SimpleNamespace(binary=program))
    (text,) = unmatched_globs(window(types=known_types(values)))
    assert text == "the budget on objects of 'main.Sesion' matches no type of the program; did you mean main.Session?"
