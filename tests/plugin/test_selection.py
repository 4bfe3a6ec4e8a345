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
CACHED = ("-p", "cacheprovider")


@pytest.fixture
def project(dry_scenario):
    """A module of two tests, and a folder of another one that has a budget."""
    made = dry_scenario("def test_a(): pass\ndef test_b(): pass", budgets=BUDGETS % "slow/test_slow.py::test_c")
    (made.folder / "slow").mkdir()
    (made.folder / "slow" / "test_slow.py").write_text("def test_c(): pass")
    return made


SNAPSHOT = Snapshot({"go": "go1.26"}, {"live_heap": (1e6,)}, 10, "0a1b2c3", "2026-01-31")


def keep_baseline_of(project, test: str) -> None:
    Store(project.folder / "gomem_baselines").change("test_it.py", lambda _: {test: {"api/test": (SNAPSHOT,)}})


def test_what_was_left_out_is_not_gone(project):
    """By an ignored folder, a plugin, a module skipped as a whole, or the folder that pytest was started in."""
    keep_baseline_of(project, "test_gone")
    for args in (("--ignore=slow",), ("--ignore-glob=*slow*",), ("--rootdir=.", "slow")):
        outcome = project.run("--gomem-strict", *args)
        assert outcome.status == 0, outcome.text
        assert STALE not in outcome.text
    (project.folder / "conftest.py").write_text(DESELECTS)
    for args in ((), ("-n1",)):
        outcome = project.run("--gomem-strict", *args)
        assert outcome.status == 0, outcome.text
        assert STALE not in outcome.text
    (project.folder / "conftest.py").unlink()
    slow = project.folder / "slow" / "test_slow.py"
    slow.write_text("import pytest\npytest.skip('not here', allow_module_level=True)\n")
    outcome = project.run("--gomem-strict")
    assert outcome.status == 0, outcome.text


ACCEPTED = (
    "version: 1\naccepted:\n  - {test: 'slow/test_slow.py::test_gone', metric: live_heap, amount: 5%, reason: r, "
    "owner: o, expires: 2199-01-01}\n"
)


@pytest.fixture
def with_something_gone(project):
    """A baseline of test_it.py, and a budget and an acceptance of slow/test_slow.py, all of tests that are no more."""
    keep_baseline_of(project, "test_gone")
    (project.folder / "slow" / "test_slow.py").write_text("def test_other(): pass")
    (project.folder / "gomem_accepted.yaml").write_text(ACCEPTED)
    return project


def told(outcome) -> list[bool]:
    """Whether the baseline, the budget and the acceptance are said to be of tests that are gone."""
    words = (STALE, "test_slow.py::test_c' matches no test", "the test 'slow/test_slow.py::test_gone' is gone")
    return [text in outcome.text for text in words]


# Each leaves nothing out here, and is a choice all the same.
CHOICES = (
    ("-k", "test"),
    ("-m", "not nothing"),
    ("--deselect=nothing",),
    ("--ignore=nothing",),
    ("--lf", *CACHED),
    (".",),
)


@pytest.mark.parametrize("args", [*CHOICES, ("test_it.py::test_a",), ("-n1", "test_it.py")])
def test_a_run_that_chooses_calls_nothing_gone(with_something_gone, args):
    """Whatever narrows it; a shard that has collected all tests keeps what it knows for the merged report."""
    outcome = with_something_gone.run(*args)
    assert outcome.status == 0, outcome.text
    assert told(outcome) == [False] * 3, outcome.text
    assert (outcome.report["run"]["whole"]["stale"] is not None) == (args[0] in ("-k", "-m", "--deselect=nothing"))


@pytest.mark.parametrize("args", [(), ("--ff", *CACHED), ("-n1",)])
def test_a_run_of_all_tests_says_what_is_gone(with_something_gone, args):
    """Whatever order it runs them in."""
    outcome = with_something_gone.run(*args)
    assert outcome.status == 0, outcome.text
    assert told(outcome) == [True] * 3, outcome.text


@pytest.mark.parametrize("args", [("--maxfail=1",), ("-n1", "-x"), ("--sw", *CACHED, "-p", "stepwise")])
def test_a_run_that_stops_has_looked_for_all(with_something_gone, args):
    """What was collected and did not run is not gone; what was not there to be collected is."""
    folder = with_something_gone.folder
    keep_baseline_of(with_something_gone, "test_b")
    (folder / "test_it.py").write_text("def test_a(): assert False\ndef test_b(): pass\ndef test_c(): pass")
    outcome = with_something_gone.run(*args)
    assert told(outcome) == [False, True, True], outcome.text


@pytest.mark.parametrize("args", [("--continue-on-collection-errors",), ("-n1",)])
def test_a_collection_that_failed_calls_nothing_gone(with_something_gone, args):
    """Nobody knows which tests a broken module has; the others have said nothing of its."""
    (with_something_gone.folder / "slow" / "test_slow.py").write_text("import nothing_like_it")
    outcome = with_something_gone.run(*args)
    assert outcome.status != 0
    assert told(outcome) == [False] * 3, outcome.text


def leave_out_by_testpaths(folder):
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = test_it.py\n")


def leave_out_by_conftest(folder):
    (folder / "slow" / "conftest.py").write_text("collect_ignore = ['test_slow.py']")


def leave_out_by_plugin(folder):
    (folder / "conftest.py").write_text(
        "def pytest_ignore_collect(collection_path):\n    return True if collection_path.name == 'slow' else None"
    )


def leave_out_by_name(folder):
    (folder / "pytest.ini").write_text("[pytest]\npython_files = test_i*.py\n")


@pytest.mark.parametrize(
    ("leave_out", "xdist"),
    [
        (leave_out_by_testpaths, ()),
        (leave_out_by_conftest, ("-n1",)),
        (leave_out_by_plugin, ()),
        (leave_out_by_name, ()),
    ],
)
def test_where_nobody_looks_nothing_is_gone(project, leave_out, xdist):
    """Settings that leave out a module which is there narrow every run: nothing is said of its tests, which would be an
    error under --gomem-strict, until it is no more; what is gone elsewhere is told."""
    folder = project.folder
    Store(folder / "gomem_baselines").change("slow/test_slow.py", lambda _: {"test_c": {"api/test": (SNAPSHOT,)}})
    (folder / "gomem_accepted.yaml").write_text(ACCEPTED.replace("test_slow.py::test_gone", "*::test_c"))
    keep_baseline_of(project, "test_gone")
    leave_out(folder)
    outcome = project.run("--gomem-strict", *xdist)
    assert outcome.status == 0, outcome.text
    assert told(outcome) == [True, False, False], outcome.text
    (folder / "slow" / "test_slow.py").unlink()
    assert "baselines of 2 tests that are no more" in project.run(*xdist).text


def test_what_is_gone_is_told_under_xdist_too(project):
    """A baseline in the summary, a budget as an error of the collection."""
    keep_baseline_of(project, "test_gone")
    outcome = project.run("-n1")
    assert outcome.status == 0, outcome.text
    assert STALE in outcome.text
    (project.folder / "slow" / "test_slow.py").write_text("def test_renamed(): pass")
    strict = project.run("-n1", "--gomem-strict")
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
        ini="gomem_baseline_profiles = off",
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
