"""Shows that with the agent's stderr split every gctrace line is whole, however hard the service logs.

tests/programs/gclogger collects while four goroutines write to os.Stderr and to the log, gctrace look-alikes among it.
Built with the agent, os.Stderr is a pipe of its own. Limit: every GC cycle of each burst has its line, whole.
The peer is the same service with `stderr_split: false`.

    python benchmarks/split_stderr.py [--small]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from common import LISTEN, PROGRAMS, Project, small_asked, table, verdict, workshop

TESTS = """
    import json
    from pathlib import Path

    import pytest

    given = json.loads(Path("given.json").read_text())


    @pytest.mark.parametrize("name", ["split", "shared"])
    def test_burst(gomem, name):
        with gomem.launch(name) as service:
            for _ in range(given["bursts"]):
                with gomem.measure(service):
                    service.get("/burn?cycles=150", timeout=120)
"""


def yaml() -> str:
    """Both services: split, and with one stderr for all."""
    one = f"build: {PROGRAMS}/gclogger\n    args: {json.dumps(LISTEN)}\n    ready: {{http: /healthz, timeout: 30s}}\n"
    return f"version: 1\nservices:\n  split:\n    {one}  shared:\n    {one}    stderr_split: false\n"


def lines(folder: Path, bursts: int) -> dict[str, tuple[int, int]]:
    """How many GC cycles there were, and how many have no line, by service."""
    outcome = Project(folder / "project", TESTS, yaml(), {"bursts": bursts}).passed()
    found = {}
    for name in ("split", "shared"):
        tests = [test for test in outcome.report["tests"] if test["nodeid"].endswith(f"[{name}]")]
        cycles = [cycle for test in tests for window in test["windows"] for cycle in window["cycles"]]
        found[name] = (len(cycles), sum(cycle["heap_live"] is None for cycle in cycles))
    return found


def main() -> int:
    """Measure and print."""
    bursts = 1 if small_asked(__doc__) else 12
    with workshop() as folder:
        found = lines(folder, bursts)
    names = {"split": "with the split", "shared": "peer: stderr_split: false"}
    rows = [(words, found[name][0], found[name][1]) for name, words in names.items()]
    table(f"gctrace lines in {bursts} bursts of logging", ("", "GC cycles", "without a whole line"), rows)
    missed = [f"{found['split'][1]} lines were torn"] if found["split"][1] or not found["split"][0] else []
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
