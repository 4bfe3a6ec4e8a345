"""The reader of execution traces: traces of each Go release, broken ones, and what its failures become."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from trace_truth import wrong

import pytest_gomem
from pytest_gomem.base.errors import ObserveError, ToolchainError
from pytest_gomem.commands.cli import main
from pytest_gomem.launch import go_program
from pytest_gomem.launch.toolchain import find_toolchain
from pytest_gomem.tracing import read
from pytest_gomem.tracing.model import report_from_json
from pytest_gomem.tracing.read import read_trace
from pytest_gomem.tracing.reader_program import VERSIONS, version_for

READER = Path(pytest_gomem.__file__).parent / "tracing/reader"
RECORDED = Path(__file__).parents[1] / "recorded"
RELEASES = sorted(folder.parent.name for folder in RECORDED.glob("go*/trace.gz"))


@pytest.fixture
def trace(tmp_path):
    """Writes the recorded trace of a release, or what a function makes of it."""

    def trace(release: str, change=bytes) -> Path:
        path = tmp_path / f"{release}.trace"
        path.write_bytes(change(gzip.decompress((RECORDED / release / "trace.gz").read_bytes())))
        return path

    return trace


def test_its_module_is_the_newest_of_the_table():
    """Its Go tests run on the version that users of the newest Go get."""
    assert ((READER / "go.mod").read_text(), (READER / "go.sum").read_text()) == VERSIONS[0].module


def test_seven_releases_are_recorded():
    assert [f"go1.{minor}" for minor in range(21, 28)] == RELEASES


@pytest.mark.parametrize("release", RELEASES)
def test_a_trace_says_what_its_program_knows(go, trace, release):
    """Causes of GC starts, stops, the line of the assists, and the cycle that each belongs to."""
    truth = json.loads((RECORDED / release / "trace.json").read_text())
    assert wrong(read_trace(trace(release)), truth) == []


def test_a_trace_that_is_cut_off_is_read_until_there(go, trace):
    """With a problem that says so; nothing is known of a trace without one event."""
    whole = read_trace(trace("go1.26"))
    cut = read_trace(trace("go1.26", lambda content: content[:-40]))
    assert 0 < cut.events < whole.events
    (problem,) = cut.problems
    assert problem.startswith(f"the trace is cut off after {cut.seconds:.3f} s")
    with pytest.raises(ObserveError, match="the trace is broken: nothing could be read of it"):
        read_trace(trace("go1.26", lambda content: content[:40]))


@pytest.mark.parametrize(("content", "reason"), [(b"", "is no execution trace"), (b"go 1.26 tracf\0\0\0", "'go 1.N")])
def test_another_file_is_no_trace(go, tmp_path, content, reason):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ObserveError, match=reason):
        read_trace(tmp_path / "file")
    with pytest.raises(ObserveError, match=r"the trace cannot be read: .*No such file"):
        read_trace(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("release", "what"), [("go1.23.9", "knows those up to Go 1.25: put Go 1.24 or later"), ("go1.26.8", None)]
)
def test_a_format_that_is_too_new_says_which_go_to_take(go, trace, release, what):
    """Here by the table, without a build."""
    toolchain = replace(find_toolchain(), version=release)
    newer = trace("go1.26", lambda content: content if what else content.replace(b"go 1.26", b"go 1.99", 1))
    with pytest.raises(ObserveError, match=what or "format of Go 1.99, and .*: update pytest-gomem"):
        read_trace(newer, toolchain=toolchain)


def test_a_go_that_is_too_old_says_so():
    with pytest.raises(ToolchainError, match=r"needs Go 1.21 or later to be built, and this is go1\.20\.14"):
        version_for("go1.20.14")
    assert version_for("devel go1.99-abc") == version_for("devel +abc") == VERSIONS[0]


def test_without_its_module_it_says_where_that_comes_from(go, trace, tmp_path, monkeypatch):
    """Go's own words, then ours; the user's proxy holds here too."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    monkeypatch.setenv("GOPROXY", "off")
    reason = r"GOPROXY=off(?s:.*)golang.org/x/exp v0.0.0-\d+-\w+ from your Go module"
    with pytest.raises(ObserveError, match=reason):
        read_trace(trace("go1.26"))
    monkeypatch.setattr(go_program, "_build", None)  # it is not tried again
    with pytest.raises(ObserveError, match=reason):
        read_trace(trace("go1.26"))


def test_a_trace_that_takes_too_much_is_given_up(go, trace, monkeypatch):
    monkeypatch.setattr(read, "_MEMORY", 1 << 20)
    with pytest.raises(ObserveError, match="the trace takes more than 1 MB of memory to read"):
        read_trace(trace("go1.26", lambda content: content + bytes(1 << 24)))


def test_the_command_prints_what_a_trace_says(go, trace):
    """As a text, and all of it as JSON; names of a trace are printable."""
    out, err = StringIO(), StringIO()
    path = trace("go1.27")
    assert main(["trace", str(path), "--top", "2"], out, err) == 0
    text = out.getvalue()
    assert re.search(r"^GC cycles by cause\n(?s:.*)^  goroutine leak profile +1 ", text, re.MULTILINE)
    assert re.search(r"^  read mem stats +1 ", text, re.MULTILINE)
    assist = r" main\.allocate \S+/traced/main\.go:\d+  \S+ \w+ after cycle \d began \(heap goal\)$"
    assert re.search(assist, text, re.MULTILINE)
    out = StringIO()
    assert main(["trace", str(path), "--json"], out, err) == 0
    assert report_from_json(json.loads(out.getvalue())) == read_trace(path, most=10)
    assert err.getvalue() == ""


@pytest.mark.parametrize(("file", "reason"), [("nothing", "No such file or directory"), ("", "is no regular file")])
def test_the_command_says_what_is_wrong(go, tmp_path, file, reason):
    out, err = StringIO(), StringIO()
    assert main(["trace", str(tmp_path / file)], out, err) == 2
    assert re.fullmatch(rf"gomem trace: the trace cannot be read: .*{reason}\n", err.getvalue())
