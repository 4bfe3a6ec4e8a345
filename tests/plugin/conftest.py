"""Owns the scenario that plugin tests run: a gomem.yaml, test files, and a real service. See tests/conftest.py too."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from warm_pytest import WarmPytest

from pytest_gomem.commands.cli import main
from pytest_gomem.report.json_report import report_schema

WARM = WarmPytest()
PROGRAMS = Path(__file__).parents[1] / "programs"


@dataclass(frozen=True)
class Outcome:
    """What a scenario's pytest printed, its exit status and its JSON report."""

    text: str
    status: int
    report: dict[str, Any] = field(default_factory=dict)

    def window(self, test: str, index: int = 0) -> dict[str, Any]:
        """A window of the test whose id ends so."""
        found = [t for t in self.report["tests"] if t["nodeid"].endswith(test)]
        assert found, [t["nodeid"] for t in self.report["tests"]]
        return found[0]["windows"][index]

    def value(self, test: str, metric: str) -> float | None:
        """A metric's value in the first window of a test."""
        return self.window(test)["metrics"][metric]["value"]


@dataclass(frozen=True)
class Scenario:
    """An immutable project in a folder of its own; `run` starts a real pytest on it."""

    folder: Path

    def run(self, *args: str, env: dict[str, str] | None = None) -> Outcome:
        """Run pytest there and validate the JSON report it leaves."""
        from jsonschema_rs import validator_for

        report = self.folder / "report.json"
        usual = ["-p", "no:cacheprovider", "--gomem-json", str(report)]
        status, text = WARM.run([*usual, *args], self.folder, {**os.environ, **(env or {})})
        data = json.loads(report.read_text()) if report.exists() else {}
        if data:
            validator_for(report_schema()).validate(data)
        return Outcome(text, status, data)


@pytest.fixture(scope="session", autouse=True)
def _warm() -> Iterator[None]:
    """No process is left behind."""
    yield
    WARM.close()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of the run's own, which leaves nothing in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def scenario(tmp_path: Path, binaries: Callable[..., Path]) -> Callable[..., Scenario]:
    """Write a project: the test file's text, and further YAML behind the service `api` (tests/programs/server)."""
    return _writer(tmp_path, binaries("server"))


@pytest.fixture
def dry_scenario(tmp_path: Path) -> Callable[..., Scenario]:
    """The same where no service is started: `api` is declared, and would fail."""
    return _writer(tmp_path, Path("/bin/false"))


def _writer(tmp_path: Path, server: Path) -> Callable[..., Scenario]:

    def write(
        tests: str,
        *,
        budgets: str = "",
        service: str = "",
        more_services: str = "",
        ini: str = "",
        conftest: str = "",
    ) -> Scenario:
        yaml = f"""\
version: 1
services:
  api:
    binary: {server}
    args: ["--listen", "127.0.0.1:{{port}}", "--admin", "127.0.0.1:{{port:admin}}"]
    ready: {{http: /healthz}}
{textwrap.indent(textwrap.dedent(service), "    ")}
{textwrap.indent(textwrap.dedent(more_services), "  ")}
{textwrap.dedent(budgets)}"""
        (tmp_path / "gomem.yaml").write_text(yaml)
        (tmp_path / "pytest.ini").write_text(f"[pytest]\n{textwrap.dedent(ini)}\n")
        (tmp_path / "test_it.py").write_text("import pytest\n" + textwrap.dedent(tests))
        if conftest:
            (tmp_path / "conftest.py").write_text("import pytest\n" + textwrap.dedent(conftest))
        return Scenario(tmp_path)

    return write


@pytest.fixture
def profiled(binaries):
    """Services of tests/programs/profiled: `plain` by its endpoint, `built` by the agent, others by their flags."""

    def profiled(**flags):
        start = f"binary: {binaries('profiled')}"
        services = {"plain": "", **flags}
        written = [_service(name, start, more) for name, more in services.items()]
        return "".join([*written, _service("built", f"build: {PROGRAMS}/profiled", "", admin=False)])

    return profiled


def _service(name, start, more, admin=True):
    ports = ["--listen", "127.0.0.1:{port}", *(["--admin", "127.0.0.1:{port:admin}"] if admin else [])]
    args = ", ".join(f'"{arg}"' for arg in [*ports, *more.split()])
    return f"{name}:\n  {start}\n  args: [{args}]\n  ready: {{http: /healthz}}\n"


@pytest.fixture
def gomem(capsys, monkeypatch):
    """Runs `gomem` in a folder; its status and all it printed."""

    def run(folder, *argv):
        monkeypatch.chdir(folder)
        status = main(argv, sys.stdout, sys.stderr)
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run
