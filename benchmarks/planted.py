"""Shows that the line that was made worse is named first: ten faults of 100 kB to 2 MB, and the example's bad versions.

A service with a live heap of 0.5 to 5 MB (planted/main.go) gets one fault at a time, by an edit of a line or two. Some
keep what they allocate, others allocate and drop. Each is found twice: by a budget halfway between good and bad, and
against the commit before the edit (`--gomem-against=HEAD`). No setting of pytest-gomem helps. The example's bad
versions break the budgets that they have. Of all together 19 in 20 must be named: the first culprit is the line, or
the first group of goroutines is the one that the line starts.

    python benchmarks/planted.py [--faults page,log] [--ways budget,against] [--show]
    python benchmarks/planted.py --small    one fault, one way, for CI

--show: print the failures.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import MB, Outcome, Project, mb, table, verdict, workshop
from culprits import BAD, first_culprits, line_of

SOURCE = Path(__file__).parent / "planted" / "main.go"
YAML = """version: 1
services:
  shop:
    build: .
    args: ["--listen", "127.0.0.1:{{port}}", "--products", "{products}"]
    ready: {{http: /healthz, timeout: 30s}}
"""
TESTS = """
    import json
    from pathlib import Path

    import pytest

    given = json.loads((Path(__file__).parent / "given.json").read_text())


    @pytest.mark.gomem(**given["budget"])
    def test_it(go_service):
        go_service.load(requests=given["requests"], connections=2, **given["load"])
"""
WAYS = ("budget", "against")
LIVE, CHURN = "live_heap", "alloc_bytes_per_op"
NAMED = 0.95
LEAST, MOST = 0.1 * MB, 2 * MB
LEAST_LIVE, MOST_LIVE = 0.5 * MB, 5 * MB


@dataclass(frozen=True)
class Fault:
    """An edit that makes a handler worse, and the code of the line that is to be named, as it stands after the edit.

    starts: the function whose goroutine stays, if one does. body: bytes of each request.
    """

    name: str
    metric: str
    edits: Mapping[str, str]
    line: str
    requests: int
    products: int
    starts: str | None = None
    body: int = 0

    @property
    def source(self) -> str:
        """The service with the fault; each edit fits once."""
        text = SOURCE.read_text()
        for good, bad in self.edits.items():
            assert text.count(good) == 1, (self.name, good)
            text = text.replace(good, bad)
        return text

    @property
    def number(self) -> int:
        """Where the line is in that source."""
        (number,) = [at for at, line in enumerate(self.source.splitlines(), 1) if self.line in line]
        return number

    @property
    def load(self) -> dict[str, Any]:
        """What goes to `load`."""
        return {"path": f"/{self.name}", **({"method": "POST", "body": "x" * self.body} if self.body else {})}


FAULTS = (
    Fault("page", LIVE, {"\tdelete(s.pages, number-mostPages)\n": ""}, "page := make([]byte, 512)", 350, 500),
    Fault("log", LIVE, {"\t\tclear(s.batch)\n": ""}, "&entry{request: number}", 450, 1500),
    Fault("watch", LIVE, {"\tclose(done)\n": ""}, "make([]byte, 8<<10)", 150, 4000, starts="main.(*shop).watch"),
    Fault("upload", LIVE, {"strings.Clone(text[:16])": "text[:16]"}, "text := string(body)", 300, 2500, body=4096),
    Fault(
        "order", LIVE, {"return size": "return len(receipt)", "size := len(receipt)\n\t": ""}, "0, 1<<10)", 250, 1000
    ),
    Fault("report", CHURN, {"\tbuffers.Put(buffer)\n": ""}, "return new([4 << 10]byte)", 400, 1000),
    Fault("poll", CHURN, {"<-s.timer.C": "<-time.After(time.Minute)"}, "<-time.After(", 300, 500),
    Fault(
        "shelf",
        CHURN,
        {
            'strconv.AppendInt(append(make([]byte, 0, 64), "shelf/"...), int64(number+at), 10)': (
                'fmt.Sprintf("shelf/%d", number+at)'
            ),
            "s.stock[string(key)]": "s.stock[key]",
        },
        "fmt.Sprintf(",
        250,
        3000,
    ),
    Fault(
        "list",
        CHURN,
        {
            "var text strings.Builder\n\ttext.Grow(1 << 10)": 'text := ""',
            "text.WriteString(product.Name)": "text += product.Name",
            "text.String()": "text",
            "s.catalogue[:10]": "s.catalogue[:20]",
        },
        "text += product.Name",
        300,
        2000,
    ),
    Fault("product", CHURN, {"w.Write(product.encoded)": "w.Write(product.encode())"}, "json.Marshal(p)", 400, 1000),
)


@dataclass(frozen=True)
class Finding:
    """How a fault was found. excess: bytes in the window; live: the live heap of the good version."""

    name: str
    way: str
    live: float
    excess: float
    named: str
    is_named: bool
    seconds: float

    @property
    def cells(self) -> tuple[object, ...]:
        """For the table."""
        is_named = "yes" if self.is_named else "NO"
        return self.name, self.way, mb(self.live), mb(self.excess), is_named, self.named, f"{self.seconds:.0f} s"


@dataclass
class Shop:
    """A project with the service and the test of one fault; the commit is the good version."""

    folder: Path
    fault: Fault
    good: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "go.mod").write_text("module example.com/shop\n\ngo 1.22\n")
        (self.folder / "main.go").write_text(SOURCE.read_text())
        (self.folder / ".gitignore").write_text("*.json\n__pycache__/\n")
        window = only_window(self._project({}).passed())
        self.good = {name: window["metrics"][name]["value"] for name in (LIVE, CHURN)}
        me = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        for words in ("init --quiet", "add --all", "commit --quiet --message=good"):
            subprocess.run(["git", *me, *words.split()], cwd=self.folder, check=True, stdin=subprocess.DEVNULL)
        (self.folder / "main.go").write_text(self.fault.source)

    def _project(self, budget: Mapping[str, float]) -> Project:
        fault = self.fault
        given = {"budget": budget, "requests": fault.requests, "load": fault.load}
        return Project(self.folder, TESTS, YAML.format(products=fault.products), given)

    def find(self, way: str, *, show: bool) -> Finding:
        """Run the bad version in one way."""
        metric, ops = self.fault.metric, self.fault.requests if self.fault.metric == CHURN else 1
        limit = round(self.good[metric] + LEAST / 2 / ops)
        budget, args = ({metric: limit}, ()) if way == "budget" else ({}, ("--gomem-against=HEAD",))
        began = time.monotonic()
        outcome = self._project(budget).run(*args)
        seconds = time.monotonic() - began
        if show:
            print(outcome.text)
        window = only_window(outcome)
        excess = (window["metrics"][metric]["value"] - self.good[metric]) * ops
        first, is_named = self._first(window)
        return Finding(self.fault.name, way, self.good[LIVE], excess, first, is_named, seconds)

    def _first(self, window: Mapping[str, Any]) -> tuple[str, bool]:
        culprits, groups = window["culprits"], window.get("goroutine_groups", ())
        if self.fault.starts and groups and self.fault.starts in groups[0]["created_by"]:
            return "goroutines of " + groups[0]["created_by"], True
        if not culprits:
            return "nobody", False
        file, line = culprits[0]["file"], culprits[0]["line"]
        return f"{file}:{line}", (file, line) == ("main.go", self.fault.number)


def only_window(outcome: Outcome) -> dict[str, Any]:
    """The one window of a run that measured."""
    windows = outcome.windows("test_it")
    if outcome.status > 1 or len(windows) != 1 or windows[0]["no_base"]:
        raise SystemExit(f"the benchmark's own tests failed:\n{outcome.text}")
    return windows[0]


def example(folder: Path) -> list[tuple[object, ...]]:
    """The example's bad versions, and whether the guilty line is first."""
    firsts = first_culprits(folder / "example.json")
    rows = []
    for bad in BAD:
        first = firsts.get(bad.test, {})
        place = (first.get("file"), first.get("line"))
        is_named = place == (bad.file, line_of(bad))
        rows.append((bad.test, "example", "", "", "yes" if is_named else "NO", f"{place[0]}:{place[1]}", ""))
    return rows


