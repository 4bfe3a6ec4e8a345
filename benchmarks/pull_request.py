"""Shows what a pull request sees in imitated jobs of GitHub and of GitLab, and that shards decide as one run does.

A repository has a Go service in services/api and tests in memory/. Its last commit keeps 25% more per request, and the
service writes lines that a runner would obey. The action of this repository runs in an imitated step: GitHub's
variables and files, and the shell of action.yml. Shown are the annotations, the summary of the job, the comment, and
what is uploaded; then the files for GitLab; then three jobs with one test each, merged, beside the one run.
--small: two tests, fewer rounds, and no shards.

    python benchmarks/pull_request.py [--small]
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import ROOT, small_asked, table, verdict, workshop

sys.path.insert(0, str(ROOT / "tests"))
from actions_runner import Job
from ci_readers import Command, commands, seen_by_gitlab

# Speaks as much HTTP as the load needs: net/http would take longer to link than the test runs.
MAIN = """package main

import (
	"bufio"
	"flag"
	"net"
	"os"
	"strings"

	"example.com/shop/store"
)

func serve(conn net.Conn) {
	defer conn.Close()
	reader, path := bufio.NewReader(conn), ""
	for {
		line, err := reader.ReadString('\\n')
		if err != nil {
			return
		}
		if words := strings.Fields(line); len(words) == 3 && strings.HasPrefix(words[2], "HTTP/") {
			path = words[1]
		}
		if line != "\\r\\n" {
			continue
		}
		if path == "/keep" {
			store.Keep()
		}
		conn.Write([]byte("HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n"))
	}
}

func main() {
	listen := flag.String("listen", "", "")
	flag.Parse()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		panic(err)
	}
	os.Stderr.WriteString("::error file=main.go::forged\\n##[error]forged\\n")
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go serve(conn)
	}
}
"""
STORE = """package store

import "sync"

var (
	mutex sync.Mutex
	kept  [][]byte
)

// Keep keeps a session.
func Keep() {
	mutex.Lock()
	defer mutex.Unlock()
	kept = append(kept, make([]byte, %d))
}
"""
LINE = 14  # of what is kept
YAML = """version: 1
services:
  api:
    build: ./services/api
    args: ["--listen", "127.0.0.1:{port}"]
    ready: {http: /healthz, timeout: 30s}
    profile_rate: 4096
"""
TESTS = """import pytest

def test_keep(go_service):
    go_service.load("/keep", requests=100)

@pytest.mark.gomem(live_heap="64MB")
def test_idle(go_service):
    go_service.load("/other", requests=50)

def test_again(go_service):
    go_service.load("/other", requests=60)
"""
NAMES = ("keep", "idle", "again")
GIT = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@dataclass
class Shown:
    """What is checked, and what was missed."""

    missed: list[str] = field(default_factory=list)

    def expect(self, is_so: bool, words: str) -> None:
        """Note what is not so."""
        if not is_so:
            self.missed.append(words)


def repository(folder: Path) -> Path:
    """A base commit, and one on top that keeps more."""
    for name, text in {
        "services/api/go.mod": "module example.com/shop\n\ngo 1.21\n",
        "services/api/main.go": MAIN,
        "services/api/store/store.go": STORE % (40 << 10),
        "gomem.yaml": YAML,
        "memory/test_memory.py": TESTS,
        "pytest.ini": "[pytest]\n",
        ".gitignore": "gomem-report\nshards\nreport\n__pycache__\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=base")
    (folder / "services/api/store/store.go").write_text(STORE % (50 << 10))
    git(folder, "commit", "--quiet", "--all", "--message=keep more of each session")
    return folder


def git(folder: Path, *words: str) -> None:
    """Run git as somebody."""
    subprocess.run(["git", *words], cwd=folder, env={**os.environ, **GIT}, check=True)


def tools(folder: Path) -> Path:
    """Commands as a job finds them on PATH after an installation."""
    folder.mkdir()
    for name, code in {
        "gomem": "from pytest_gomem.commands.cli import run; run()",
        "pytest": "import sys, pytest; sys.exit(pytest.console_main())",
    }.items():
        (folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def on_github(made: Path, work: Path, args: str, shown: Shown) -> Job:
    """The action in an imitated step, and what GitHub would show."""
    uploads: list[Mapping[str, str]] = []
    environment = {**os.environ, "PATH": f"{tools(work / 'bin')}{os.pathsep}{os.environ['PATH']}"}
    environment |= {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "me/shop", "GITHUB_RUN_ID": "7"}
    temp = work / "temp"
    temp.mkdir()
    job = Job(made, temp, environment, uses=lambda action, inputs: uploads.append(inputs))
    began = time.monotonic()
    outputs = job.run_action(ROOT / "action", packages="", args=args)
    seconds = time.monotonic() - began
    annotations = commands(job.log)
    report, comment = Path(outputs["report"]), Path(outputs["comment"]).read_text()
    print("what the runner reads in the output of the step")
    for one in annotations:
        print(f"  {one.name} {one.properties}\n    " + one.message.replace("\n", "\n    "))
    print(f"\nthe summary of the job, {len(job.summary)} characters\n{indented(job.summary)}")
    print(f"\nthe comment, {len(comment)} characters\n{indented(comment)}")
    folder = Path(uploads[0]["path"]) if uploads else made
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    table(f"the artifact '{uploads[0]['name']}'" if uploads else "nothing is uploaded", ("file", "kB"),
          [(str(path.relative_to(folder)), f"{path.stat().st_size / 1000:.1f}") for path in files])  # fmt: skip
    check_github(job, annotations, comment, outputs, shown)
    shown.expect({"gomem.json", "junit.xml", "comment.md", "page.html"} <= {path.name for path in files}, "an artifact")
    table("one run", ("", "figure"), [
        ("the action", f"{seconds:.1f} s"),
        ("errors that the runner reads", sum(one.name == "error" for one in annotations)),
        ("forged by the service", sum("forged" in one.message for one in annotations)),
        ("tests that failed", failed(report)),
    ])  # fmt: skip
    return job


def check_github(job: Job, annotations: list[Command], comment: str, outputs: Mapping[str, str], shown: Shown) -> None:
    """The one error stands at the line of Go, and the service's own lines are not obeyed."""
    places = [(one.name, one.properties.get("file"), one.properties.get("line")) for one in annotations]
    shown.expect(places == [("error", "services/api/store/store.go", str(LINE))], f"the annotations are {places}")
    shown.expect("forged" in job.log, "the log of the service is shown")
    shown.expect("##[error]" not in job.log, "a command of the service is obeyed")
    shown.expect(job.failed and outputs["status"] == "1", f"the status is {outputs['status']}")
    shown.expect("### Memory: 1 of " in job.summary, "the summary of the job")
    is_row = re.compile(r"^\| .* \| `live_heap` \|.*\| \*\*worse\*\* \|", re.MULTILINE)
    shown.expect(all(map(is_row.search, (job.summary, comment))), "the table of the comparison")
    shown.expect(comment.startswith("<!-- pytest-gomem -->\n"), "the marker of the comment")
    shown.expect("https://github.com/me/shop/actions/runs/7" in comment, "the link to the run")


