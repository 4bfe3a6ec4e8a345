"""Owns what the benchmarks share: compiled subjects, pytest projects in temporary folders, tables and exit statuses."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_gomem.config.services import BuildSpec
from pytest_gomem.launch.build import build_once

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ROOT / "tests" / "programs"
GO_SERVICE = ROOT / "examples" / "go_service"
LISTEN = ("--listen", "127.0.0.1:{port}", "--admin", "127.0.0.1:{port:admin}")
MB, MIB = 10**6, 2**20
MOST_LINES = 20
TIMEOUT = 600.0  # seconds until a pytest run is given up
BUILT = os.environ.get("GOMEM_BENCHMARK_PROGRAMS")  # a folder that keeps what is built for the next benchmark
# Of a service that is built from the project's own folder.
API_YAML = """version: 1
services:
  api:
    build: .
    args: ["--listen", "127.0.0.1:{port}"]
    ready: {http: /healthz, timeout: 30s}
"""


def small_asked(doc: str | None) -> bool:
    """Whether the script was called with --small; --help prints its docstring."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="one small instance, for CI")
    return bool(parser.parse_args().small)


@contextlib.contextmanager
def workshop() -> Iterator[Path]:
    """A temporary folder, also the TMPDIR of what is started meanwhile, so that a killed pytest leaves nothing."""
    with tempfile.TemporaryDirectory(prefix="gomem-benchmark-", ignore_cleanup_errors=True) as folder:
        before = os.environ.get("TMPDIR")
        os.environ["TMPDIR"] = folder
        try:
            yield Path(folder)
        finally:
            os.environ.pop("TMPDIR")
            os.environ.update({} if before is None else {"TMPDIR": before})


def program(name: str, folder: Path) -> Path:
    """The binary of a program in tests/programs."""
    return build_once(name, BuildSpec(f"./{name}"), PROGRAMS, Path(BUILT or folder / "bin"))


def go_service(folder: Path) -> Path:
    """The binary of the example service."""
    return build_once("go_service", BuildSpec("."), GO_SERVICE, Path(BUILT or folder / "bin"))


def service_yaml(binary: Path, args: Sequence[str] = LISTEN, more: str = "") -> str:
    """A gomem.yaml with the service `api`; `more`: further lines, such as another service."""
    return (
        f"version: 1\nservices:\n  api:\n    binary: {binary}\n    args: {json.dumps(list(args))}\n"
        f"    ready: {{http: /healthz, timeout: 30s}}\n{textwrap.indent(textwrap.dedent(more), '  ')}"
    )


@dataclass(frozen=True)
class Outcome:
    """What a pytest run printed, its exit status and its JSON report."""

    text: str
    status: int
    report: dict[str, Any]

    def windows(self, test: str) -> list[dict[str, Any]]:
        """The windows of all tests whose function has this name."""
        tests = self.report.get("tests", [])
        named = [one for one in tests if one["nodeid"].rpartition("::")[2].partition("[")[0] == test]
        return [window for one in named for window in one["windows"]]


@dataclass(frozen=True)
class Project:
    """A pytest project in a folder of its own: test_it.py, gomem.yaml if there is one, and given.json for the tests."""

    folder: Path
    tests: str
    yaml: str | None = None
    given: Mapping[str, object] = field(default_factory=dict)
    conftest: str = ""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "pytest.ini").write_text("[pytest]\n")
        (self.folder / "given.json").write_text(json.dumps(self.given))
        (self.folder / "test_it.py").write_text(textwrap.dedent(self.tests))
        (self.folder / "conftest.py").write_text(textwrap.dedent(self.conftest))
        if self.yaml is not None:
            (self.folder / "gomem.yaml").write_text(self.yaml)

    @property
    def command(self) -> list[str]:
        """The pytest of this interpreter."""
        without = ("no:cacheprovider", "no:hypothesispytest", "no:benchmark")  # slow to load, and nothing of ours
        return [sys.executable, "-m", "pytest", *(f"-p{name}" for name in without)]

    def run(self, *args: str) -> Outcome:
        """Run pytest here, whatever its outcome."""
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        done = subprocess.run(
            [*self.command, *args, "--gomem-json", str(report)],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
        )
        return Outcome(done.stdout, done.returncode, json.loads(report.read_text()) if report.exists() else {})

    def passed(self, *args: str) -> Outcome:
        """Run pytest here; a failed run ends the benchmark with what it printed."""
        outcome = self.run(*args)
        if outcome.status:
            raise SystemExit(f"the benchmark's own tests failed:\n{outcome.text}")
        return outcome

    def figures(self) -> Any:
        """What the tests left in figures.json."""
        return json.loads((self.folder / "figures.json").read_text())


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table: the first column to the left, figures to the right."""
    cells = [list(map(str, row)) for row in (head, *rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    print(f"\n{title}")
    for first, *others in cells:
        figures = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *figures]).rstrip())


def verdict(missed: Sequence[str], *, enforced: bool = True) -> int:
    """Print which limits were missed; the exit status: 1 if one was, unless they are not enforced in this run."""
    for line in missed[:MOST_LINES]:
        print(f"MISSED: {line}")
    if len(missed) > MOST_LINES:
        print(f"... and {len(missed) - MOST_LINES} more")
    if not missed:
        print("every limit is kept")
    return 1 if missed and enforced else 0


def mb(size: float) -> str:
    """Bytes as MB."""
    return f"{size / MB:.2f} MB"


def ms(seconds: float) -> str:
    """Seconds as ms."""
    return f"{seconds * 1e3:.1f} ms"
