"""Who holds the memory of a real program, by the reader of heap dumps: one program that keeps the same in many ways."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_gomem.retention import reading
from pytest_gomem.retention.model import Holder, HolderKind, Retention
from pytest_gomem.retention.reader_program import reader_program
from pytest_gomem.retention.reading import read_dump

KEPT, GROWTH = 200 * 4096, 100 * 4096  # bytes that each way keeps at the end, and that it has kept since the first dump
SESSIONS = r"main\.session x N, \[\]uint8 x N"
HELD = {  # kind, the root by a pattern, and the path
    "map": ("global", r"global main\.cache \(map\[string\]\*main\.session\)", SESSIONS),
    "map of interfaces": ("global", r"global main\.plugins \(map\[string\]interface \{\}\)", SESSIONS),
    "substrings": ("global", r"global main\.prefixes \(\[\]string\)", r"string x N"),
    "subslices": ("global", r"global main\.windows \(\[\]\[\]uint8\)", r"\[\]uint8 x N"),
    "contexts": ("global", r"global main\.lifetime \(context\.Context\)", rf"context\.cancelCtx x \d+, .*{SESSIONS}"),
    "channel": ("global", r"global main\.events \(chan main\.session\)", r"\[\]uint8 x N"),
    "sync.Map": ("global", r"global main\.users \(sync\.Map\)", SESSIONS),
    "list and map": ("global", r"global main\.recent \(\*main\.lru\)", rf"container/list\.Element x N, {SESSIONS}"),
    "generic array": ("global", r"global main\.history \(main\.ring\[\*main\.session\]\)", SESSIONS),
    "linked list": ("global", r"global main\.latest \(\*main\.chained\)", rf"main\.chained x N, {SESSIONS}"),
    "closures": ("global", r"global main\.handlers \(\[\]func\(\) int\)", rf"func main\.keep\.func1 x N, {SESSIONS}"),
    "two globals": (
        "several",
        r"global main\.(inOrder|byID) \(.*\) and global main\.(byID|inOrder) \(.*\)",
        SESSIONS,
    ),
    "blocked": (
        "goroutine",
        r"200 goroutines in chan send at main\.deliver \(main\.go:\d+\), created by main\.keep",
        SESSIONS,
    ),
    "local map": (
        "goroutine",
        r"20 goroutines in select at main\.collect \(main\.go:\d+\), created by main\.keep",
        rf"(map\[int\]\*main\.session x \d+, )?{SESSIONS}",
    ),
    "timers": ("timer", r"200 pending timers of func main\.keep\.func2", rf"func main\.keep\.func2 x N, {SESSIONS}"),
    "finalizers": ("finalizer", r"finalizer main\.keep\.func3 of main\.handle", rf"(main\.handle x N, )?{SESSIONS}"),
}


class Read(NamedTuple):
    last: Retention
    growth: Retention
    answers: str


@pytest.fixture(scope="module")
def read(binaries, tmp_path_factory) -> Read:
    folder = tmp_path_factory.mktemp("held")
    binary, before, after = binaries("held"), folder / "before", folder / "after"
    subprocess.run([binary, before, after], check=True, timeout=60)
    texts = []
    with pytest.MonkeyPatch.context() as patch:
        understood = reading.retention_from_json
        patch.setattr(reading, "retention_from_json", lambda said: texts.append(json.dumps(said)) or understood(said))
        last, growth = read_dump(after, binary, most=30), read_dump(after, binary, base=before, most=30)
    return Read(last, growth, "".join(texts))


def held(found: Retention, way: str) -> Holder:
    kind, root, _ = HELD[way]
    (one,) = (holder for holder in found.holders if re.fullmatch(root, holder.root))
    assert one.kind is HolderKind(kind)
    return one


@pytest.mark.parametrize("way", HELD)
def test_each_way_to_keep_memory_is_called_what_it_is(read, way):
    holder = held(read.last, way)
    assert holder.retained == pytest.approx(KEPT, rel=0.08)
    path = ", ".join(f"{step.type} x {step.count}" for step in holder.path)
    assert re.fullmatch(HELD[way][2].replace("x N", "x 200"), path), path


@pytest.mark.parametrize("way", HELD)
def test_growth_is_what_the_first_dump_has_not(read, way):
    holder = held(read.growth, way)
    assert holder.retained == pytest.approx(GROWTH, rel=0.08)
    assert holder.share == pytest.approx(holder.retained / read.growth.new_bytes)
    path = ", ".join(f"{step.type} x {step.count}" for step in holder.path)
    assert re.fullmatch(HELD[way][2].replace("x N", "x 100"), path), path


def test_what_a_pool_keeps_is_in_it(read):
    (pool,) = (holder for holder in read.last.holders if holder.kind is HolderKind.POOL)
    assert (pool.root, pool.name, pool.type) == ("sync.Pool main.buffers", "main.buffers", "sync.Pool")
    assert 50 <= pool.path[-1].count <= 110
    assert pool.path[-1].type == "[4096]uint8"


def test_what_only_a_cleanup_keeps_has_no_holder(read):
    if int(read.last.go_version.split(".")[1]) < 24:
        pytest.skip("runtime.AddCleanup came with Go 1.24")
    (none,) = (holder for holder in read.last.holders if holder.kind is HolderKind.NONE)
    assert none.root == "no holder in the dump"
    assert none.retained == pytest.approx(KEPT, rel=0.08)
    assert [(step.type, step.count) for step in none.path[-2:]] == [("main.session", 200), ("[]uint8", 200)]


def test_goroutines_are_counted_with_the_line_where_they_stand(read):
    blocked = held(read.last, "blocked")
    assert (blocked.count, blocked.function, blocked.state) == (200, "main.deliver", "chan send")
    assert (blocked.created_by, Path(blocked.file).name) == ("main.keep", "main.go")
    assert str(blocked.line) in blocked.root


def test_sampled_objects_have_the_line_that_allocated(read):
    (site, *_) = held(read.last, "map").sites
    assert (site.function, Path(site.file).name) == ("main.newSession", "main.go")
    assert "func newSession(" in Path(site.file).read_text().splitlines()[site.line - 1]
    assert site.count > 1


def test_live_objects_are_counted_by_type(read):
    known = read.last.types
    assert known["main.handle"].count == 200
    assert known["container/list.Element"].count == 200
    assert (known["main.chained"].count, known["main.chained"].new) == (200, None)
    assert read.growth.types["main.chained"].new == 100
    assert read.last.typed_objects > 0.95
    assert read.last.typed_bytes > 0.95
    assert read.last.go_version.startswith("go1.")


def test_no_answer_has_contents_of_the_heap(read):
    assert len(read.answers) > 1000
    assert "s3cret" not in read.answers
    assert "session 1" not in read.answers


def test_a_broken_dump_is_a_sentence_with_its_place(binaries, tmp_path):
    program = reader_program(tmp_path)
    (tmp_path / "dump").write_bytes(b"go1.7 heap dump\n\x06\x00")
    command = [program, "-binary", binaries("held"), tmp_path / "dump"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "the heap dump ends in the middle of its parameters, at byte 18\n"
    done = subprocess.run([program, tmp_path / "dump"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: heapreader -binary PROGRAM")
