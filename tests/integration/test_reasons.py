"""Why a line allocates: notes of the compiler on real programs, modules of real binaries, commits of repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from looking import is_running, line_of

from pytest_gomem.attribution.between import culprits_between
from pytest_gomem.attribution.causes import Notes
from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.attribution.modules import ModuleChange, module_changes
from pytest_gomem.attribution.origin import Through
from pytest_gomem.base import processes as commands
from pytest_gomem.base.processes import output_within
from pytest_gomem.config.services import BuildSpec
from pytest_gomem.diagnosis.reasons import Reasons
from pytest_gomem.git.repository import line_change
from pytest_gomem.launch.build import BinaryInfo, binary_info, build_once
from pytest_gomem.launch.launched import Built
from pytest_gomem.launch.sides import Source
from pytest_gomem.launch.toolchain import Toolchain
from pytest_gomem.pprof.read import parse_profile

BEFORE = """package main

import "os"

type page struct{ bytes [256]byte }

func fill(p *page) { p.bytes[0] = byte(len(os.Args)) }

func render(n int) int {
	var p page
	fill(&p)
	return n + int(p.bytes[0])
}

func main() { os.Exit(render(len(os.Args)) & 1) }
"""
# The page is handed on through an interface, whose methods the compiler cannot see into; and defer ends the inlining.
AFTER = """package main

import "os"

type page struct{ bytes [256]byte }

type filler interface{ fill(*page) }

type byArgs struct{}

func (byArgs) fill(p *page) { p.bytes[0] = byte(len(os.Args)) }

var with filler = byArgs{}

func render(n int) int {
	defer func() { n++ }()
	var p page
	with.fill(&p)
	return n + int(p.bytes[0])
}

func main() { os.Exit(render(len(os.Args)) & 1) }
"""


def built(folder, source, info=None, **more):
    """A module of one main.go, as a service is built from it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go.mod").write_text("module example.com/app\n\ngo 1.21\n")
    (folder / "main.go").write_text(source)
    return Built(folder / "app", info or BinaryInfo(), Source(BuildSpec(".", **more), (), folder))


def culprit(line, function="main.render", leaf=""):
    return Culprit(function, "main.go", line, "live_heap", 0, 10, 1, 1.0, "allocated 10 B", leaf=leaf)


def texts(kind, found):
    return [cause.text for cause in found.causes if cause.kind == kind]


@pytest.mark.usefixtures("go")
def test_what_escapes_now_and_is_no_longer_inlined(tmp_path):
    """Two versions of a program: one side tells that it escapes and why, two sides what is new."""
    new, base = built(tmp_path / "new", AFTER), built(tmp_path / "base", BEFORE)
    line = line_of(AFTER, "var p page")
    reasons = Reasons()
    (alone,), troubles = reasons.explained([culprit(line)], new)
    assert troubles == ()
    assert texts("escape", alone) == ["`p` escapes to the heap, since it is passed to with.fill"]
    assert texts("inlining", alone) == []
    (found,), _ = reasons.explained([culprit(line)], new, base)
    assert texts("escape", found) == ["`p` now escapes to the heap, since it is passed to with.fill"]
    (inlining,) = texts("inlining", found)
    assert inlining.startswith("render is no longer inlined: ")
    assert found.reason == "allocated 10 B"
    (other_way,), _ = reasons.explained([culprit(line_of(BEFORE, "var p page"))], base, new)
    assert other_way.causes == ()


@pytest.mark.usefixtures("go")
def test_a_value_whose_size_alone_changed_escapes_as_before(tmp_path):
    """It is not named as what is new; beside it one that the other build has not is."""
    before = "package main\n\nvar a, b []byte\n\nfunc main() {\n\ta = make([]byte, 1000)\n}\n"
    after = before.replace("1000)", "2000)\n\tb = make([]byte, 3000)")
    new, base = built(tmp_path / "new", after), built(tmp_path / "base", before)
    for source, twin, words in ((after, base, "escapes"), (after.replace("2000", "1000"), base, "now escapes")):
        (tmp_path / "new" / "main.go").write_text(source)
        line = line_of(source, "3000" if words == "now escapes" else "2000")
        (found,), _ = Reasons().explained([culprit(line, "main.main")], new, twin)
        assert texts("escape", found)[0].split("` ")[1].startswith(f"{words} to the heap"), source


# What stands behind "//" is why the line allocates.
SHAPES = """package main

import "os"

type node struct {
	next *node
	name string
}

var (
	nodes []*node
	table = map[string]*node{}
	sent  = make(chan *node, 1)
	sink  any
)

//go:noinline
func keep(values ...any) { sink = values } // `values` escapes to the heap, since `sink` keeps it

func shapes(n int, a, b string) func() int {
	nodes = append(nodes, &node{}) // `&node{}` escapes to the heap, since it is appended to `nodes`
	table[a] = &node{name: b}      // `&node{...}` escapes to the heap, since `table[a]` keeps it
	table[a+b] = nil               // `a + b` escapes to the heap, since it is a key of a map
	sent <- new(node)              // `new(node)` escapes to the heap, since it is sent over a channel
	keep(a + b)                    // the slice of variadic arguments escapes to the heap, since it is passed to keep
	if n > 3 {
		panic("too many") //
	}
	count := n                 // `count` escapes to the heap, since a closure captures it
	return func() int { count++; return count } // the function literal escapes to the heap, since it is returned
}

func main() { os.Exit(shapes(len(os.Args), "a", "b")() & 1) }
"""


