"""Building the agent in: every way of building Go, by the real go command, without a trace in the source tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from agent_programs import OBEDIENT, build, module, running

from pytest_gomem.launch.overlay import AGENT_FILE, NotInjected, Overlay, overlay_for
from pytest_gomem.launch.toolchain import find_toolchain

SMALL = 'package main\n\nimport "os"\n\nfunc main() {\n\tos.Stdin.Read(make([]byte, 1))\n}\n'
pytestmark = pytest.mark.usefixtures("go")
needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="cgo needs a C compiler")


def answers(binary, **options):
    """Whether the agent in it is at work."""
    with tempfile.TemporaryDirectory(prefix="gomem-") as folder, running(binary, Path(folder), **options) as program:
        return program.agent.ping().pid == program.process.pid


def go(*words, cwd):
    subprocess.run([find_toolchain().go, *words], cwd=cwd, check=True, capture_output=True)


def tree(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("options", "env"),
    [
        ([], {}),
        (["-trimpath"], {}),
        (["-ldflags=-s -w"], {}),
        (["-buildvcs=false", "-gcflags=-N -l"], {}),
        ([], {"CGO_ENABLED": "0"}),
        pytest.param(["-race"], {}, marks=needs_gcc),
    ],
)
def test_ways_to_build(tmp_path, options, env):
    """The agent is in, and works, however the service is built; the source tree stays as it was."""
    source = module(tmp_path / "src", SMALL)
    before = tree(source)
    assert answers(build(".", source, tmp_path / "out", *options, env=env))
    assert tree(source) == before


@needs_gcc
def test_a_program_with_cgo(tmp_path):
    """Files with import "C" stand beside the agent's."""
    source = module(tmp_path / "src", SMALL)
    (source / "c.go").write_text('package main\n\n// int three() { return 3; }\nimport "C"\n\nvar three = C.three()\n')
    assert answers(build(".", source, tmp_path / "out", env={"CGO_ENABLED": "1"}))


def test_a_build_tag_that_makes_the_program(tmp_path):
    """Tags of the build are those of the search for package main, in both spellings."""
    source = module(tmp_path / "src", "//go:build prod\n\n" + SMALL)
    assert answers(build(".", source, tmp_path / "out", "-tags=prod"))
    assert answers(build(".", source, tmp_path / "out", "-tags", "prod"))
    assert isinstance(overlay_for(".", source, tmp_path, find_toolchain().go, os.environ), NotInjected)


def test_a_vendored_module(tmp_path):
    """With a vendor folder and -mod=vendor."""
    module(tmp_path / "lib", "package lib\n\nvar X = 1\n", "example.com/lib")
    source = module(tmp_path / "src", SMALL.replace('import "os"', 'import (\n\t"os"\n\n\t_ "example.com/lib"\n)'))
    with (source / "go.mod").open("a") as file:
        file.write("\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ../lib\n")
    go("mod", "vendor", cwd=source)
    assert answers(build(".", source, tmp_path / "out", "-mod=vendor"))


def test_a_workspace(tmp_path):
    """In a go.work, from its root and by an import path."""
    module(tmp_path / "lib", "package lib\n\nvar X = 1\n", "example.com/lib")
    module(
        tmp_path / "app",
        SMALL.replace('import "os"', 'import (\n\t"os"\n\n\t_ "example.com/lib"\n)'),
        "example.com/app",
    )
    (tmp_path / "go.work").write_text("go 1.21\n\nuse (\n\t./app\n\t./lib\n)\n")
    for package in ("./app", "example.com/app"):
        assert answers(build(package, tmp_path, tmp_path / "out"))


def test_a_folder_behind_a_symlink(tmp_path):
    """The overlay names the folder as the go command does."""
    module(tmp_path / "real" / "src", SMALL)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert answers(build(".", tmp_path / "link" / "src", tmp_path / "out"))


def test_old_language_and_names_taken(tmp_path):
    """go 1.11 in go.mod, and a package main that takes for itself what the agent imports and uses."""
    names = (
        "debug errors fmt math metrics os pprof runtime strconv strings sync atomic syscall time trace min max print"
    )
    taken = "\n".join(f"var {name} = 1" for name in names.split() if name != "os")
    source = module(tmp_path / "src", SMALL + "\n" + taken + "\n", go="1.11")
    assert answers(build(".", source, tmp_path / "out"))


