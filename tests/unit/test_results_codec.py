"""The codec: any record comes back from JSON text as it was, and bad data is named with its place."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import calmly, sample_run

from pytest_gomem.base.units import UNITS, Unit
from pytest_gomem.results.codec import EXACT, Codec, fields_of, members_of
from pytest_gomem.results.leaves import CodecError
from pytest_gomem.results.run_record import RunRecord

_TEXT = st.text(max_size=8) | st.sampled_from(["", "nan", "日本語", "\x1b[31m", "a\nb", "\udce9"])
_LEAVES: dict[Any, st.SearchStrategy] = {
    str: _TEXT,
    bool: st.booleans(),
    int: st.integers(),
    float: st.floats() | st.floats(0, 1e12),
    date: st.dates(),
    NoneType: st.none(),
    Path: _TEXT.filter(lambda text: "\0" not in text).map(Path),
}


def anything(hint: Any, above: tuple[type, ...] = ()) -> st.SearchStrategy:
    """Values of a hint. above: the records that they are parts of; a window's base holds no base itself."""
    arguments = get_args(hint)
    if hint in _LEAVES:
        return _LEAVES[hint]
    if members_of(hint):
        return st.one_of([anything(member, above) for member in arguments if above.count(member) < 2])
    if get_origin(hint) is tuple and arguments[-1] is not Ellipsis:
        return st.tuples(*(anything(item, above) for item in arguments))
    if get_origin(hint) in (tuple, Sequence):
        most = 2 if above.count(arguments[0]) < 2 else 0
        return st.lists(anything(arguments[0], above) if most else st.nothing(), max_size=most).map(tuple)
    if get_origin(hint) is Mapping:
        return st.dictionaries(_TEXT, anything(arguments[1], above), max_size=2)
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    whole = st.builds(hint, **{field.name: anything(field.hint, (*above, hint)) for field in fields_of(hint)})
    return st.sampled_from(list(UNITS.values())) | whole if hint is Unit else whole


def through_json(codec: Codec, hint: Any, value: object) -> Any:
    """What comes back through strict JSON text in ASCII."""
    text = json.dumps(codec.encode(hint, value), allow_nan=False)
    return codec.decode(hint, json.loads(text.encode("ascii")))


@settings(max_examples=max(settings.default.max_examples // 8, 2))  # each holds records of every type
@given(anything(RunRecord))
def test_every_record_comes_back(run):
    """By their text: not-a-number equals nothing, and -0.0 equals 0.0."""
    assert repr(EXACT.decode(RunRecord, EXACT.encode(RunRecord, run))) == repr(run)
    assert repr(through_json(EXACT, RunRecord, run)) == repr(run)


def test_usual_records_come_back_equal():
    """Records as tests make them, units and all: what they share is shared again."""
    run = sample_run()
    back = through_json(EXACT, RunRecord, run)
    assert back == run
    verdicts = [verdict for test in back.tests for window in test.windows for verdict in window.verdicts]
    assert all(verdict.limit.unit is UNITS[verdict.limit.unit.name] for verdict in verdicts)


class Colour(Enum):
    RED = "red"
    NONE = 0


class Point(NamedTuple):
    x: float
    y: float = 0.0


@dataclass(frozen=True)
class Spot:
    point: Point
    size: int = 1


@dataclass(frozen=True)
class Tree:
    spots: tuple[Spot, ...]
    ways: Mapping[str, Path]
    either: Spot | Point | None = None
    value: str | int | float | None = None
    pair: tuple[str, Colour] | None = None
    branches: tuple[Tree, ...] = ()


@calmly
@given(anything(Tree))
def test_every_type_that_is_written_comes_back(tree):
    assert repr(through_json(Codec(), Tree, tree)) == repr(tree)


def test_members_of_a_union_that_look_alike_are_tagged():
    data = EXACT.encode(Tree, Tree((), {}, Point(1.5), math.inf))
    assert data["either"] == {"Point": {"x": 1.5, "y": 0.0}}
    assert data["value"] == {"float": "inf"}


def test_fields_with_a_default_may_be_missing():
    assert EXACT.decode(Spot, {"point": {"x": 1}}) == Spot(Point(1.0))


_GOOD = EXACT.encode(Tree, Tree((Spot(Point(1.0)),), {"a": Path("b")}, Point(1.0), 1, ("a", Colour.RED)))


@pytest.mark.parametrize(
    ("keys", "bad", "message"),
    [
        ((), [], r"expected an object \(Tree\), not \[\]"),
        (("spots",), {}, r"spots: expected a list, not \{\}"),
        (("spots", 0), 7, r"spots\[0\]: expected an object \(Spot\), not 7"),
        (("spots", 0, "size"), True, r"spots\[0\].size: expected a whole number, not True"),
        (("spots", 0, "point"), {"y": 1.0}, r"spots\[0\].point.x: is missing"),
        (("spots", 0, "point", "x"), "1", r"spots\[0\].point.x: expected a number, not '1'"),
        (("spots", 0, "point", "x"), 10**400, r"spots\[0\].point.x: expected a number, not 1000"),
        (("spots", 0, "point", "z"), 1, r"spots\[0\].point.z: is not known"),
        (("ways", "a"), 1, "ways.a: expected a path, not 1"),
        (("either",), {"Spot": {}, "Point": {}}, "either: expected an object with one of the keys Spot, Point, not "),
        (("either", "Point", "x"), None, "either.Point.x: expected a number, not None"),
        (("value",), 1, "value: expected an object with one of the keys str, int, float, not 1"),
        (("pair",), ["a"], r"pair: expected a list of 2, not \['a'\]"),
        (("pair", 1), "blue", r"pair\[1\]: expected one of red, 0, not 'blue'"),
        (("branches",), ["x" * 99], r"branches\[0\]: expected an object \(Tree\), not 'x{56}\.\.\.$"),
    ],
)
def test_bad_data_is_named_with_its_place(keys, bad, message):
    data = json.loads(json.dumps(_GOOD))
    assert EXACT.decode(Tree, data)
    if keys:
        inner = data
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = bad
    with pytest.raises(CodecError, match=f"^{message}"):
        EXACT.decode(Tree, data if keys else bad)


def test_a_type_that_json_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="no way to write"):
        EXACT.encode(Mapping[int, str], {1: "a"})
