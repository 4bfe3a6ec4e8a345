"""Shows that `gomem bisect` finds the commit: histories of 40 commits, in one of which 2% more live heap stays.

In each history two commits do not build and one is noisy: its live heap scatters by up to 3%, by process. Where these
four stand differs from run to run. The service keeps 60 kB per request; the test is 300 requests.
The metric is not named: `gomem bisect` takes the one that is worst. A run counts if it names the right commit and its
line, and leaves no process, no working tree in `git worktree list` and no change behind.
In every second history they stand where a binary search looks first.
SEEDS in the environment chooses histories, 0,1,2,3,4,5,6,7,8,9 unless said. --small: a history of one commit, 20 larger
requests, no search for the line: what it takes to measure the ends and to confirm the answer.

    python benchmarks/bisect_commits.py [--small]
"""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from common import API_YAML, small_asked, table, verdict, workshop

# Speaks as much HTTP as the load needs: net/http would take longer to link than the test runs.
MAIN = """package main

import (
	"bufio"
	"flag"
	"net"
	"strings"
	"sync"
)

var (
	mutex sync.Mutex
	kept  [][]byte
	last  []byte
)

func work() {
	mutex.Lock()
	defer mutex.Unlock()
	kept = append(kept, make([]byte, %d))
	more(make([]byte, %d))
}

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
		if path == "/work" {
			work()
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
	for {
		conn, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go serve(conn)
	}
}
"""
LINE = 1 + MAIN[: MAIN.index("more(make")].count("\n")  # what it makes stays
MORE = {
    "good": "package main\n\nfunc more(given []byte) {\n\tlast = given\n}\n",
    "bad": "package main\n\nfunc more(given []byte) {\n\tkept = append(kept, given)\n}\n",
    "broken": "package main\n\nfunc more(given []byte) {\n\tlast = gone\n}\n",
}
NOISY = """package main

import "math/rand/v2"

var extra = rand.IntN(%d)

func more(given []byte) {
	%s
	kept = append(kept, make([]byte, 1+extra))
}
"""
TEST = """
def test_work(go_service):
    go_service.load("/work", requests=%d, connections=2)
"""


