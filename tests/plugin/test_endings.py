"""How the report tells of tests without a result, and of a run that broke off; and of hooks that fail it."""

from __future__ import annotations

import pytest

TESTS = """
import os

@pytest.fixture
def broken_after():
    yield
    raise RuntimeError("not torn down")

def test_first(go_service):
    go_service.get("/alloc?bytes=1000000")

def test_leaves(go_service):
    go_service.get("/alloc?bytes=1000000")
    raise SystemExit(3)

def test_torn_down(go_service, broken_after):
    go_service.get("/alloc?bytes=1000000")

def test_crashes(go_service):
    os._exit(9)

def test_interrupted(go_service):
    raise KeyboardInterrupt

def test_last(go_service):
    pass

def test_of_others():
    pass
"""


SPLITTER = """
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    items[:] = [item for item in items if item.name != "test_first"]
"""


def outcomes(outcome):
    return {test["nodeid"].partition("::test_")[2]: test["outcome"] for test in outcome.report["tests"]}


def reasons(outcome):
    return {
        test["nodeid"].partition("::test_")[2]: test["reason"] for test in outcome.report["tests"] if test["reason"]
    }


def ended(outcome):
    run = outcome.report["run"]
    assert (run["commit"], run["folder"], run["artifacts"], run["shards"]) == (None, "", None, [])
    left = [test.partition("::test_")[2] for test in run["deselected"]]
    return {**{name: run[name] for name in ("exit_status", "interrupted", "complete")}, "deselected": left}


def test_a_report_has_every_test_that_was_to_be_measured(scenario):
    """Also one whose worker died in it; a failed teardown is an error; sys.exit fails a test and keeps its window."""
    project = scenario(TESTS)
    outcome = project.run("-n1", "-k", "first or leaves or torn or crashes or others")
    assert outcomes(outcome) == {"first": "passed", "leaves": "failed", "torn_down": "error", "crashes": "crashed"}
    assert reasons(outcome) == {"crashes": "worker 'gw0' crashed while running 'test_it.py::test_crashes'"}
    left = ["interrupted", "last"]
    assert ended(outcome) == {"exit_status": 1, "interrupted": False, "complete": False, "deselected": left}
    for test in ("test_leaves", "test_torn_down"):
        assert outcome.value(test, "peak_rss") > 1e6
    lines = (project.folder / "test_it.py").read_text().splitlines()
    for test in outcome.report["tests"]:
        assert lines[test["line"] - 1].startswith(f"def {test['nodeid'].partition('::')[2]}(")
        assert (test["duration"] is None) == (test["outcome"] == "crashed")


def test_an_interrupted_run_tells_how_far_it_came(scenario):
    """Ctrl-C in one test; those after it never ran."""
    outcome = scenario(TESTS).run("-k", "first or interrupted or last")
    assert outcomes(outcome) == {"first": "passed", "interrupted": "interrupted", "last": "not run"}
    assert set(reasons(outcome)) == {"interrupted", "last"}
    left = ["leaves", "torn_down", "crashes"]
    assert ended(outcome) == {"exit_status": 2, "interrupted": True, "complete": False, "deselected": left}
    assert outcome.value("test_first", "peak_rss") > 1e6


def test_a_run_that_stops_at_a_failure_says_so(scenario):
    """Under -x the rest is not run, and pytest's own words are the reason; a whole run is complete.

    What a plugin leaves out after all others, and without a word, as those that split a run do, was not to be run.
    """
    project = scenario(TESTS, conftest=SPLITTER)
    outcome = project.run("-x", "-k", "first or leaves or last")
    assert outcomes(outcome) == {"leaves": "failed", "last": "not run"}
    assert reasons(outcome) == {"last": "stopping after 1 failures"}
    assert ended(outcome)["deselected"] == ["torn_down", "crashes", "interrupted", "first"]
    outcome = project.run("-k", "last or others")
    assert outcomes(outcome) == {"last": "passed"}
    left = ["first", "leaves", "torn_down", "crashes", "interrupted"]
    assert ended(outcome) == {"exit_status": 0, "interrupted": False, "complete": True, "deselected": left}


def test_a_reporter_that_raises_is_named_and_harms_nobody(scenario):
    """The other reporters, pytest's summary and ours stay; the exit status says that something is wrong."""
    outcome = scenario(
        "def test_it(go_service): pass",
        conftest="""
        def pytest_gomem_report(run):
            {}["gone"]
        """,
    ).run()
    assert outcome.status == pytest.ExitCode.USAGE_ERROR
    assert "conftest.py:4: pytest_gomem_report of plugin" in outcome.text
    assert "raised KeyError: 'gone'" in outcome.text
    assert "1 passed" in outcome.text
    assert "Traceback" not in outcome.text
    assert outcomes(outcome) == {"it": "passed"}


@pytest.mark.parametrize(
    ("hook", "body", "says"),
    [
        ("metrics", "raise ValueError('no such table')", "raised ValueError: no such table"),
        ("metrics", "return 5", "returned 5\n  return a list of Metric objects"),
        ("sources", "return ['agent']", "returned 'agent'\n  return a list of Source objects"),
    ],
)
def test_a_hook_of_the_start_that_fails_is_a_usage_error(scenario, hook, body, says):
    """It names the plugin and the line, before any test runs."""
    outcome = scenario("def test_it(go_service): pass", conftest=f"def pytest_gomem_{hook}():\n    {body}\n").run()
    assert outcome.status == pytest.ExitCode.USAGE_ERROR
    assert "conftest.py:" in outcome.text
    assert f"pytest_gomem_{hook} of plugin" in outcome.text
    assert says in outcome.text.replace("ERROR: ", "")
    assert "Traceback" not in outcome.text
