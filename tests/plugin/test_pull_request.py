"""What a run shows in CI by itself, and what it writes for a pull request."""

from __future__ import annotations

import io
import json

import pytest
from ci_readers import commands

from pytest_gomem.commands.cli import main

TESTS = """
import os

import pytest

@pytest.mark.parametrize("name", ["plain", "::error::forged"])
@pytest.mark.gomem(end_rss="1kB")
def test_broken(gomem, name):
    print("no line end", end="")
    with gomem.measure(gomem.attach(pid=os.getpid())):
        pass

@pytest.mark.gomem(end_rss="100GB")
def test_kept(gomem):
    with gomem.measure(gomem.attach(pid=os.getpid())):
        pass
"""


@pytest.fixture
def step(pytester, monkeypatch):
    """Runs pytest as a step of GitHub Actions does; its status and output, and the summary of the job."""
    pytester.makepyfile(test_it=TESTS)
    pytester.mkdir(".git")
    summary = pytester.path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))

    def run(*args: str) -> tuple[int, str, str]:
        summary.write_text("before\n")
        done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", *args)
        return int(done.ret), f"{done.outlines and done.stdout}\n{done.stderr}", summary.read_text()

    return run


@pytest.mark.parametrize("args", [("-q", "-s"), ("-p", "no:terminal")], ids=" ".join)
def test_annotations_reach_the_runner(step, args):
    """Each on a line of its own, however little pytest prints and whatever a test wrote before."""
    status, output, summary = step(*args)
    assert status == 1
    found = commands(output)
    assert [(one.name, one.properties["file"], one.properties["line"]) for one in found] == [
        ("error", "test_it.py", "5"),
        ("error", "test_it.py", "5"),
    ]
    assert {one.properties["title"].partition(": end_rss is ")[0] for one in found} == {
        "test_broken[plain]",
        "test_broken[::error::forged]",
    }
    assert summary.startswith("before\n\n### Memory: 2 of 3 tests failed\n")


def test_each_output_is_written(step, pytester):
    """The comment, GitLab's files and the JSON report, from which the same comes again; off shows nothing."""
    outputs = ["--gomem-markdown=out/comment.md", "--gomem-markdown-key=a1", "--gomem-gitlab=out"]
    status, output, summary = step("--gomem-ci=off", "--gomem-json=report.json", *outputs)
    assert (status, commands(output), summary) == (1, [], "before\n")
    comment = (pytester.path / "out/comment.md").read_text()
    assert comment.startswith("<!-- pytest-gomem a1 -->\n### Memory: 2 of 3 tests failed\n")
    issues = json.loads((pytester.path / "out/gl-code-quality-report.json").read_text())
    assert [issue["location"] for issue in issues] == [{"path": "test_it.py", "lines": {"begin": 5}}] * 2
    assert (pytester.path / "out/metrics.txt").read_text().count("gomem_end_rss{") == 3
    out = io.StringIO()
    assert main(["report", "report.json", "--annotations", "--markdown", "-", "--key", "a1"], out, out) == 0
    assert out.getvalue().startswith(comment)
    assert [one.name for one in commands(out.getvalue())] == ["error", "error"]


def test_what_cannot_be_written_hides_no_other_output(step):
    """Each is said, with the option that asked for it."""
    _, output, summary = step("--gomem-markdown=test_it.py/x", "--gomem-gitlab=test_it.py")
    assert "--gomem-markdown: the comment cannot be written to" in output
    assert "--gomem-gitlab: the file for GitLab cannot be written to" in output
    assert "2 of 3 tests failed" in summary