def main() -> int:
    """Plant, run, count; 1 where fewer are named than 19 in 20, or a fault has not the size that it is said to have."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", default=",".join(fault.name for fault in FAULTS))
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--show", action="store_true", help="print the failures")
    parser.add_argument("--small", action="store_true", help="one small instance, for CI")
    given = parser.parse_args()
    if given.small:
        given.faults, given.ways = "page", "budget"
    chosen, missed, rows = given.faults.split(","), [], []
    with workshop() as folder:
        goes_on = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
        os.environ.setdefault("GOCACHE", str(goes_on / "go-build"))
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        for fault in FAULTS:
            if fault.name not in chosen:
                continue
            shop = Shop(folder / fault.name, fault)
            for way in given.ways.split(","):
                found = shop.find(way, show=given.show)
                rows.append(found.cells)
                print(*found.cells, sep="  ", flush=True)
                if not (LEAST <= found.excess <= MOST and LEAST_LIVE <= found.live <= MOST_LIVE):
                    missed.append(f"{fault.name}: {mb(found.excess)} on a live heap of {mb(found.live)}")
        if chosen == [fault.name for fault in FAULTS]:
            rows += example(folder)
    head = ("fault", "way", "live heap", "planted", "named first", "first", "seconds")
    table("planted faults, at all defaults", head, rows)
    named = sum(row[4] == "yes" for row in rows)
    print(f"named first: {named} of {len(rows)}")
    if named < NAMED * len(rows):
        missed.append(f"{len(rows) - named} of {len(rows)} are not named first, more than one in 20")
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
