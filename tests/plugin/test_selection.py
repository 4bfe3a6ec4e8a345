"""Which run has all tests: only such a one may say that a budget, baseline or acceptance has nothing left to do."""

from __future__ import annotations

import pytest

from pytest_gomem.baseline.snapshot import Snapshot
from pytest_gomem.baseline.store import Store

BUDGETS = """\
budgets:
  tests:
    "%s": {peak_rss: 1GB}
"""
# As a plugin that splits tests over machines does it.
DESELECTS = """
def pytest_collection_modifyitems(config, items):
    config.hook.pytest_deselected(items=[items.pop()])
"""
STALE = "baselines of 1 test that is no more"


@pytest.fixture
def project(scenario):
    """A module of two tests, and a folder of another one that has a budget."""
    made = scenario("def test_a(): pass\ndef test_b(): pass", budgets=BUDGETS % "slow/test_slow.py::test_c")
    (made.folder / "slow").mkdir()
    (made.folder / "slow" / "test_slow.py").write_text("def test_c(): pass")
    return made


def keep_baseline_of(project, test: str) -> None:
    snapshot = Snapshot({"go": "go1.26"}, {"live_heap": (1e6,)}, 10, "0a1b2c3", "2026-01-31")
    Store(project.folder / "gomem_baselines").change("test_it.py", lambda _: {test: {"api/test": (snapshot,)}})


def test_what_was_left_out_is_not_gone(project):
    """By an ignored folder, a plugin, a module skipped as a whole, or the folder that pytest was started in."""
    keep_baseline_of(project, "test_gone")
    for args in (("--ignore=slow",), ("--ignore-glob=*slow*",), ("--rootdir=.", "slow")):
        outcome = project.run("--gomem-strict", *args)
        assert outcome.status == 0, outcome.text
        assert STALE not in outcome.text
    (project.folder / "conftest.py").write_text(DESELECTS)
    for args in ((), ("-n2",)):
        outcome = project.run("--gomem-strict", *args)
        assert outcome.status == 0, outcome.text
        assert STALE not in outcome.text
    (project.folder / "conftest.py").unlink()
    slow = project.folder / "slow" / "test_slow.py"
    slow.write_text("import pytest\npytest.skip('not here', allow_module_level=True)\n")
    outcome = project.run("--gomem-strict")
    assert outcome.status == 0, outcome.text


def test_what_is_gone_is_told_under_xdist_too(project):
    """A baseline in the summary, a budget as an error of the collection."""
    keep_baseline_of(project, "test_gone")
    outcome = project.run("-n2")
    assert outcome.status == 0, outcome.text
    assert STALE in outcome.text
    (project.folder / "slow" / "test_slow.py").write_text("def test_renamed(): pass")
    strict = project.run("-n2", "--gomem-strict")
    assert strict.status != 0
    assert "the budget of 'slow/test_slow.py::test_c' matches no test" in strict.text


def test_a_run_that_broke_off_has_not_shown_that_all_limits_are_kept(scenario):
    """The acceptance of a glob is to be removed when all of its tests keep their limits, not the first one."""
    project = scenario(
        """
        @pytest.mark.gomem(live_heap="90MB")
        def test_first(go_service):
            pass

        def test_fails():
            assert False

        def test_last():
            pass
        """
    )
    (project.folder / "gomem_accepted.yaml").write_text(
        "version: 1\naccepted:\n  - {test: 'test_it.py::test_*', metric: live_heap, amount: 5%, reason: r, owner: o, "
        "expires: 2199-01-01}\n"
    )
    assert "is within its limits again" in " ".join(project.run().text.split())
    assert "is within its limits again" not in " ".join(project.run("-x").text.split())


# What xdist 3.8 does to a test on its workers; it knows pytest up to 9.1 alone.
GROUPED = """
class Grouped(pytest.Function):
    @property
    def nodeid(self):
        return super().nodeid + "@one"

def pytest_pycollect_makeitem(collector, name, obj):
    return Grouped.from_parent(collector, name=name) if name == "test_a" else None
"""


def test_groups_of_xdist_change_no_test(scenario):
    """--dist=loadgroup puts "@" and the group behind an id: budgets, baselines and reports know the test."""
    project = scenario(
        """
        @pytest.mark.gomem(rounds=1)
        @pytest.mark.xdist_group("one")
        def test_a(go_service):
            pass
        """,
        budgets=BUDGETS % "test_it.py::test_a",
    )
    assert project.run("--gomem-update").status == 0
    for conftest, args in (("", ("-n1", "--dist=loadgroup")), ("import pytest\n" + GROUPED, ())):
        (project.folder / "conftest.py").write_text(conftest)
        outcome = project.run("--gomem-strict", *args)
        assert outcome.status == 0, outcome.text
        assert [test["nodeid"] for test in outcome.report["tests"]] == ["test_it.py::test_a"]
        verdicts = outcome.window("test_a")["verdicts"]
        assert [v["status"] for v in verdicts if v["kind"] == "max"] == ["pass"]
        assert outcome.window("test_a")["base"] is not None
        assert "no baseline yet" not in outcome.text
