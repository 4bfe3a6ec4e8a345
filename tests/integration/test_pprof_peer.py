"""Equality with `go tool pprof`, to the byte: on profiles of a real Go program and on any that can be written."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from array import array
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from looking import pprof_tool

from pytest_gomem.load.connection import Request
from pytest_gomem.load.http_client import HttpClient
from pytest_gomem.observe.endpoint import PprofEndpoint
from pytest_gomem.pprof.aggregate import aggregate, diff
from pytest_gomem.pprof.merge import merge
from pytest_gomem.pprof.model import Binary, Function, Label, Line, Location, Profile, ValueType, pack
from pytest_gomem.pprof.read import read_profile
from pytest_gomem.pprof.write import compressed

GO_SERVICE = Path(__file__).parents[2] / "examples" / "go_service"
PROGRAM = Path(__file__).parents[2] / "benchmarks" / "typecheck"
HEAP_TYPES = ("alloc_objects", "alloc_space", "inuse_objects", "inuse_space")
pytestmark = pytest.mark.usefixtures("go")
ROW = re.compile(r"^\s*(\S+)\s+\S+%\s+\S+%\s+(\S+)\s+\S+%  (.*?)(?: \((?:partial-)?inline\))?$")


def peer(*args):
    """Flat and cum by name, and the total, as `go tool pprof` prints them."""
    exact = ("-unit=B", "-nodefraction=0", "-nodecount=0", "-symbolize=none")
    run = subprocess.run([pprof_tool(), "-top", *exact, *map(str, args)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    head, _, body = run.stdout.partition("cum%\n")
    total = int(re.search(r"of (\d+)B? total", head)[1])
    rows = {}
    for line in body.splitlines():
        flat, cum, name = ROW.match(line).groups()
        assert name not in rows
        rows[name] = (int(flat.removesuffix("B")), int(cum.removesuffix("B")))
    return rows, total


def ours(table):
    return {str(row.frame): (row.flat, row.cum) for row in table.rows}, table.total


@pytest.fixture(scope="module")
def captured(go, tmp_path_factory):
    """Heap profiles of a program that checks more packages from one to the next, and the text form of the last."""
    folder = tmp_path_factory.mktemp("captured")
    env = {**os.environ, "CGO_ENABLED": "0", "GODEBUG": "memprofilerate=2048"}
    subprocess.run(["go", "build", "-o", folder / "typecheck", "."], cwd=PROGRAM, env=env, check=True)
    for name, packages in (("base", "strconv"), ("new", "strconv,strings")):
        command = [folder / "typecheck", "-packages", packages, "-profile", folder / name, "-text", folder / "text"]
        subprocess.run(command, cwd=PROGRAM, env=env, check=True)
    return folder


@pytest.mark.parametrize("sample", HEAP_TYPES)
def test_a_captured_profile_in_every_sample_type(captured, sample):
    """Each function's flat and cum, and the total, are those of `go tool pprof`."""
    rows, total = ours(aggregate(read_profile(captured / "new"), sample))
    assert len(rows) > 50
    assert (rows, total) == peer(f"-sample_index={sample}", captured / "new")


@pytest.mark.parametrize("sample", HEAP_TYPES)
def test_the_difference_of_captured_profiles(captured, sample):
    """So are the differences to a base."""
    table = diff(read_profile(captured / "base"), read_profile(captured / "new"), sample)
    assert ours(table) == peer(f"-sample_index={sample}", "-diff_base", captured / "base", captured / "new")


def test_profiles_of_the_example(launch, binaries, tmp_path):
    """Heap profiles that a service sent, in every sample type: flat, cum, total, and the difference of the two."""
    listen = ["--listen", "127.0.0.1:{port}", "--admin", "127.0.0.1:{port:admin}"]
    service = launch(binary=str(binaries("go_service")), args=listen, ready={"http": "/healthz"}, profile_rate=4096)
    with (
        contextlib.closing(HttpClient(f"http://127.0.0.1:{service.ports['']}")) as client,
        contextlib.closing(PprofEndpoint(f"http://127.0.0.1:{service.ports['admin']}/debug/pprof")) as pprof,
    ):
        for name, paths in (("before", ["/idle"]), ("after", ["/logs/leaky", "/buffers/leaky", "/encode/fresh"])):
            for path in paths:
                assert client.request(Request("GET", path)).ok
            (tmp_path / name).write_bytes(pprof.heap_profile())
    before, after = (read_profile(tmp_path / name) for name in ("before", "after"))
    for sample in HEAP_TYPES:
        rows, total = ours(aggregate(after, sample))
        assert any(name.startswith("main.") for name in rows)
        assert (rows, total) == peer(f"-sample_index={sample}", tmp_path / "after")
        differences = peer(f"-sample_index={sample}", "-diff_base", tmp_path / "before", tmp_path / "after")
        assert ours(diff(before, after, sample)) == differences


def test_the_default_sample_type_of_a_captured_profile(captured):
    """Without --sample both choose the same type."""
    assert ours(aggregate(read_profile(captured / "new"))) == peer(captured / "new")


def test_a_captured_profile_by_line(captured):
    """So are the values of each line."""
    assert ours(aggregate(read_profile(captured / "new"), by="line")) == peer("-lines", captured / "new")


