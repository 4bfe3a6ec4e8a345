"""The pipelines of docs/ci.md gate a change: their commands run in the clone that their CI system makes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from shell import shell

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
from git_repository import GO_MOD, GitRepository

pytestmark = pytest.mark.usefixtures("go")
ADDED = {"PYTEST_ADDOPTS": "-p no:hypothesispytest -p no:benchmark"}  # the diagnosis is a part of what CI shows
PAGE = Path(__file__).parents[2] / "docs" / "ci.md"
MAIN = """package main

import (
	"net/http"
	"os"
)

var kept [][]byte

func main() {
	http.HandleFunc("/keep", func(http.ResponseWriter, *http.Request) { keep() })
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)
}
"""
KEEP = "package main\n\nfunc keep() {\n\tkept = append(kept, make([]byte, SIZE))\n}\n"
YAML = """version: 1
services:
  app:
    build: .
    env: {PORT: "{port}"}
    ready: {http: /healthz}
    profile_rate: 4096
"""
TEST = """def test_keep(go_service):
    go_service.load("/keep", requests=200)
"""


def pipeline(name: str) -> dict:
    """A yaml block of the page, by its first line."""
    (text,) = re.findall(rf"^```yaml\n# {re.escape(name)}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    data: dict = yaml.safe_load(text)
    return data


@pytest.fixture
def merging(tmp_path):
    """A repository whose branch `change` keeps more per request than main, which has gone on: their merge is out."""
    repository = GitRepository.made(tmp_path / "origin")
    files = {"go.mod": GO_MOD, "main.go": MAIN, "gomem.yaml": YAML, "test_it.py": TEST, "pytest.ini": "[pytest]\n"}
    repository.commit(**files, **{"keep.go": KEEP.replace("SIZE", "64<<10")})
    repository.git("checkout", "-q", "-b", "change")
    repository.commit(**{"keep.go": KEEP.replace("SIZE", "80<<10")})
    repository.git("checkout", "-q", "main")
    repository.commit(**{"later.go": "package main\n"})
    repository.git("checkout", "-q", "--detach")
    repository.git("merge", "--quiet", "--no-ff", "--message=merge", "change")
    return repository


def run(folder: Path, command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return shell(folder, command, CI="true", PYTHONDONTWRITEBYTECODE="1", **ADDED, **env)


def assert_gated(clone: Path, command: str, kept: list[str], **env: str) -> None:
    """The change fails for what it is, and what the job keeps is there to look into."""
    done = run(clone, command, **env)
    assert done.returncode == 1, done.stdout
    summary = done.stdout.partition("short test summary info")[2]
    assert re.search(
        r"^FAILED test_it\.py::test_keep - .* worse than at .*, culprit main\.keep \(keep\.go:4\)",
        summary,
        re.MULTILINE,
    ), done.stdout
    assert all((clone / name).exists() for name in kept)
    (window,) = json.loads((clone / "gomem.json").read_text())["tests"][0]["windows"]
    assert "goroutine_profile" in window["artifacts"]
    profiles = (window["artifacts"][name] for name in ("compared_heap_profile", "heap_profile"))
    diff = run(clone, f"gomem diff {' '.join(f'gomem/{name}' for name in profiles)}")
    assert re.search(r"^ *\+3\.\d+ MB .* main\.keep$", diff.stdout, re.MULTILINE), diff.stdout


def test_github(merging, tmp_path):
    """A shallow clone of the merge commit has what is needed."""
    steps = pipeline(".github/workflows/memory.yml")["jobs"]["memory"]["steps"]
    depth = next(step["with"]["fetch-depth"] for step in steps if "checkout" in step.get("uses", ""))
    clone = tmp_path / "clone"
    merging.git("clone", "--quiet", f"--depth={depth}", f"file://{merging.folder}", str(clone))
    (command,) = (step["run"] for step in steps if step.get("run", "").startswith("gomem"))
    kept = next(step["with"]["path"].split() for step in steps if "upload" in step.get("uses", ""))
    assert_gated(clone, command, kept)


def test_gitlab(merging, tmp_path):
    """The branch's own commit is out, with the commit that it left main at in a variable."""
    job = pipeline(".gitlab-ci.yml")["memory"]
    assert job["variables"]["GIT_DEPTH"] == "0"
    clone = tmp_path / "clone"
    merging.git("clone", "--quiet", "--branch=change", str(merging.folder), str(clone))
    (command,) = (line.removeprefix("/venv/bin/") for line in job["script"] if "/gomem " in line)
    base = merging.git("merge-base", "main", "change")
    kept = [*job["artifacts"]["paths"], *job["artifacts"]["reports"].values()]
    assert {"junit", "codequality", "metrics"} == set(job["artifacts"]["reports"])
    assert_gated(clone, command, kept, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
