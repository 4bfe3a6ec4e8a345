"""`gomem doctor --try`: what each service of gomem.yaml comes to, and which of them no test measures."""

from __future__ import annotations

import pytest

from pytest_gomem.base.errors import GomemError
from pytest_gomem.commands import doctor

TESTS = """
import pytest

def test_plain(gomem): pass

@pytest.mark.gomem(service="api")
def test_named(go_service): pass

def test_of_nothing(): pass
"""
MORE = """
job: {command: [/bin/true]}
broken: {command: [/bin/false, "{port}"], ready: {tcp: true, timeout: 1s}}
"""


def test_each_service_is_tried(scenario, gomem):
    """One that works says how; one that does not fails with its reason; and the tests of each are counted."""
    project = scenario(TESTS, more_services=MORE)
    status, text = gomem(project.folder, "doctor", "--try")
    assert status == 1
    assert "ok    api            ready in " in text
    assert "(http /healthz); its heap is read without the agent: " in text
    assert "ok    job            started; without port and ready" in text
    assert "FAIL  broken         " in text
    assert "ok    tests          api is measured by 2 tests" in text
    assert "note  tests          no test measures job: write one with go_service, or gomem.launch('job')" in text


def test_without_try_nothing_is_started(dry_scenario, gomem):
    """It is quick, and says what it has not done."""
    project = dry_scenario(TESTS)
    _, text = gomem(project.folder, "doctor")
    assert "note  services       not tried: `gomem doctor --try`" in text


def test_tests_that_cannot_be_collected_are_told(dry_scenario, gomem):
    """With pytest's own words."""
    # Two commits that each run is to compare: nothing of them is looked for.
    project = dry_scenario("import nothing_like_it\n", ini="gomem_against = gone\ngomem_head = HEAD\n")
    status, text = gomem(project.folder, "doctor", "--try")
    assert status == 1
    assert "FAIL  tests          pytest could not collect the tests" in text
    assert "nothing_like_it" in text


def test_a_folder_without_gomem_yaml(tmp_path, gomem):
    """The next step is named."""
    _, text = gomem(tmp_path, "doctor", "--try")
    assert "none in this folder; `gomem init` writes one" in text


LIMITED = """
small: {command: [/bin/true], memory_limit: 64MiB}
watched: {command: [/bin/true], memory_limit: {max: 64MiB, mode: simulated}}
"""


@pytest.mark.parametrize("refused", [False, True])
def test_a_memory_limit_is_tried(dry_scenario, gomem, monkeypatch, refused):
    """Where none can be set, a service that asks for one of the kernel fails."""

    def tried():
        if refused:
            raise GomemError("no memory cgroup can be made\n  cgroup v1: Read-only file system: /x")
        return "cgroup v1, a group of its own"

    monkeypatch.setattr(doctor, "memory_limit_words", tried)
    project = dry_scenario(TESTS, more_services=LIMITED)
    status, text = gomem(project.folder, "doctor")
    failed = [line.split()[1] for line in text.splitlines() if line.startswith("FAIL")]
    if refused:
        assert status == 1
        assert "small" in failed
        assert "watched" not in failed
        assert "note  memory limit   no memory cgroup can be made\n    cgroup v1: Read-only" in text
    else:
        assert "ok    memory limit   cgroup v1, a group of its own" in text
        assert "small" not in failed
