"""Shows that `gomem bisect` finds the commit: histories of 40 commits, in one of which 2% more live heap stays.

In each history two commits do not build and one is noisy: its live heap scatters by up to 3%, by process. Where these
four stand differs from run to run. The service keeps 60 kB per request; the test is 300 requests.
The metric is not named: `gomem bisect` takes the one that is worst. A run counts if it names the right commit and its
line, and leaves no process, no working tree in `git worktree list` and no change behind.
RUNS in the environment sets their number, 10 unless said. --small: a history of one commit, 20 larger requests, no
search for the line: what it takes to measure the ends and to confirm the answer.

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
        first, second, noisy = chosen.sample([at for at in range(1, commits) if not 0 <= culprit - at <= 1], 3)
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


def main() -> int:
    """Bisect, and print a row for each run."""
    is_small = small_asked(__doc__)
    runs, requests, size = (1, 20, 400_000) if is_small else (int(os.environ.get("RUNS", "10")), 300, 60_000)
    more = ("--", "--gomem-diagnose=off", "--gomem-confirm=3") if is_small else ()
    commits = 1 if is_small else 40
    rows, missed = [], []
    with workshop() as folder:
        os.environ["XDG_CACHE_HOME"], goes_on = str(folder / "cache"), os.environ.get("XDG_CACHE_HOME")
        os.environ.setdefault("GOCACHE", str(Path(goes_on or "~/.cache").expanduser() / "go-build"))
        for seed in range(runs):
            history = History(1, 1, (), -1) if is_small else History.of(seed, commits)
            hashes = write_repository(folder / f"run{seed}", history, requests, size)
            children, began = len(psutil.Process().children(recursive=True)), time.monotonic()
            said, text = bisected(folder / f"run{seed}", hashes[0], more)
            seconds, steps = time.monotonic() - began, said.get("steps", [])
            named = hashes.index(said["commit"]["hash"]) if said.get("commit") else None
            culprits = (said.get("commit") or {}).get("culprits", [])
            is_line = is_small or ("more.go" in [culprit["file"] for culprit in culprits])
            wrong = left(folder / f"run{seed}", children)
            if named != history.culprit or not is_line or wrong or said["metric"] != "live_heap":
                missed.append(f"run {seed}: named {named}, not {history.culprit}; {wrong}\n{text}\n{said}")
            skipped = sum(step["kind"] in ("lost", "unclear") for step in steps)
            places = f"{history.broken}, {history.noisy}".replace(",)", ")")
            rows.append((str(seed), str(history.culprit), str(named), places, len(steps), skipped, f"{seconds:.0f} s"))
            print(f"run {seed}: {rows[-1]}", file=sys.stderr, flush=True)
    header = ("run", "bad", "named", "broken, noisy", "steps", "skipped", "wall time")
    table(f"bisections of {commits} commits, +2% of live heap", header, [tuple(map(str, row)) for row in rows])
    right = sum(row[1] == row[2] for row in rows)
    mean = sum(int(row[4]) for row in rows) / len(rows)
    print(f"the right commit: {right} of {runs}; {mean:.1f} steps, log2({commits}) is {math.log2(commits):.1f}")
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