@pytest.mark.usefixtures("go")
def test_each_way_to_the_heap_is_told_once_and_in_words(tmp_path):
    """No clause says the same twice; what allocates nothing, or only in a panic, is no reason."""
    new = built(tmp_path, SHAPES)
    reasons = Reasons(seconds=120)
    for number, line in enumerate(SHAPES.splitlines(), 1):
        code, mark, why = line.partition(" // ")
        if mark or line.endswith("//"):
            (found,), troubles = reasons.explained([culprit(number, "main.shapes")], new)
            assert troubles == ()
            assert (texts("escape", found) or [""])[0] == why, code


@pytest.mark.usefixtures("go")
def test_the_lines_notes_are_not_of_what_a_callee_allocates(tmp_path):
    """A buffer of bufio has no reason in a string concatenation of the line that called it; the commit stays one."""
    new = built(tmp_path, SHAPES)
    line = line_of(SHAPES, "table[a+b]")
    for leaf, count in (("", 1), ("bufio.NewReaderSize", 0)):
        (found,), _ = Reasons(seconds=120).explained([culprit(line, "main.shapes", leaf)], new)
        assert len(texts("escape", found)) == count


@pytest.mark.usefixtures("go")
def test_the_builds_own_flags_decide(tmp_path):
    """With the user's -gcflags=-l nothing is inlined, and the notes say so; a tag chooses the file."""
    plain = BEFORE.replace("return n", "kept = &p\n\treturn n").replace("func fill", "var kept *page\n\nfunc fill")
    line = line_of(plain, "var p page")
    (found,), troubles = Reasons(seconds=120).explained(
        [culprit(line)], built(tmp_path, plain, flags=("-gcflags=all=-l", "-trimpath"), tags=("none",))
    )
    assert troubles == ()
    assert texts("escape", found) == ["`p` escapes to the heap, since `kept` keeps it"]


@pytest.mark.usefixtures("go")
def test_a_slow_compiler_holds_nothing_up(tmp_path):
    """It is ended with its children when the time is over, and a note says so; a later window asks anew."""
    go = tmp_path / "slow-go"
    go.write_text(f"#!/bin/sh\nsleep 98 &\necho $! > {tmp_path}/child\nsleep 99\n")
    go.chmod(0o755)
    one = built(tmp_path / "app", BEFORE)
    slow = Built(one.binary, one.info, Source(BuildSpec("."), (), tmp_path / "app", Toolchain(str(go), "", "", "", "")))
    reasons = Reasons(seconds=1.0)
    started = time.monotonic()
    for _ in range(3):
        (found,), troubles = reasons.explained([culprit(9)], slow)
        assert found == culprit(9)
        assert "took longer than" in troubles[0]
    assert time.monotonic() - started < 90  # far from 3 times 99 s
    assert_ends(int((tmp_path / "child").read_text()))
    go.unlink()
    go.symlink_to(shutil.which("go"))
    patient = Reasons(seconds=60)
    assert "no time was left" in str(patient.notes(slow, "main", -1.0))
    assert isinstance(patient.notes(slow, "main", 60.0), Notes)


@pytest.mark.parametrize("end", ["exit 0", "sleep 99"])
def test_children_that_outlive_the_command_are_ended_too(tmp_path, monkeypatch, end):
    """They hold its pipes, so that it has not answered whole: the group ends with the time, whoever leads it."""
    monkeypatch.setattr(commands, "_runners", [])  # another test's run may be open in this process
    command = ["sh", "-c", f"sleep 97 & echo $! > {tmp_path}/child; {end}"]
    with pytest.raises(TimeoutError, match="longer than"):
        output_within(0.5, command, tmp_path, os.environ)
    assert_ends(int((tmp_path / "child").read_text()))


def assert_ends(pid):
    """A killed process closes its pipes a moment before it is gone."""
    deadline = time.monotonic() + 30
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.usefixtures("go")
def test_source_that_does_not_compile(tmp_path):
    """The compiler's own last word, and the culprit as it was."""
    broken = built(tmp_path, "package main\n\nfunc main() { nothing() }\n")
    (found,), troubles = Reasons().explained([culprit(3)], broken)
    assert found.causes == ()
    assert "undefined: nothing" in troubles[0]