@dataclass(frozen=True)
class History:
    """Where in a history of `commits` (from 1; 0 is the good one) the change, the broken ones and the noisy one are."""

    commits: int
    culprit: int
    broken: tuple[int, ...]
    noisy: int

    @classmethod
    def of(cls, seed: int, commits: int) -> History:
        """The ends and the parent of the culprit build and hold still: else no measurement tells it from its parent."""
        chosen = random.Random(seed)
        culprit = chosen.randint(2, commits - 1)
        free = [at for at in range(1, commits) if not 0 <= culprit - at <= 1]
        if seed % 2:  # where a binary search looks first
            middle = commits // 2
            free = [at for at in (middle, middle - 1, middle + 1, middle // 2, middle + middle // 2) if at in free][:3]
            chosen.shuffle(free)
        first, second, noisy = chosen.sample(free, 3)
        return cls(commits, culprit, (first, second), noisy)

    def more(self, at: int, size: int) -> str:
        """The source of one commit."""
        if at in self.broken:
            return MORE["broken"]
        kind = "bad" if at >= self.culprit else "good"
        if at != self.noisy:
            return MORE[kind]
        return NOISY % (size * 3 // 100, MORE[kind].splitlines()[3].strip())


def git(folder: Path, *words: str) -> str:
    """What git prints there, as nobody in particular."""
    me = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(["git", *words], cwd=folder, env={**os.environ, **me}, check=True, capture_output=True)
    return done.stdout.decode()


def write_repository(folder: Path, history: History, requests: int, size: int) -> list[str]:
    """The commits, the good one first. size: bytes that are kept per request."""
    folder.mkdir()
    files = {"go.mod": "module example.com/api\n\ngo 1.22\n", "main.go": MAIN % (size, size // 50)}
    files |= {"gomem.yaml": API_YAML, "test_it.py": TEST % requests, "pytest.ini": "[pytest]\n"}
    files |= {".gitignore": "__pycache__\n.pytest_cache\n"}
    for name, text in files.items():
        (folder / name).write_text(text)
    git(folder, "init", "--quiet")
    for at in range(history.commits + 1):
        (folder / "more.go").write_text(history.more(at, size))
        (folder / "notes.txt").write_text(f"{at}\n")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", f"--message=change {at}")
    return git(folder, "rev-list", "--reverse", "HEAD").split()


def bisected(folder: Path, good: str, more: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    """What `gomem bisect` answers, and what it prints beside."""
    code = "from pytest_gomem.commands.cli import run; run()"
    command = [sys.executable, "-c", code, "bisect", good, "test_work", "--json=-", *more]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1800, stdin=subprocess.DEVNULL)
    return json.loads(done.stdout or "{}"), done.stderr


def left(folder: Path, children: int) -> list[str]:
    """What a bisection must not leave: changes, working trees, processes."""
    found = [f"changed: {git(folder, 'status', '--porcelain')}"] if git(folder, "status", "--porcelain") else []
    if len(git(folder, "worktree", "list").splitlines()) > 1:
        found.append("a working tree")
    return found + ["a process"] * (len(psutil.Process().children(recursive=True)) - children)


@dataclass(frozen=True)
class Run:
    """What came of one history. wrong: why it does not count, "" if it does."""

    history: History
    named: int | None
    steps: int
    skipped: int
    seconds: float
    wrong: str

    @property
    def row(self) -> tuple[str, ...]:
        """Its row in the table."""
        places = " ".join(map(str, (*self.history.broken, f"~{self.history.noisy}")))
        figures = (self.history.culprit, self.named, places, self.steps, self.skipped)
        return (*map(str, figures), f"{self.seconds:.0f} s")


def run_of(folder: Path, history: History, requests: int, size: int, more: tuple[str, ...]) -> Run:
    """Write the history, and bisect it."""
    hashes = write_repository(folder, history, requests, size)
    children, began = len(psutil.Process().children(recursive=True)), time.monotonic()
    said, text = bisected(folder, hashes[0], more)
    seconds, steps, commit = time.monotonic() - began, said.get("steps", []), said.get("commit") or {}
    named = hashes.index(commit["hash"]) if commit else None
    named_lines = [(culprit["file"], culprit["line"]) for culprit in commit.get("culprits", [])]
    is_line = bool(more) or ("main.go", LINE) in named_lines
    is_right = named == history.culprit and is_line and said["metric"] == "live_heap"
    remains = left(folder, children)
    wrong = "" if is_right and not remains else f"{history}: named {named}; left {remains}\n{text}\n{said}"
    skipped = sum(step["kind"] in ("lost", "unclear") for step in steps)
    return Run(history, named, len(steps), skipped, seconds, wrong)


def main() -> int:
    """Bisect, and print a row for each run."""
    is_small = small_asked(__doc__)
    seeds = [0] if is_small else list(map(int, os.environ.get("SEEDS", "0,1,2,3,4,5,6,7,8,9").split(",")))
    requests, size, commits = (20, 400_000, 1) if is_small else (300, 60_000, 40)
    more = ("--", "--gomem-diagnose=off", "--gomem-confirm=3") if is_small else ()
    runs = []
    with workshop() as folder:
        os.environ["XDG_CACHE_HOME"], goes_on = str(folder / "cache"), os.environ.get("XDG_CACHE_HOME")
        os.environ.setdefault("GOCACHE", str(Path(goes_on or "~/.cache").expanduser() / "go-build"))
        for seed in seeds:
            history = History(1, 1, (), -1) if is_small else History.of(seed, commits)
            runs.append(run_of(folder / f"run{seed}", history, requests, size, more))
            print(f"run {seed}: {', '.join(runs[-1].row)}", file=sys.stderr, flush=True)
    header = ("bad", "named", "broken ~noisy", "steps", "skipped", "wall time")
    table(f"bisections of {commits} commits, +2% of live heap", header, [run.row for run in runs])
    right, mean = sum(not run.wrong for run in runs), sum(run.steps for run in runs) / len(runs)
    print(f"the right commit: {right} of {len(runs)}; {mean:.1f} steps, log2({commits}) is {math.log2(commits):.1f}")
    return verdict([run.wrong for run in runs if run.wrong])


if __name__ == "__main__":
    sys.exit(main())
