"""What the shards of a run know of the whole, and that their merged reports say what one run would."""

from __future__ import annotations

import pytest

TESTS = """
@pytest.mark.parametrize("size", [1, 2, 3])
def test_size(gomem, size):
    pass

def test_alone(gomem):
    pass

def test_of_others():
    pass
"""
# Tells nobody what it leaves out, as some of the plugins that split a run.
SPLITTER = """
def pytest_addoption(parser):
    parser.addoption("--part", type=int)

def pytest_collection_modifyitems(config, items):
    part = config.getoption("part")
    if part is not None:
        items[:] = [item for number, item in enumerate(items) if number % 2 == part]
"""
BUDGETS = """
budgets:
  tests:
    test_it.py::test_size: {live_heap: 90MB}
    test_it.py::test_gone: {live_heap: 90MB}
"""
GONE = "test_it.py::test_gone"
STALE = f"gomem.yaml:13 budgets.tests['{GONE}'].live_heap: the budget of '{GONE}' matches no test"


@pytest.fixture
def project(dry_scenario):
    return dry_scenario(TESTS, budgets=BUDGETS, conftest=SPLITTER)


def test_shards_know_together_what_none_knows(project, gomem):
    """A budget for no test fails the merged run under --gomem-strict, as it fails one run, and no shard.

    What none has run is missed.
    """
    names = []
    for number, args in enumerate([("--part=0",), ("-n1", "--part=1")]):
        outcome = project.run("--gomem-strict", *args)
        assert outcome.status == 0, outcome.text
        names.append(f"shard-{number}.json")
        (project.folder / "report.json").rename(project.folder / names[-1])
    status, text = gomem(project.folder, "report", "merge", *names)
    assert status == 1
    assert f"FAILED {STALE}\n" in text
    assert text.endswith("\n2 reports, 4 tests: 4 passed\n"), text
    for name in names:
        status, text = gomem(project.folder, "report", "merge", name)
        assert status == 2
        assert text.startswith("gomem report: the test test_it.py::test_"), text
        assert f" was left out ({name}), and no report has it\n" in text