@pytest.mark.parametrize(
    ("focus", "ignore"), [("go/types", ""), ("", r"^runtime\."), (r"Checker\)\.expr", r"scanner\.go$|\.stmt$")]
)
def test_focus_and_ignore_on_captured_profiles(captured, focus, ignore):
    """So are the values of the samples that -focus and -ignore choose; the total stays that of all samples."""
    asked = [f"-{name}={value}" for name, value in (("focus", focus), ("ignore", ignore)) if value]
    base, new = (read_profile(captured / name) for name in ("base", "new"))
    table = aggregate(new, "alloc_space", focus=focus, ignore=ignore)
    assert 10 < len(table.rows) < len(aggregate(new, "alloc_space").rows)
    assert ours(table) == peer("-sample_index=alloc_space", *asked, captured / "new")
    difference = diff(base, new, "inuse_space", focus=focus, ignore=ignore)
    pair = ("-diff_base", captured / "base", captured / "new")
    assert ours(difference) == peer("-sample_index=inuse_space", *asked, *pair)


def test_what_we_write_is_read_by_the_peer(captured, tmp_path):
    """A profile that was merged and written by us has the sums for `go tool pprof` too."""
    one, two = read_profile(captured / "base"), read_profile(captured / "new")
    (tmp_path / "merged").write_bytes(compressed(merge([one, two])))
    assert ours(aggregate(merge([one, two]))) == peer(tmp_path / "merged")
    assert peer(tmp_path / "merged") == peer(captured / "base", captured / "new")


def test_the_text_form_equals_the_binary_one(captured):
    """`heap?debug=1` gives the same figures, but leaves out type arguments and some functions of the runtime."""
    both = [read_profile(captured / name) for name in ("text", "new")]
    for sample in HEAP_TYPES:
        text, binary = (ours(aggregate(profile, sample))[0] for profile in both)
        names = text.keys() | binary.keys()
        of_program = {name for name in names if "[" not in name and "runtime" not in name.partition(".")[0]}
        assert len(of_program) > 50
        for column in (0, 1):  # the two are taken one after the other: a few bytes may have come or gone
            sums, others = ({name: form[name][column] for name in of_program} for form in (text, binary))
            assert sums == pytest.approx(others, rel=1e-3, abs=16)


functions = st.builds(
    Function,
    st.sampled_from(["main.main", "main.work", "main.(*T).Get[go.shape.int]", "runtime.mallocgc", "operator()(int)"]),
    st.just(""),
    st.sampled_from(["/src/a.go", "/src/b.go", ""]),
    st.integers(0, 3),
)
locations = st.builds(
    Location,
    st.sampled_from([Binary(0x400000, 0x800000, 0, "/srv/app", "abc", True, True, True, True), None]),
    st.integers(0x400000, 0x400010),
    st.lists(st.builds(Line, functions, st.integers(0, 20), st.integers(0, 2)), max_size=3).map(tuple),
    st.booleans(),
)
TYPES = (ValueType("objects", "count"), ValueType("space", "bytes"), ValueType("samples", "count"))
LABELS = ((), (Label("bytes", None, 16, ""),), (Label("who", "me", 0, ""),))


@st.composite
def profiles(draw, types):
    """A profile with recursion, inlined calls, code without symbols, dropped frames and ids of all sizes."""
    ids = draw(st.lists(st.one_of(st.integers(1, 9), st.integers(100, 2**24)), min_size=1, max_size=6, unique=True))
    values = st.tuples(*[st.integers(0, 2**40)] * len(types))
    stacks = st.lists(st.sampled_from(ids), max_size=6)
    samples = draw(st.lists(st.tuples(stacks, values, st.sampled_from(LABELS)), max_size=10))
    columns = zip(*(held for _, held, _ in samples), strict=True) if samples else [()] * len(types)
    return Profile(
        types,
        [pack(stack) for stack, _, _ in samples],
        tuple(array("q", column) for column in columns),
        [labels for _, _, labels in samples],
        {number: draw(locations) for number in ids},
        default_sample_type=draw(st.sampled_from(["", "objects"])),
    )


pairs = st.integers(1, 3).flatmap(lambda count: st.tuples(profiles(TYPES[:count]), profiles(TYPES[:count])))


# No shrinking: each example starts the peer twice, and a failure would take minutes to become smaller.
@settings(
    max_examples=25,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    pairs, st.sampled_from(["", "main", r"a\.go", "srv", "Get"]), st.sampled_from(["", "work", r"b\.go", "mallocgc"])
)
def test_any_profile(captured, tmp_path, pair, focus, ignore):
    """Whatever can be written: both read the same flat, cum and total out of it, and the same difference."""
    for name, made in zip(("base", "new"), pair, strict=True):
        (tmp_path / name).write_bytes(compressed(made))
    base, new = (read_profile(tmp_path / name) for name in ("base", "new"))
    asked = [f"-{name}={value}" for name, value in (("focus", focus), ("ignore", ignore)) if value]
    assert ours(aggregate(new, focus=focus, ignore=ignore)) == peer(*asked, tmp_path / "new")
    pair_of_files = ("-diff_base", tmp_path / "base", tmp_path / "new")
    assert ours(diff(base, new, focus=focus, ignore=ignore)) == peer(*asked, *pair_of_files)
