"""Shows that broken input is told as what it is, before any test runs: 20 broken configurations and markers.

Each must end pytest with exit status 4 and one message that names the place and the mistake, without a traceback or an
internal error. The same under xdist (-n 2): a broken gomem.yaml is a usage error there too (4), a broken marker, which
a worker finds, an error of collection (1 or 2). In no case a test may run.

    python benchmarks/broken_input.py [--small]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import Outcome, Project, small_asked, table, verdict, workshop

USAGE_ERROR, COLLECTION_ERROR = (4,), (1, 2)  # pytest's exit statuses; 3 is its own internal error
UNWANTED = ("Traceback", "INTERNALERROR", "site-packages")
GOOD_YAML = """\
version: 1
services:
  api:
    binary: ./bin/api
    args: ["--listen", "127.0.0.1:{port}"]
    ready: {http: /healthz}
"""
GOOD_TEST = """\
import pytest

@pytest.mark.gomem(peak_rss="1.8GB")
def test_it(go_service):
    pass
"""


@dataclass(frozen=True)
class Mistake:
    """A broken project: its gomem.yaml or its test file, and what the message must say, place and reason."""

    name: str
    says: tuple[str, ...]
    yaml: str = GOOD_YAML
    test: str = GOOD_TEST
    collected: bool = False  # found when tests are collected, which under xdist is a worker's task


def in_yaml(name: str, old: str, new: str, *says: str) -> Mistake:
    """The good gomem.yaml with one thing replaced."""
    assert old in GOOD_YAML
    return Mistake(name, says, yaml=GOOD_YAML.replace(old, new))


def in_marker(name: str, marker: str, *says: str, fixture: str = "go_service") -> Mistake:
    """The good test with another marker or another fixture."""
    test = GOOD_TEST.replace('gomem(peak_rss="1.8GB")', marker).replace("(go_service)", f"({fixture})")
    return Mistake(name, ("test_it.py:3", *says), test=test, collected=True)


RIVALS = """\
budgets:
  tests:
    "test_it.py::test_*t": {peak_rss: 1GB}
    "test_it.py::test_?t": {peak_rss: 2GB}
"""
MISTAKES = (
    in_yaml("unknown key", "ready:", "reddy:", "gomem.yaml:6", "did you mean ready?"),
    in_yaml("duplicate key", "    args:", "    binary: ./x\n    args:", "gomem.yaml:5", "given twice"),
    in_yaml("unquoted token", '["--listen", "127.0.0.1:{port}"]', "[{port}]", "gomem.yaml:5", "quotes"),
    in_yaml("no version", "version: 1\n", "", "gomem.yaml", "version"),
    in_yaml("a version to come", "version: 1", "version: 2", "gomem.yaml:1", "expected version 1"),
    in_yaml("two ways to start", "    args:", "    build: ./cmd\n    args:", "stands beside"),
    in_yaml("syntax", "ready: {http", "ready: {http: [", "gomem.yaml:6", "is not YAML"),
    in_yaml("gogc that Go ignores", "ready:", "gc: {gogc: abc}\n    ready:", "gomem.yaml:6", "is no GOGC"),
    in_yaml("gogc off, no limit", "ready:", "gc: {gogc: off}\n    ready:", "gomem.yaml:6", "never collects"),
    in_yaml("gomemlimit in MB", "ready:", "gc: {gomemlimit: 64MB}\n    ready:", "gomem.yaml:6", "is no GOMEMLIMIT"),
    in_yaml("port nobody names", "ready: {", "ready: {port: admin, ", "gomem.yaml:6", "{port:admin}"),
    Mistake(
        "rivals of equal rank",
        ("test_it.py::test_*t", "test_it.py::test_?t", "equal rank"),
        GOOD_YAML + RIVALS,
        "def test_it(go_service):\n    pass\n",
        collected=True,
    ),
    in_marker("unknown metric", 'gomem(peak_rrs="1GB")', "did you mean peak_rss?"),
    in_marker("nonsense behind a quantity", 'gomem(peak_rss="24MBnonsense")', "24MBnonsense"),
    in_marker("wrong unit", 'gomem(peak_rss="5ms")', "5ms"),
    in_marker("positional", 'gomem("1GB")', "no positional arguments"),
    in_marker("unknown service", 'gomem(service="apo")', "no service 'apo'", "did you mean api?"),
    in_marker("no fixture", 'gomem(peak_rss="1GB")', "uses no gomem fixture", fixture=""),
    in_marker("max below min", 'gomem(peak_rss={"max": "1MB", "min": "2MB"})', "is below min"),
    in_marker("matrix value", 'gomem_gc(gogc=[25, "abc"])', "is no GOGC"),
)
assert len(MISTAKES) == 20


def faults(mistake: Mistake, outcome: Outcome, *, by_worker: bool) -> Iterator[str]:
    """What is wrong with the way the mistake was told."""
    if outcome.status not in (COLLECTION_ERROR if by_worker else USAGE_ERROR):
        yield f"exit status {outcome.status}"
    yield from (f"shows {word}" for word in UNWANTED if word in outcome.text)
    yield from (f"does not say {words!r}" for words in mistake.says if words not in outcome.text)
    if (places := messages(outcome)) != 1:
        yield f"{places} messages for one mistake"
    if ran := re.search(r"ERROR at setup|\d+ (?:passed|failed)", outcome.text):
        yield f"a test was run: {ran[0]}"


def messages(outcome: Outcome) -> int:
    """How many messages with a place were printed; pytest's short summary repeats the first line of each."""
    text = outcome.text.partition("short test summary info")[0]
    return len(re.findall(r"^(?:ERROR: )?(?:gomem\.yaml|test_it\.py):\d+\b.*", text, re.MULTILINE))


def told(folder: Path, mistakes: Sequence[Mistake], *args: str) -> dict[str, list[str]]:
    """What is wrong with each message, by the mistake's name."""
    found = {}
    for at, mistake in enumerate(mistakes):
        outcome = Project(folder / f"{at}{'-'.join(args)}", mistake.test, mistake.yaml).run(*args)
        by_worker = bool(args) and mistake.collected
        found[mistake.name] = [f"{text}\n{outcome.text}" for text in faults(mistake, outcome, by_worker=by_worker)]
    return found


def main() -> int:
    """Run and print."""
    small = small_asked(__doc__)
    alone = MISTAKES[::8] if small else MISTAKES
    parallel = (MISTAKES[12],) if small else MISTAKES
    with workshop() as folder:
        modes = {"pytest": told(folder, alone), "pytest -n 2": told(folder, parallel, "-n", "2")}
    rows = [
        (mode, len(found), clear := sum(not wrong for wrong in found.values()), f"{clear / len(found):.2f}")
        for mode, found in modes.items()
    ]
    table("broken configurations and markers", ("", "mistakes", "clear messages", "ratio"), rows)
    return verdict([f"{mode}: {name}: {w}" for mode, found in modes.items() for name, ws in found.items() for w in ws])


if __name__ == "__main__":
    sys.exit(main())
