"""Shows the first five minutes: `gomem init --yes` in repositories of six shapes, then the two commands that it prints.

The repositories are public modules, fetched by `go mod download`. A module's archive holds no vendor folder and no
workspace, so these two shapes are assembled: `go mod vendor`, and a go.work over two modules. The gRPC server is taken
out of a module of many examples. Each becomes a git repository of one commit.

- init: what `gomem init --yes` took, with the build of the program, and the program that it chose.
- asked: questions under --yes, and in a terminal where Enter is the answer to each (it is not tried there).
- first: the first `pytest`, and whether it was green without an edit of anything.
- second: `gomem selftest`, and whether every gate rang; for a program that ends by itself `gomem compare HEAD`.

Limits: 5 of 6 are green at first, and for each service that is, every gate rings.

    python benchmarks/first_run.py [--small]

--small: a module of this repository, without the second command.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import GO_SERVICE, TIMEOUT, small_asked, table, verdict, workshop

GOMEM = [sys.executable, "-c", "from pytest_gomem.commands.cli import run; run()"]
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
HTTPBIN = "github.com/mccutchen/go-httpbin/v2@v2.26.0"
WEBSOCKET = "github.com/gorilla/websocket@v1.5.3"
GRPC_EXAMPLES = "google.golang.org/grpc/examples@v0.0.0-20260825154716-030ee8becb20"
GRPC_MOD = "module google.golang.org/grpc/examples\n\ngo 1.25.0\n\nrequire google.golang.org/grpc v1.81.1\n"
ENOUGH = 5
QUESTION = re.compile(r"\[(?:1|Y/n)\] $")


@dataclass(frozen=True)
class Shape:
    """A kind of repository, what it is made of, and how it is made in a folder."""

    name: str
    source: str
    make: Callable[[Path], None]


def downloaded(module: str) -> Path:
    """The folder of a module in Go's module cache."""
    done = command(["go", "mod", "download", "-json", module], Path.cwd())
    return Path(json.loads(done.stdout)["Dir"])


