"""--gomem-history: real runs in a real repository, alone and under xdist, and their trend."""

from __future__ import annotations

import json
import os
import subprocess
import sys

GIT = {
    **{f"GIT_{who}_{what}": "nobody@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}

COMMAND = (sys.executable, "-c", "from pytest_gomem.commands.cli import run; run()", "history", "--file", "runs.jsonl")
TESTS = """
@pytest.mark.parametrize("number", [1, 2])
def test_kept(go_service, number):
    go_service.get(f"/alloc?bytes={number}000000&keep=true")

def test_broken_off(go_service):
    go_service.get("/alloc?bytes=10")
    raise ValueError("by itself")

@pytest.mark.gomem(live_heap="1kB")
def test_over_budget(go_service):
    go_service.get("/alloc?bytes=10")
"""


def git(folder, *args):
    done = subprocess.run(["git", *args], cwd=folder, env={**os.environ, **GIT}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def history(folder, *args):
    done = subprocess.run([*COMMAND, *args], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_runs_become_a_course(scenario):
    """Each run adds a line per window, the controller alone under xdist; commit, dirt and branch are the checkout's;
    tests that broke off are marked, those over their budget are not; `gomem history` shows the trend."""
    project = scenario(TESTS, ini="gomem_history = runs.jsonl")
    git(project.folder, "init", "--quiet", "--initial-branch=trunk")
    git(project.folder, "add", "test_it.py", "gomem.yaml")
    git(project.folder, "commit", "--quiet", "--message=first")
    commit = git(project.folder, "rev-parse", "HEAD")
    assert project.run().status == 1
    (project.folder / "gomem.yaml").write_text((project.folder / "gomem.yaml").read_text() + "# touched\n")
    assert project.run("-n1").status == 1

    lines = [json.loads(line) for line in (project.folder / "runs.jsonl").read_text().splitlines()]
    assert len(lines) == 8
    assert {(line["commit"], line["branch"]) for line in lines} == {(commit, "trunk")}
    assert [line["dirty"] for line in lines] == [False] * 4 + [True] * 4
    assert {line["nodeid"].partition("::")[2]: line["complete"] for line in lines} == {
        "test_kept[1]": True,
        "test_kept[2]": True,
        "test_broken_off": False,
        "test_over_budget": True,
    }
    kept = [line["metrics"]["live_heap"] for line in lines if line["nodeid"].endswith("[2]")]
    assert all(2e6 < value < 4e6 for value in kept)
    assert all(line["facts"]["go_version"].startswith("go1.") for line in lines)
    assert all(line["facts"]["gc.gomaxprocs"] == "2" for line in lines)

    shown = history(project.folder, "live_heap", "test_kept")
    assert shown.count("window 'test' of api, 2 runs") == 2
    assert f"{commit[:10]}+" in shown


def test_a_setting_is_told_as_one(scenario):
    """A line holds the conditions that the window's baseline would; another GOGC is a shift of the trend."""
    project = scenario("def test_it(go_service): go_service.get('/alloc?bytes=10')", ini="gomem_history = runs.jsonl")
    first = project.run()
    (line,) = [json.loads(text) for text in (project.folder / "runs.jsonl").read_text().splitlines()]
    assert line["conditions"] == first.window("test_it")["conditions"]
    assert {"go", "gogc", "gomaxprocs", "build", "agent", "page_size", "thp"} <= set(line["conditions"])
    yaml = project.folder / "gomem.yaml"
    yaml.write_text(yaml.read_text() + "    gc: {gogc: 50}\n")
    assert project.run().status == 0
    shown = " ".join(history(project.folder, "live_heap", "test_it").split())
    assert "conditions changed from -, 20" in shown
    assert "on: gogc default -> 50" in shown


def test_a_place_that_cannot_be_written(scenario):
    """The tests keep their results, and the last word names option and path; there is no traceback."""
    project = scenario("""
        def test_it(go_service): pass

        @pytest.mark.gomem(live_heap="1kB")
        def test_broken(go_service): pass
    """)
    outcome = project.run("--gomem-history=gomem.yaml/history.jsonl", "--gomem-report-only")
    assert outcome.status == 4
    written = project.folder / "gomem.yaml" / "history.jsonl"
    assert f"--gomem-history: the history cannot be written to {written}: " in outcome.text
    assert "Traceback" not in outcome.text
    assert len(outcome.report["tests"]) == 2

    broken = project.run("-q", "--gomem-history=runs.jsonl", "--gomem-json=/proc/nope/report.json")
    assert broken.status == 1
    assert "--gomem-json: the JSON report cannot be written to /proc/nope/report.json" in broken.text
    assert "live_heap is " in broken.text
    assert "FAILED test_it.py::test_broken" in broken.text
    assert len((project.folder / "runs.jsonl").read_text().splitlines()) == 2
