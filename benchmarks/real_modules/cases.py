"""Owns the cases: services that use a module whose memory got worse between two versions, by public reports.

Each case is a folder here: a service and its test. The module is the only thing that differs between good and bad.
The expressions that tell the library's function score the benchmark, and pytest-gomem never sees them.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from common import API_YAML, Project

HERE = Path(__file__).parent
GO_MOD = "module example.com/{name}\n\ngo 1.22\n\nrequire {module} {version}\n"
IGNORED = "*.json\n__pycache__/\ngomem_baselines/\n"
ME = ("-c", "user.name=a", "-c", "user.email=a@example.com")


@dataclass(frozen=True)
class Case:
    """A module in two versions, which of its functions is to be named, and where the defect was reported.

    function: an expression that is found in the name of the function. leaks: whether goroutines are what stays.
    """

    name: str
    module: str
    good: str
    bad: str
    function: str
    what: str
    report: str
    leaks: bool = False

    def is_guilty(self, text: str | None) -> bool:
        """Whether the library's function is in this name of a function, or text."""
        return re.search(self.function, text or "") is not None


CASES = (
    Case(
        "client_golang",
        "github.com/prometheus/client_golang",
        "v1.11.1",
        "v1.11.0",
        r"prometheus\.(newHistogram|MakeLabelPairs|\(\*metricMap\)\.getOrCreateMetric)",
        "a metric of its own for each method that somebody sends",
        "https://github.com/advisories/GHSA-cg3q-j54f-5p7p",
    ),
    Case(
        "gocron",
        "github.com/go-co-op/gocron/v2",
        "v2.16.3",
        "v2.16.2",
        r"\(\*scheduler\)\.addOrUpdateJob",
        "the context of each job that could not be set up",
        "https://github.com/go-co-op/gocron/issues/857",
    ),
    Case(
        "go_redis",
        "github.com/redis/go-redis/v9",
        "v9.11.0",
        "v9.12.0",
        r"pool\.NewConnWithBufferSize",
        "a megabyte of buffers for each connection",
        "https://github.com/redis/go-redis/issues/3465",
    ),
    Case(
        "jwt",
        "github.com/golang-jwt/jwt/v5",
        "v5.2.2",
        "v5.2.1",
        r"\(\*Parser\)\.ParseUnverified",
        "a string for each dot of a token",
        "https://github.com/golang-jwt/jwt/security/advisories/GHSA-mh63-6h87-95cp",
    ),
    Case(
        "otel",
        "go.opentelemetry.io/otel",
        "v1.30.0",
        "v1.29.0",
        r"global\.\(\*meter\)\.(Int64Counter|Float64Histogram)",
        "an instrument each time that the same one is asked for, as long as there is no provider",
        "https://github.com/open-telemetry/opentelemetry-go/issues/5753",
    ),
    Case(
        "websocket",
        "nhooyr.io/websocket",
        "v1.8.4",
        "v1.8.5",
        r"websocket\.(\(\*mu\)\.forceLock|\(\*msgWriterState\)\.close)",
        "a goroutine of each connection that was closed",
        "https://github.com/coder/websocket/issues/231",
        leaks=True,
    ),
)


@dataclass(frozen=True)
class Versions:
    """A case as a project with two commits, the good version and then the bad one; the files are those of the last."""

    project: Project

    @classmethod
    def of(cls, case: Case, folder: Path) -> Versions:
        """Write both commits; go.mod and go.sum are completed with what a build of each takes from the module proxy."""
        source = HERE / case.name
        made = cls(Project(folder, (source / "test_it.py").read_text(), API_YAML))
        for file in source.glob("*.go"):
            (folder / file.name).write_text(file.read_text())
        (folder / ".gitignore").write_text(IGNORED)
        made._call("git", "init", "--quiet")
        for version in (case.good, case.bad):
            text = GO_MOD.format(name=case.name, module=case.module, version=version)
            (folder / "go.mod").write_text(text)
            (folder / "go.sum").unlink(missing_ok=True)
            made._call("go", "list", "-mod=mod", "-deps", ".")
            made._call("git", "add", "--all")
            made._call("git", *ME, "commit", "--quiet", f"--message={case.module} {version}")
        made._call("git", "tag", "bad")
        made._call("git", "tag", "good", "HEAD^")
        return made

    def turn(self, to: str) -> None:
        """Have the files of `good` or `bad`."""
        self._call("git", "checkout", "--quiet", to)

    def _call(self, *command: str) -> None:
        subprocess.run(
            command, cwd=self.project.folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