def command(words: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """What a command that prepares a repository printed; a failed one ends the benchmark."""
    done = subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed in {folder}:\n{done.stdout}{done.stderr}")
    return done


def copied(source: Path, folder: Path) -> None:
    """The module as one may change it: the cache is read-only."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)


def module(name: str) -> Callable[[Path], None]:
    """The module as it is."""
    return lambda folder: copied(downloaded(name), folder)


def workspace(folder: Path) -> None:
    """Two modules under one go.work."""
    copied(downloaded(HTTPBIN), folder / "httpbin")
    copied(downloaded(WEBSOCKET), folder / "websocket")
    (folder / "go.work").write_text("go 1.26.0\n\nuse (\n\t./httpbin\n\t./websocket\n)\n")


def vendored(name: str) -> Callable[[Path], None]:
    """The module with its dependencies in it."""

    def make(folder: Path) -> None:
        copied(downloaded(name), folder)
        command(["go", "mod", "vendor"], folder)

    return make


def grpc_alone(folder: Path) -> None:
    """The server and client of the first example, as a module of their own."""
    copied(downloaded(GRPC_EXAMPLES) / "helloworld", folder / "helloworld")
    (folder / "go.mod").write_text(GRPC_MOD)
    command(["go", "mod", "tidy"], folder)


def go_service(folder: Path) -> None:
    """The example of this repository, without its gomem.yaml and tests."""
    folder.mkdir()
    for path in (*GO_SERVICE.glob("*.go"), GO_SERVICE / "go.mod"):
        shutil.copy(path, folder)


SHAPES = (
    Shape("workspace", "go-httpbin, websocket", workspace),
    Shape("several mains", "client_golang", module("github.com/prometheus/client_golang@v1.25.0")),
    Shape("CLI only", "gofumpt", module("mvdan.cc/gofumpt@v0.12.0")),
    Shape("gRPC only", "grpc/examples helloworld", grpc_alone),
    Shape("vendor", "smokescreen", vendored("github.com/stripe/smokescreen@v0.1.0")),
    Shape("variables", "local-kms", module("github.com/nsmithuk/local-kms@v0.0.0-20260228092603-2a5e92d09ab6")),
)
SMALL = (Shape("flags", "examples/go_service", go_service),)


@dataclass(frozen=True)
class First:
    """What came of one repository: seconds, what was chosen, questions in a terminal, and the outcomes."""

    shape: Shape
    program: str
    init: float
    questions: int
    pytest: float
    green: bool
    second: float | None
    rang: str
    text: str


def first_run(shape: Shape, parent: Path, *, small: bool) -> First:
    """Make the repository, and do there what a newcomer does."""
    folder = parent / re.sub(r"\W", "_", shape.name)
    shape.make(folder)
    for words in (("init", "--quiet"), ("add", "--all", "--force"), ("commit", "--quiet", "--message=all")):
        command([*GIT, *words], folder)
    before = set(command(["git", "ls-files"], folder).stdout.splitlines())
    questions = asked(folder)
    seconds, init = timed([*GOMEM, "init", "--yes"], folder)
    text = init.stdout
    added = command(["git", "status", "--short"], folder).stdout.splitlines()
    if init.returncode == 0 and added != ["?? gomem.yaml", "?? test_memory.py"]:
        raise SystemExit(f"gomem init wrote something else than its two files among {len(before)}: {added}")
    program = next((line.split()[1].rstrip(",") for line in text.splitlines() if line.startswith("program ")), "none")
    after = [shlex.split(line) for line in text.partition("next:\n")[2].splitlines()]
    if init.returncode or len(after) != 2:
        return First(shape, program, seconds, questions, 0.0, False, None, "-", text)
    took, done = timed([sys.executable, "-m", *after[0]], folder)
    green, text = done.returncode == 0, text + done.stdout
    if small or not green:
        return First(shape, program, seconds, questions, took, green, None, "-", text)
    took_second, done = timed([*GOMEM, *after[1][1:]], folder)
    words = " ".join(after[1][1:-1])
    rang = f"{words}: {'fine' if done.returncode == 0 else 'status ' + str(done.returncode)}"
    return First(shape, program, seconds, questions, took, green, took_second, rang, text + done.stdout)


def timed(words: Sequence[str], folder: Path) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Seconds, and what came of it."""
    started = time.monotonic()
    done = subprocess.run(
        words,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
    )
    return time.monotonic() - started, done


def asked(folder: Path) -> int:
    """How many questions a terminal is asked; "n" to the last one, so that nothing is written."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [*GOMEM, "init"], cwd=folder, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    os.close(theirs)
    assert process.stdout is not None
    count, text = 0, ""
    try:
        while piece := os.read(process.stdout.fileno(), 4096):
            text += piece.decode(errors="replace")
            if QUESTION.search(text):
                os.write(ours, b"\n" if text.endswith("[1] ") else b"n\n")
                count, text = count + 1, ""
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        os.close(ours)
    return count


def main() -> int:
    """Print a row for each repository."""
    small = small_asked(__doc__)
    with workshop() as folder:
        found = [first_run(shape, folder, small=small) for shape in (SMALL if small else SHAPES)]
    rows = [
        (
            one.shape.name,
            one.shape.source,
            one.program,
            f"{one.init / 60:.1f} min",
            f"0, {one.questions}",
            f"{one.pytest:.0f} s",
            "green" if one.green else "RED",
            "-" if one.second is None else f"{one.second:.0f} s",
            one.rang,
        )
        for one in found
    ]
    head = ("shape", "made of", "program", "init", "asked: --yes, terminal", "first", "", "second", "outcome")
    table("the first minutes", head, rows)
    for one in found:
        if not one.green or "status" in one.rang:
            print(f"\n{one.shape.name}:\n{one.text}")
    green = sum(one.green for one in found)
    print(f"first green run without an edit: {green} of {len(found)}")
    missed = [f"{green} of {len(found)} are green at first"] if green < min(ENOUGH, len(found)) else []
    missed += [f"{one.shape.name}: {one.rang}" for one in found if "status" in one.rang]
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