def indented(text: str) -> str:
    """The text, set off from what is said about it."""
    return "\n".join(f"  {line}" for line in text.strip().splitlines())


def failed(report: Path) -> int:
    """How many tests of a JSON report failed."""
    return sum(test["outcome"] == "failed" for test in json.loads(report.read_text())["tests"])


def on_gitlab(made: Path, job: Job, shown: Shown) -> None:
    """The files of the merge request, from the JSON report."""
    gomem(made, job, "report", "gomem-report/gomem.json", "--gitlab", "report")
    issues = json.loads((made / "report/gl-code-quality-report.json").read_text())
    text = (made / "report/metrics.txt").read_text()
    found = seen_by_gitlab(text)
    print(f"\nGitLab: the code quality report\n{indented(json.dumps(issues, indent=1))}")
    print(f"\nGitLab: {len(found)} metrics, the first of them")
    print(indented("\n".join(text.splitlines()[:6])))
    places = {(one["severity"], one["location"]["path"], one["location"]["lines"]["begin"]) for one in issues}
    shown.expect(places == {("major", "services/api/store/store.go", LINE)}, f"the issues are at {places}")
    shown.expect(any(name.startswith("gomem_live_heap{") for name in found), "the live heap is a metric")


def in_shards(made: Path, job: Job, args: list[str], shown: Shown) -> None:
    """Each test in a job of its own; the merged report decides as the one run did."""
    number = len(NAMES)
    for at, name in enumerate(NAMES):
        folder = f"shards/{at}"
        outputs = [f"--gomem-json={folder}/gomem.json", f"--gomem-artifacts={folder}/files", "--gomem-ci=off"]
        gomem(made, job, "compare", "HEAD^", "-k", name, *outputs, *args)
    reports = [f"shards/{at}/gomem.json" for at in range(number)]
    done = gomem(
        made, job, "report", "merge", *reports, "--shards", str(number), "-o", "report/gomem.json",
        "--markdown", "report/comment.md", "--annotations",
    )  # fmt: skip
    one, merged = (judged(made / path) for path in ("gomem-report/gomem.json", "report/gomem.json"))
    rows = [(name, one[0].get(name, "-"), merged[0].get(name, "-")) for name in sorted({*one[0], *merged[0]})]
    table(f"one run, and {number} shards merged", ("test", "one run", "merged"), rows)
    table("limits and comparisons", ("", "one run", "merged"), [("broken", len(one[1]), len(merged[1]))])
    errors = [item.properties.get("file") for item in commands(done.stdout) if item.name == "error"]
    shown.expect(one == merged, f"the verdicts differ: {one} and {merged}")
    shown.expect(done.returncode == 1, f"the gate of the merged run ended with {done.returncode}")
    shown.expect(errors == ["services/api/store/store.go"], f"the errors of the merged run are at {errors}")


def judged(report: Path) -> tuple[dict[str, str], set[tuple[str, str, str]]]:
    """The outcome of each test, and which limits are broken."""
    tests: list[dict[str, Any]] = json.loads(report.read_text())["tests"]
    broken = {
        (test["nodeid"], one["metric"], one["kind"])
        for test in tests
        for window in test["windows"]
        for one in window["verdicts"]
        if one["status"] in ("fail", "unavailable")
    }
    return {test["nodeid"]: test["outcome"] for test in tests}, broken


def gomem(made: Path, job: Job, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a step of a job does."""
    environment = {**job.environment, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(job.temp / "summary")}
    done = subprocess.run(
        [shutil.which("gomem", path=job.environment["PATH"]) or "gomem", *words],
        cwd=made, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=600,
    )  # fmt: skip
    if done.returncode not in (0, 1):
        print(done.stdout)
    return done


def main() -> int:
    """Show all, and return the exit status."""
    is_small, shown = small_asked(__doc__), Shown()
    names = NAMES[:2] if is_small else NAMES
    args = ["-p", "no:cacheprovider", *(["--gomem-confirm=3"] if is_small else [])]
    with workshop() as work:
        made = repository(work / "shop")
        job = on_github(made, work, "\n".join([*args, "-k", " or ".join(names)]), shown)
        on_gitlab(made, job, shown)
        if not is_small:
            in_shards(made, job, args, shown)
    return verdict(shown.missed)


if __name__ == "__main__":
    sys.exit(main())
