"""Tries the services of gomem.yaml for `gomem doctor`: builds and starts each, and looks for a test of it."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pytest_gomem.base.errors import ConfigError, GomemError
from pytest_gomem.base.files import run_folder
from pytest_gomem.base.units import SECONDS, format_value
from pytest_gomem.commands.pytest_run import COLLECTED, COLLECTING, last_lines, run_pytest
from pytest_gomem.config.gomem_yaml import GomemConfig
from pytest_gomem.config.services import ServiceConfig
from pytest_gomem.diagnosis.explanation import ByProfiles
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.measure.registry import Registry
from pytest_gomem.plugin.measured_tests import FILE_VARIABLE
from pytest_gomem.session.run import Run, RunSettings
from pytest_gomem.session.service import Service

_PLUGIN = ("-p", "pytest_gomem.plugin.measured_tests")
_SECONDS = 120.0
_LAST_LINES = 12


def tried(config: GomemConfig, name: str, registry: Registry) -> str:
    """What the service came to when it was built and started; raises GomemError if it does not work."""
    with run_folder("gomem-doctor-") as folder, ExitStack() as stack:
        core = Run(RunSettings(config, registry, folder, ByProfiles()))
        stack.callback(core.close)
        service = config.services[name]
        if service.ready.kind == "started":
            return _started(core, service)
        begun = time.monotonic()
        with core.launch(name, Overrides()) as launched:
            took = format_value(time.monotonic() - begun, SECONDS)
            built = "built and " if service.build else ""
            return f"{built}ready in {took} ({_ready(service)}); {_inside(launched)}"


def _started(core: Run, service: ServiceConfig) -> str:
    process = core.start(service, Overrides())
    process.stop()
    return f"{'built and ' if service.build else ''}started; without port and ready, a test runs it to its end"


def _ready(service: ServiceConfig) -> str:
    ready = service.ready
    return f"http {ready.target}" if ready.kind == "http" else f"its log: {ready.target}" if ready.target else "tcp"


def _inside(service: Service) -> str:
    """Who tells what is inside the service."""
    agent = service.process.agent()
    if agent is not None:
        return "with the agent"
    try:
        service.memstats()
    except GomemError as error:
        return f"nothing inside it can be read: {error}"
    return f"its heap is read without the agent: {service.process.no_agent}"


def tests_by_service(config: GomemConfig, folder: Path) -> dict[str, int]:
    """How many tests measure each service; raises GomemError, with pytest's last lines, if it cannot collect them.

    A test means the service that its marker names, else the only one, else those that its file names.
    """
    found = dict.fromkeys(config.services, 0)
    for test in _measured_tests(folder):
        for name in _services_of(test, tuple(found)):
            found[name] = found.get(name, 0) + 1
    return found


def _services_of(test: dict[str, Any], services: Sequence[str]) -> Iterator[str]:
    if test["service"] or len(services) == 1:
        yield test["service"] or services[0]
        return
    path = Path(test["file"])
    files = [path, *(folder / "conftest.py" for folder in path.parents)]
    text = "\n".join(file.read_text("utf-8", errors="replace") for file in files if file.is_file())
    yield from (name for name in services if re.search(rf"""["']{re.escape(name)}["']""", text))


def _measured_tests(folder: Path) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="gomem-doctor-") as written:
        file = Path(written) / "tests.json"
        env = {**os.environ, FILE_VARIABLE: str(file)}
        done = run_pytest([*COLLECTING, *_PLUGIN], env=env, captured=True, cwd=folder, seconds=_SECONDS)
        if done.returncode not in COLLECTED or not file.exists():
            hint = last_lines(done.stdout, _LAST_LINES)
            raise ConfigError("pytest could not collect the tests", hint=hint)
        read: list[dict[str, Any]] = json.loads(file.read_text())
        return read