def test_it_is_there_before_the_programs_own_variables(tmp_path):
    """The first variable of the program's own is initialized after the agent has started and taken its own away."""
    source = module(
        tmp_path / "src",
        'package main\n\nimport "os"\n\nvar env = os.Getenv("PYTEST_GOMEM_AGENT")\n\n'
        'func main() {\n\tos.Stdout.WriteString("[" + env + "]\\n")\n\tos.Stdin.Read(make([]byte, 1))\n}\n',
    )
    with running(build(".", source, tmp_path / "out"), tmp_path) as program:
        assert program.process.stdout.readline() == "[]\n"


def test_it_links_neither_net_nor_more_than_a_megabyte(tmp_path):
    """What the agent adds to a program that uses nothing: no package net, a static binary, under 1.5 MB."""
    source = module(tmp_path / "src", SMALL)
    binary = build(".", source, tmp_path / "out")
    go("build", "-o", str(tmp_path / "plain"), ".", cwd=source)
    symbols = subprocess.run([find_toolchain().go, "tool", "nm", str(binary)], capture_output=True, text=True).stdout
    assert "main.pytestGomemStart" in symbols
    assert " net." not in symbols
    assert b"/lib64/ld-linux" not in binary.read_bytes()
    assert binary.stat().st_size - (tmp_path / "plain").stat().st_size < 1.5e6


def test_the_overlay_may_lie_in_the_source_folder(tmp_path):
    """What is made there is not taken for another file of package main."""
    source = module(tmp_path, SMALL)
    assert answers(build(".", source, source))


# Where it cannot be built in


def reason(package, cwd, out, *options, **env):
    result = overlay_for(package, cwd, out, find_toolchain().go, {**os.environ, **env}, options)
    assert isinstance(result, NotInjected)
    return result.reason


def test_reasons(tmp_path):
    """Each reason says what stood in the way."""
    source = module(tmp_path / "src", SMALL)
    module(source / "second", SMALL)
    (source / "second" / "go.mod").unlink()
    (source / "lib").mkdir()
    (source / "lib" / "lib.go").write_text("package lib\n")
    assert "matches 3 packages: name one" in reason("./...", source, tmp_path)
    assert "./lib is package lib, not main" in reason("./lib", source, tmp_path)
    assert "./none does not build" in reason("./none", source, tmp_path)
    assert "main.go is a file" in reason("main.go", source, tmp_path)
    for options in (["-overlay=mine.json"], ["-overlay", "mine.json"], ["--overlay=mine.json"]):
        assert "-overlay of its own" in reason(".", source, tmp_path, *options)
    assert "-overlay of its own" in reason(".", source, tmp_path, GOFLAGS="-mod=mod -overlay=mine.json")
    assert "no agent for windows" in reason(".", source, tmp_path, GOOS="windows")
    assert "module cache" in reason(".", source, tmp_path, GOMODCACHE=str(tmp_path))
    (source / AGENT_FILE).write_text("package main\n")
    assert "the agent needs that name" in reason(".", source, tmp_path)


def test_a_go_that_does_not_run_is_a_reason(tmp_path):
    """No exception comes from looking: the plain build will tell."""
    result = overlay_for(".", tmp_path, tmp_path, "/no/such/go", os.environ)
    assert isinstance(result, NotInjected)
    assert "/no/such/go does not run" in result.reason


def test_the_overlay_is_the_same_for_the_same_package(tmp_path):
    """Made twice, it does not differ, so that Go's build cache serves the second build."""
    source = module(tmp_path / "src", OBEDIENT)
    made = []
    for _ in range(2):
        overlay = overlay_for(".", source, tmp_path, find_toolchain().go, os.environ)
        assert isinstance(overlay, Overlay)
        text = Path(overlay.flags[0].removeprefix("-overlay=")).read_text()
        made.append((overlay, text, Path(*json.loads(text)["Replace"].values()).read_text()))
    assert made[0] == made[1]
