"""The command `gomem retention`: what it prints of an answer of the reader, and of bad input."""

from __future__ import annotations

import io
import json
import os

import pytest

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.commands import retention
from pytest_gomem.commands.cli import main
from pytest_gomem.pprof.read import read_profile
from pytest_gomem.retention.model import AllocationSite, Holder, HolderKind, ObjectCount, Retention, Step

CACHE = Holder(
    HolderKind.GLOBAL,
    "global main.cache (map[string]*main.Session)",
    3_100_000,
    0.775,
    601,
    path=(Step("main.Session", 300, 3_060_000), Step("[]uint8", 300, 3_000_000)),
    sites=(AllocationSite("main.handler", "main.go", 21, 12),),
)
ONE = Retention(
    "go1.26.8",
    1000,
    4_000_000,
    0.97,
    0.9999,
    holders=(CACHE,),
    types={"main.Session": ObjectCount(300, 9600), "[]uint8": ObjectCount(300, 3_000_000)},
    notes=("2 goroutines could not be read",),
)
GROWN = Retention(
    "go1.26.8",
    1000,
    4_000_000,
    0.97,
    0.99,
    holders=(CACHE,),
    types={
        "main.Session": ObjectCount(300, 9600, 200, 6400),
        "[]uint8": ObjectCount(300, 3_000_000, 200, 2_000_000),
        "string": ObjectCount(7, 70, 0, 0),
    },
    new_objects=400,
    new_bytes=2_006_400,
)


@pytest.fixture
def command(monkeypatch, tmp_path):
    """Runs `gomem retention` on files that are there, with such an answer of the reader; status, out and err."""
    for name in ("api", "now.dump", "then.dump"):
        (tmp_path / name).write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)

    def command(found, *argv):
        asked = []

        def read_dump(dump, binary, **options):
            asked.append((dump.name, binary.name, options["base"] and options["base"].name))
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(retention, "read_dump", read_dump)
        out, err = io.StringIO(), io.StringIO()
        return main(["retention", *argv], out, err), out.getvalue(), err.getvalue(), asked

    return command


def test_what_one_dump_says(command):
    """Holders with path and site, a table of types, what is known, and the notes."""
    status, out, err, asked = command(ONE, "now.dump", "--binary", "api")
    assert (status, err, asked) == (0, "", [("now.dump", "api", None)])
    assert (
        out
        == """\
1000 live objects, 4.00 MB (go1.26.8)

held by
  global main.cache (map[string]*main.Session): 3.10 MB, 78% of the live heap
    -> main.Session x 300 (3.06 MB) -> []uint8 x 300 (3.00 MB); allocated at main.handler (main.go:21)

objects    bytes  type
    300  3.00 MB  []uint8
    300  9.60 kB  main.Session

97% of all objects and 99.9% of all bytes have a known type
note: 2 goroutines could not be read
"""
    )


def test_the_growth_between_two_dumps(command):
    """What is new comes first; a type that did not grow is left out."""
    status, out, _, asked = command(GROWN, "now.dump", "--binary", "api", "--base", "then.dump")
    assert (status, asked) == (0, [("now.dump", "api", "then.dump")])
    assert "new since the earlier dump: 400 objects, 2.01 MB" in out
    assert "78% of the growth" in out
    assert "        200    2.00 MB      300  3.00 MB  []uint8" in out
    assert "string" not in out.split("new objects")[1]


def test_as_json_and_as_a_profile(command, tmp_path):
    """All types, and enums by their names."""
    status, out, _, _ = command(GROWN, "now.dump", "--binary", "api", "--json", "--pprof", "held.pb.gz")
    found = json.loads(out)
    assert status == 0
    assert found["holders"][0]["kind"] == "global"
    assert found["holders"][0]["path"][1] == {"type": "[]uint8", "count": 300, "retained": 3_000_000}
    assert found["types"]["string"] == {"count": 7, "bytes": 70, "new": 0, "new_bytes": 0}
    assert found["new_bytes"] == 2_006_400
    assert sum(read_profile(tmp_path / "held.pb.gz").values[1]) == 3_100_000


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["no.dump", "--binary", "api"], "no.dump: No such file or directory"),
        (["now.dump", "--binary", "gone"], "gone: No such file or directory"),
        (["pipe", "--binary", "api"], "pipe: is not a file"),
        ([".", "--binary", "api"], "is not a file"),
        (["now.dump"], "the following arguments are required: --binary"),
        (["now.dump", "--binary", "api", "--max-objects", "0"], "0 is not a whole number above 0"),
        (["now.dump", "--binary", "api", "--pprof", "api/held"], "api/held"),
    ],
)
def test_bad_input_is_one_line(command, argv, says):
    """And status 2."""
    status, out, err, _ = command(ONE, *argv)
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_a_dump_that_cannot_be_read_says_why(command):
    """In the reader's words."""
    status, _, err, _ = command(ObserveError("the heap dump ends at byte 1234"), "now.dump", "--binary", "api")
    assert (status, err) == (2, "gomem retention: the heap dump ends at byte 1234\n")


def test_a_binary_without_debug_information_is_told(command, monkeypatch):
    """Unless a build with it is named."""
    monkeypatch.setattr(retention, "has_debug_info", lambda binary: False)
    assert "by --symbols" in command(ONE, "now.dump", "--binary", "api")[1]
    assert "by --symbols" not in command(ONE, "now.dump", "--binary", "api", "--symbols", "then.dump")[1]