DEP = """package dep

import (
	"bufio"
	"strings"
)

func Open() *bufio.Reader { return bufio.NewReaderSize(strings.NewReader(""), SIZE) }

func Keep() { go hold(); <-opened }

var opened = make(chan *bufio.Reader)

func hold() {
	reader := Open()
	opened <- reader
	select {}
}
"""
APP = """package main

import (
	"bufio"
	"os"
	"runtime/pprof"

	"example.com/dep"
)

var kept []*bufio.Reader

func open() { kept = append(kept, dep.Open()) }

func main() {
	for i := 0; i < 200; i++ {
		open()
		dep.Keep()
	}
	pprof.WriteHeapProfile(os.Stdout)
}
"""


@pytest.fixture(scope="module")
def two_versions(go, tmp_path_factory):
    """Build information and a heap profile of a program linked with two versions of a module, which buffers more."""
    folder = tmp_path_factory.mktemp("modules")

    def made(version, size):
        dep, app = folder / version, folder / f"app-{version}"
        dep.mkdir()
        (dep / "go.mod").write_text("module example.com/dep\n\ngo 1.21\n")
        (dep / "dep.go").write_text(DEP.replace("SIZE", str(size)))
        app.mkdir()
        (app / "go.mod").write_text(
            f"module example.com/app\n\ngo 1.21\n\nrequire example.com/dep {version}\n\n"
            f"replace example.com/dep => ../{version}\n"
        )
        (app / "main.go").write_text(APP)
        binary = build_once("app", BuildSpec("."), app, folder / "bin")
        env = {**os.environ, "GODEBUG": "memprofilerate=1"}
        return binary_info(binary), parse_profile(subprocess.run([binary], env=env, capture_output=True).stdout)

    return made("v1.0.0", 1 << 10), made("v1.1.0", 8 << 10)


def test_the_module_whose_version_changed(two_versions):
    """Named for the user's line that calls it, and for the line of its own goroutine; Go allocates in both."""
    (before, base), (now, head) = two_versions
    (change,) = changes = module_changes(now.versions, before.versions)
    assert change == ModuleChange("example.com/dep", "v1.0.0 => ../v1.0.0 (devel)", "v1.1.0 => ../v1.1.0 (devel)")
    found = culprits_between("live_heap", (head,), (base,), now.module, there="there", changes=changes).culprits
    line, through = line_of(APP, "dep.Open()"), line_of(DEP, "func Open")
    assert [(c.function, c.file, c.line, c.leaf, c.module_change) for c in sorted(found, key=lambda c: -c.line)] == [
        ("main.open", "main.go", line, "bufio.NewReaderSize", change),
        ("example.com/dep.Open", "example.com/dep/dep.go", through, "bufio.NewReaderSize", change),
    ]
    assert [c.through for c in sorted(found, key=lambda c: -c.line)] == [
        Through("example.com/dep.Open", "example.com/dep/dep.go", through, "example.com/dep"),
        None,
    ]
    assert [change.text for change in module_changes({"go": "go1.26"}, {"go": "go1.25"})] == [
        "Go changed from go1.25 to go1.26"
    ]


class Repository:
    """A git repository of one file, on branch `wider` of main."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        self.commit("one\ntwo\nthree\n", "Begin")
        self.git("checkout", "-q", "-b", "wider")

    def git(self, *words: str) -> str:
        env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        command = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *words]
        done = subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, text: str, subject: str) -> str:
        (self.folder / "main.go").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", subject)
        return self.git("rev-parse", "HEAD")


def test_the_commit_of_this_branch_that_touched_the_line(tmp_path):
    """Nothing for a line that the default branch has too, and for what git does not know."""
    repository = Repository(tmp_path / "app")
    commit = repository.commit("one\nTWO\nthree\n", "Grow the buffer")
    file = repository.folder / "main.go"
    assert line_change(file, 2, 20) == f"it was changed by {commit[:12]} (Grow the buffer) on branch wider"
    assert line_change(file, 1, 20) == ""
    file.write_text("ONE\nTWO\nthree\n")
    assert line_change(file, 1, 20) == "it is changed in the working tree, and not committed"
    assert line_change(file, 99, 20) == ""
    untracked = repository.folder / "new.go"
    untracked.write_text("package main\n")
    assert line_change(untracked, 1, 20) == ""
    alone = tmp_path / "alone.go"
    alone.write_text("package main\n")
    assert line_change(alone, 1, 20) == ""
    shallow = tmp_path / "shallow"
    repository.git("clone", "-q", "--depth=1", f"file://{repository.folder}", str(shallow))
    assert line_change(shallow / "main.go", 2, 20) == ""


def test_the_change_of_a_line_stands_in_its_reason(tmp_path):
    """The file of a culprit is found below the module, or beside its package main."""
    repository = Repository(tmp_path / "app")
    commit = repository.commit(BEFORE, "Render pages")
    (found,), _ = Reasons().explained([culprit(line_of(BEFORE, "var p page"))], built(repository.folder, BEFORE))
    assert texts("git", found) == [f"it was changed by {commit[:12]} (Render pages) on branch wider"]
