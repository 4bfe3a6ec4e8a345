"""Budgets on live objects: what counts, and what an unknown type of many objects leaves open."""

from __future__ import annotations

import pytest

from pytest_gomem.base.errors import Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import BYTES, COUNT
from pytest_gomem.config.budgets import parse_budget
from pytest_gomem.judge.acceptances import metric_of
from pytest_gomem.judge.figures import (
    asked_by,
    figure_metric,
    figure_of,
    figure_unit,
    figures_of,
    is_observed,
    median_of,
)
from pytest_gomem.judge.objects import TypeValue, coverage_text, judge_type, no_type, type_value
from pytest_gomem.retention.model import ObjectCount, Retention
from pytest_gomem.stats.decision import Status

TYPES = {
    "main.Session": ObjectCount(300, 9600),
    "example.com/app/main.Session": ObjectCount(2, 64),
    "[]*main.Session": ObjectCount(1, 4096),
}


def budget(limit, glob="*main.Session", metric="objects"):
    (read,) = parse_budget(metric, {glob: limit}, units={}, scope="test", place=Place())
    return read


def value(declared, *, typed=0.97, may_exist=True):
    found = Retention("go1.26", 1000, 100_000, typed, typed, types=TYPES)
    return type_value(asked_by(declared), found, may_exist=may_exist)


def judged(limit, glob="*main.Session", metric="objects", *, strict=False, **told):
    declared = budget(limit, glob, metric)
    (verdict,) = judge_type(declared, value(declared, **told), strict=strict)
    return verdict


def test_objects_and_bytes_of_all_types_of_a_glob_count():
    """Not those of slices of them."""
    assert value(budget(0)) == TypeValue("objects", "*main.Session", 302, 0.97, 30, 2)
    held = value(budget(0, metric="object_bytes"))
    assert (held.value, held.unknown, held.unit) == (9664, 3000, BYTES)


def test_a_broken_limit_names_the_type():
    """The glob is a part of the metric's name, as in every report."""
    verdict = judged(0)
    assert (verdict.status, verdict.actual) == (Status.FAIL, 302)
    assert verdict.reason == "objects[*main.Session] is 302, 302 over its limit of 0"
    assert metric_of(verdict) == "objects[*main.Session]"


@pytest.mark.parametrize(
    ("limit", "typed", "status"),
    [
        (302, 0.97, Status.PASS),
        (400, 0.85, Status.UNAVAILABLE),  # 302 to 452
        (300, 0.85, Status.FAIL),
        (452, 0.85, Status.PASS),
        ({"min": 302}, 0.85, Status.PASS),
        ({"min": 303}, 0.85, Status.UNAVAILABLE),
        ({"min": 303}, 0.97, Status.FAIL),
    ],
)
def test_objects_of_unknown_types_leave_a_verdict_open(limit, typed, status):
    """If fewer than 90% have a type, what decides must hold for none and for all of the others."""
    assert judged(limit, typed=typed).status is status


def test_a_verdict_that_is_open_says_why():
    """It fails: nobody knows that the limit is kept."""
    reason = judged(400, typed=0.85).reason
    assert reason == (
        "it is not known whether objects[*main.Session] keeps its limit of 400: "
        "85% of all objects have a known type, and 150 more may be of *main.Session"
    )


def test_no_live_object_is_no_mistake_but_no_such_type_is():
    """0 passes; a type that the program lacks is a warning, and under --gomem-strict unmeasured."""
    none = judged(0, "main.Request", strict=True)
    assert (none.status, none.actual) == (Status.PASS, 0)
    mistyped = budget(0, "*main.Sesion")
    assert judged(0, "*main.Sesion", may_exist=False).status is Status.PASS
    text = "the budget on objects of '*main.Sesion' matches no type of the program; did you mean main.Session?"
    assert no_type(value(mistyped, may_exist=False)) == text
    strict = judged(0, "*main.Sesion", may_exist=False, strict=True)
    assert (strict.status, strict.reason) == (
        Status.UNAVAILABLE,
        f"objects[*main.Sesion] is unavailable: {text}",
    )
    assert no_type(value(budget(0, "zzz.Qqqqqq"), may_exist=False)).endswith("matches no type of the program")


def test_without_a_dump_the_reason_is_told():
    """Unmeasured is not passed."""
    (verdict,) = judge_type(budget(0), Unavailable("no heap dump was taken"), strict=False)
    assert verdict.status is Status.UNAVAILABLE


def test_coverage_is_never_rounded_up_to_all():
    """100% is said of all alone."""
    assert coverage_text(value(budget(0), typed=0.99996)) == "99.9% of all objects have a known type"
    assert coverage_text(value(budget(0), typed=1.0)) == "100% of all objects have a known type"


def test_figures_of_rounds_have_names_units_and_no_interval():
    """Objects are counted, not sampled."""
    declared = budget({"max": 5, "regression": "5%"})
    values = [value(declared)]
    assert figures_of(values) == {"objects[*main.Session]": 302}
    assert figure_of(declared) == "objects[*main.Session]"
    assert is_observed("object_bytes[main.*]")
    assert figure_unit("objects[*main.Session]") is COUNT
    compared = figure_metric("objects[*main.Session]", [figures_of(values)])
    assert compared is not None
    assert (compared.sources, compared.precision) == (("a heap dump",), "")
    assert median_of([value(declared), value(declared), value(declared)]) == value(declared)
