"""Owns what integration tests share beside tests/conftest.py: a supervisor, launches, and looks at living processes."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import time

import psutil
import pytest
from chromium import Chromium, executable

from pytest_gomem.config.gomem_yaml import load_config
from pytest_gomem.launch.launched import discard
from pytest_gomem.launch.launcher import Launcher, Overrides
from pytest_gomem.supervisor.client import LaunchRequest, SupervisorClient

PATIENCE = 60.0  # seconds until a test gives up; none comes near when all is well
TAG = "GOMEM_TEST_TAG"


class Programs(dict):
    def __init__(self, binaries):
        self._binaries = binaries

    def __missing__(self, name):
        return str(self._binaries(name))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """A headless browser, for the tests of a module."""
    if executable() is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    browser = Chromium(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def programs(binaries):
    """Paths of the programs of tests/programs by name, each built when it is first asked for."""
    return Programs(binaries)


@pytest.fixture
def supervisor():
    """A running supervisor; whatever it still holds ends with the test."""
    supervisor = SupervisorClient()
    yield supervisor
    supervisor.close()


@pytest.fixture
def start(supervisor, tmp_path):
    """Starts a program with the supervisor: start("sleep", "100", env={...}, tree=True)."""

    def start(*argv, env=None, cwd=tmp_path, **options):
        return supervisor.launch(LaunchRequest(list(argv), {**os.environ, **(env or {})}, str(cwd), **options))

    return start


@pytest.fixture
def until():
    """Waits for a condition, and fails the test if it does not come."""

    def until(condition):
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, "what was waited for did not come"
            time.sleep(0.005)
        return found

    return until


class Tagged:
    """Processes found by a variable in their environment, wherever in the process tree they went."""

    _numbers = itertools.count()

    def __init__(self):
        self.value = f"{os.getpid()}-{next(self._numbers)}"
        self.env = {TAG: self.value}

    def alive(self):
        """Names of the living ones by pid; a zombie's environment is empty or may not be read."""
        found = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(TAG) == self.value:
                    found[process.pid] = process.name()
        return found

    def kill(self):
        for pid in self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def tagged():
    """A mark for processes of which none may outlive the test."""
    tagged = Tagged()
    yield tagged
    tagged.kill()


@pytest.fixture
def config(tmp_path):
    """Writes a gomem.yaml with one service, and reads it."""

    def config(name="api", **service):
        path = tmp_path / "gomem.yaml"
        path.write_text(json.dumps({"version": 1, "services": {name: service}}))
        return load_config(path, {}).services[name]

    return config


@pytest.fixture
def launch(supervisor, config, tmp_path):
    """Launches a service declared by keywords: launch(binary=..., args=[...], ready={...}); ended with the test."""
    launcher = Launcher(lambda: supervisor, tmp_path / "run", sample_rate=50.0)
    running = []

    def launch(overrides=None, until_ready=True, **service):
        running.append(launcher.launch(config(**service), overrides or Overrides(), until_ready=until_ready))
        return running[-1]

    yield launch
    for launched in running:
        discard(launched)
