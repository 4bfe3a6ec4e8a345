"""What the heap reader answers, as frozen data."""

from __future__ import annotations

import pytest

from pytest_gomem.retention.model import AllocationSite, HolderKind, ObjectCount, Step, retention_from_json

ANSWER = {
    "go_version": "go1.26.8",
    "objects": 1000,
    "bytes": 4_000_000,
    "typed_objects": 0.97,
    "typed_bytes": 0.99,
    "holders": [
        {
            "kind": "global",
            "root": "global main.cache (map[string]*main.Session)",
            "name": "main.cache",
            "type": "map[string]*main.Session",
            "retained": 3_100_000,
            "share": 0.775,
            "objects": 601,
            "path": [{"type": "[]uint8", "count": 300, "retained": 3_000_000}],
            "sites": [{"function": "main.handler", "file": "/src/main.go", "line": 21, "count": 12}],
        }
    ],
    "types": [
        {"type": "main.Session", "count": 300, "bytes": 9600},
        {"type": "main.Sessions", "count": 1, "bytes": 48},
        {"type": "[]uint8", "count": 300, "bytes": 3_000_000},
    ],
}


def test_an_answer_is_read():
    """The kind, the path and the sites come as records."""
    found = retention_from_json(ANSWER)
    holder = found.holders[0]
    assert (holder.kind, holder.retained, holder.count) == (HolderKind.GLOBAL, 3_100_000, 1)
    assert holder.path == (Step("[]uint8", 300, 3_000_000),)
    assert holder.sites == (AllocationSite("main.handler", "/src/main.go", 21, 12),)
    assert (found.live_objects, found.live_bytes, found.new_bytes) == (1000, 4_000_000, None)


def test_holders_of_certain_types_stand_apart():
    """By their glob, and what changes holders changes these too."""
    found = retention_from_json({**ANSWER, "of": [{"type": "*Session", "holders": ANSWER["holders"]}]})
    assert found.of == {"*Session": found.holders}
    assert len(found.every_holder) == 2
    assert found.with_holders(lambda holders: holders[:0]).every_holder == ()


def test_objects_are_counted_by_a_glob_of_their_type():
    """A glob adds up all types that it matches."""
    found = retention_from_json(ANSWER)
    assert found.objects("main.Session") == ObjectCount(300, 9600)
    assert found.objects("main.*") == ObjectCount(301, 9648)
    assert found.objects("main.Other") == ObjectCount(0, 0)


@pytest.mark.parametrize("broken", [{}, {**ANSWER, "holders": [{"kind": "moon"}]}, {**ANSWER, "types": [1]}])
def test_another_answer_is_an_error(broken):
    """The caller can tell a broken reader from an empty heap."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        retention_from_json(broken)
