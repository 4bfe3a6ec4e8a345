"""Tries what `gomem init` proposes: builds and starts the program, asks its paths, and runs the test that it gets."""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from pytest_gomem.base.errors import BuildError, GomemError, LoadError, ToolchainError
from pytest_gomem.base.files import run_folder
from pytest_gomem.base.printable import printable
from pytest_gomem.commands.pytest_run import last_lines, run_pytest
from pytest_gomem.config.gomem_yaml import load_config
from pytest_gomem.diagnosis.explanation import ByProfiles
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.launch.toolchain import find_toolchain
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.report.json_reading import read_report
from pytest_gomem.scaffold.limits import Limits, limits_of
from pytest_gomem.scaffold.proposal import Proposal
from pytest_gomem.scaffold.texts import python_text, yaml_text
from pytest_gomem.session.run import Run, RunSettings
from pytest_gomem.session.service import Service
from pytest_gomem.stats.decision import FEWEST

_ASK_SECONDS = 5.0
_WORK_SECONDS = 2.5  # that the load of the test should take
_PER_REQUEST = 0.0004  # seconds that the client itself needs
_COUNTS = (2000, 1000, 500, 200, 100, 50)
_TEST_SECONDS = 300.0
_MOST_BODY = 1 << 20
_LAST_LINES = 12
_ALONE = ("-p", "no:cacheprovider", "-q", "--gomem-no-compare", "--gomem-diagnose=off", "--gomem-ci=off")


@dataclass(frozen=True)
class Trial:
    """What is written, and what was seen of it. limits: None if nothing was measured. words: how it went."""

    proposal: Proposal
    limits: Limits | None = None
    words: str = "no (--no-try)"
    measured_with: str = ""
    failed: bool = False

    @property
    def of_test(self) -> tuple[Proposal, Limits | None, str]:
        """What the text of the test is made of."""
        return self.proposal, self.limits, self.measured_with


def tried(proposals: Iterable[Proposal], root: Path, err: TextIO) -> Trial:
    """The first proposal that works, with limits from what its test measures; else the best guess and why it failed."""
    first, why = None, ""
    for proposal in proposals:
        first = first or proposal
        try:
            return _tried(proposal, root, err)
        except BuildError as error:
            return Trial(first, words=f"it is not built: {_short(str(error))}", failed=True)
        except ToolchainError:
            raise
        except GomemError as error:
            why = why or _short(str(error))
            args = " ".join(proposal.args) or "no arguments"
            err.write(printable(f"gomem init: with {args} it did not work") + "\n")
    if first is None:
        raise ValueError("nothing is proposed")
    return Trial(first, words=f"it did not work: {why}", failed=True)


def _tried(proposal: Proposal, root: Path, err: TextIO) -> Trial:
    with run_folder("gomem-init-") as folder:
        err.write(f"gomem init: building {proposal.package} and starting it ...\n")
        proposal, words = _asked(proposal, root, folder)
        err.write(f"gomem init: running its test {FEWEST} times ...\n")
        limits = _measured(proposal, root, folder)
        levels = ", ".join(f"{name} {level}" for name, level in limits.levels.items())
        toolchain = find_toolchain()
        with_go = f"{toolchain.version} on {toolchain.goos}/{toolchain.goarch}"
        return Trial(proposal, limits, f"{words}; {levels}", with_go)


def _asked(proposal: Proposal, root: Path, folder: Path) -> tuple[Proposal, str]:
    """The proposal with the paths that the started service answers; raises GomemError if it does not start."""
    until_open = replace(proposal, ready="") if proposal.has_port else proposal
    path = folder / "gomem.yaml"
    path.write_text(yaml_text(until_open, "", base=str(root)), encoding="utf-8")
    registry = Registry(builtin_metrics())
    with ExitStack() as stack:
        core = Run(RunSettings(load_config(path, registry.units()), registry, folder / "run", ByProfiles()))
        (folder / "run").mkdir()
        stack.callback(core.close)
        if not proposal.kind:  # only to be built: its test runs it to its end
            core.start(core.service_config(None), Overrides()).stop()
            return proposal, "it ends with status 0"
        with core.launch(None, Overrides()) as service:
            return _with_answers(proposal, service) if proposal.kind == "http" else (until_open, "it listens")


def _with_answers(proposal: Proposal, service: Service) -> tuple[Proposal, str]:
    answers = {path: status for path, status in _answers(proposal, service) if status}
    fine = [path for path in answers if 200 <= answers[path] < 300]
    ready = proposal.ready if proposal.ready in fine else ""
    if not answers:
        raise GomemError(f"{proposal.name}: it listens, and answers no request of HTTP")
    path = fine[0] if fine else next(iter(answers))
    seen = f"it answers {path} with {answers[path]}"
    found = replace(proposal, ready=ready, path=path, answers_errors=not fine)
    return replace(found, requests=_requests(found, service)), seen


def _answers(proposal: Proposal, service: Service) -> Iterator[tuple[str, int]]:
    """The status of each path; 0 for one that does not answer, or not soon."""
    for path in dict.fromkeys([*proposal.paths, *([proposal.ready] if proposal.ready else [])]):
        with suppress(LoadError):
            yield path, _status(proposal, service, path)


def _status(proposal: Proposal, service: Service, path: str) -> int:
    """The status of an answer; 0 for none, or none that is whole, of a fixed port."""
    if not proposal.fixed_port:
        return service.get(path, timeout=_ASK_SECONDS, max_body=_MOST_BODY).status
    connection = http.client.HTTPConnection("127.0.0.1", proposal.fixed_port, timeout=_ASK_SECONDS)
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read(_MOST_BODY)
        return answer.status
    return 0


def _requests(proposal: Proposal, service: Service) -> int:
    """How many requests of the path fit into the time that the load should take."""
    started = time.monotonic()
    for _ in range(20):
        _status(proposal, service, proposal.path)
    each = max((time.monotonic() - started) / 20, _PER_REQUEST)
    return next((count for count in _COUNTS if count * each <= _WORK_SECONDS), _COUNTS[-1])


def _measured(proposal: Proposal, root: Path, folder: Path) -> Limits:
    """What the test measures, run as pytest runs it; raises GomemError with the last lines if it fails."""
    project, report = folder / "project", folder / "report.json"
    project.mkdir()
    (project / "pytest.ini").write_text("[pytest]\n")
    (project / "gomem.yaml").write_text(yaml_text(proposal, "", base=str(root)), encoding="utf-8")
    (project / "test_memory.py").write_text(python_text(proposal, None, ""), encoding="utf-8")
    command = [str(project), "--rootdir", str(project), "-c", str(project / "pytest.ini"), *_ALONE]
    done = run_pytest(
        [*command, "--gomem-report-only", f"--gomem-rounds={FEWEST}", f"--gomem-json={report}"],
        env={name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"},
        captured=True,
        cwd=project,
        seconds=_TEST_SECONDS,
    )
    if done.returncode or not report.exists():
        raise GomemError(f"its test fails:\n  {last_lines(done.stdout, _LAST_LINES)}")
    ((window,),) = (test.windows for test in read_report(report).tests)
    metrics = {metric.name: metric for metric in builtin_metrics()}
    return limits_of(window, metrics, ends=not proposal.kind)


def _short(text: str) -> str:
    return "\n  ".join(text.strip().splitlines()[:_LAST_LINES])
