"""Shows that what looks like a leak raises no alarm: ten look-alikes, each in fresh processes, twenty times.

Each is a path of a small service (look_alikes/main.go): a cache that fills, an LRU cache at its cap, a pool in steady
state, a map that grew once, tables made when they are first asked for, a buffer that grows to the largest request, the
saw-tooth of GOGC=400, connections that ramp up, a ticker that rebuilds a cache, a log that rotates. Budgets are those
of somebody who fears leaks. Each is run in both ways to measure growth: `cycles`, with a settled reading after each of
20 steps, and `plain`, by the live heap of each GC cycle. No alarm is allowed. Beside them stands a leak of 4 kB a
request, which must raise one each time: a test that can't fail shows nothing.

    python benchmarks/look_alikes.py [--runs 20] [--ways cycles,plain] [--only fills,lazy] [--busy 4] [--show]
    python benchmarks/look_alikes.py --small    one look-alike and the leak, one run each, for CI

--busy: so many processes that do nothing but count run beside it. --show: print the failures.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from common import Project, table, verdict, workshop

SERVICE = Path(__file__).parent / "look_alikes"
LOOK_ALIKES = (
    "fills",
    "evicts",
    "pooled",
    "grew_once",
    "lazy",
    "largest",
    "saw_tooth",
    "connected",
    "rebuilt",
    "rotates",
)
LEAK = "leaks"
WAYS = ("cycles", "plain")
STEPS, REQUESTS = 20, 2000
GROWTH = "heap_growth_per_op"
BUDGETS = {GROWTH: "16B", "goroutine_growth_per_op": "0.001", "leaked_goroutines": 0}
YAML = f"""version: 1
services:
  api:
    build: {SERVICE}
    args: ["--listen", "127.0.0.1:{{port}}", "--total", "{REQUESTS}"]
    ready: {{http: /healthz, timeout: 30s}}
"""
TESTS = """
    import contextlib
    import json
    import socket
    from pathlib import Path
    from urllib.parse import urlsplit

    import pytest

    given = json.loads((Path(__file__).parent / "given.json").read_text())
    pytestmark = [pytest.mark.gomem(**given["budgets"]), pytest.mark.parametrize("run", range(given["runs"]))]
    GOGC = {"saw_tooth": {"gogc": 400}}


    @pytest.fixture
    def gomem_service_options(kind):
        return {"gc": GOGC.get(kind, {})}


    @pytest.fixture
    def connect(go_service):
        with contextlib.ExitStack() as held:
            def one_more():
                address = urlsplit(go_service.url())
                connection = held.enter_context(socket.create_connection((address.hostname, address.port), 10))
                connection.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
                assert connection.recv(4096)
            yield one_more, held.close


    @pytest.mark.parametrize("kind", given["kinds"])
    @pytest.mark.parametrize("way", given["ways"])
    def test_it(go_service, connect, kind, way, run):
        connect_one, close_all = connect
        with go_service.warmup():
            go_service.load("/" + kind, requests=2)
        for step in go_service.cycles(given["steps"]) if way == "cycles" else range(given["steps"]):
            if kind == "connected" and step < given["steps"] // 3:
                for _ in range(6):
                    connect_one()
            go_service.load("/" + kind, requests=given["requests"] // given["steps"], connections=2)
        close_all()
"""


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that take all the CPU they get."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()


def alarms(window: Mapping[str, Any]) -> list[str]:
    """The budgets that it breaks."""
    return [one["metric"] for one in window["verdicts"] if one["status"] == "fail"]


def unmeasured(window: Mapping[str, Any]) -> list[str]:
    """The budgets that nobody could judge."""
    return [one["metric"] for one in window["verdicts"] if one["status"] not in ("pass", "fail", "warn")]


def main() -> int:
    """Run, count, print; 1 where a look-alike raised an alarm, or the leak passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--only", default=",".join((*LOOK_ALIKES, LEAK)))
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="print the failures")
    parser.add_argument("--small", action="store_true", help="a small instance, for CI")
    given = parser.parse_args()
    if given.small:
        given.runs, given.ways, given.only = 1, "cycles", f"grew_once,{LEAK}"
    rows, missed = [], []
    with workshop() as folder, busy(given.busy):
        for kind in given.only.split(","):
            for way in given.ways.split(","):
                settings = {
                    "kinds": [kind],
                    "ways": [way],
                    "runs": given.runs,
                    "budgets": BUDGETS,
                    "steps": STEPS,
                    "requests": REQUESTS,
                }
                began = time.monotonic()
                outcome = Project(folder / f"{kind}_{way}", TESTS, YAML, settings).run("--gomem-diagnose=off")
                seconds = (time.monotonic() - began) / given.runs
                windows = outcome.windows("test_it")
                if outcome.status > 1 or len(windows) != given.runs:
                    raise SystemExit(f"the benchmark's own tests failed:\n{outcome.text}")
                if given.show:
                    print(outcome.text)
                broken = [alarms(window) for window in windows]
                untold = Counter(metric for window in windows for metric in unmeasured(window))
                alarmed = sum(map(bool, broken))
                of_metrics = Counter(metric for one in broken for metric in one)
                rows.append(
                    (kind, way, f"{alarmed} of {given.runs}", words(of_metrics), words(untold), f"{seconds:.1f} s")
                )
                print(*rows[-1], sep="  ", flush=True)
                silent = sum(GROWTH not in (*broken[at], *unmeasured(window)) for at, window in enumerate(windows))
                if kind == LEAK and silent:  # a budget that nobody could judge fails its test, too
                    missed.append(f"{kind}, {way}: passed in {silent} of {given.runs} runs")
                if kind != LEAK and alarmed:
                    missed.append(f"{kind}, {way}: {alarmed} alarms in {given.runs} runs ({words(of_metrics)})")
    head = ("what", "way", "alarms", "by", "not told", "a run")
    table(f"look-alikes beside {given.busy} busy processes", head, rows)
    return verdict(missed)


def words(counted: Mapping[str, int]) -> str:
    """Metrics and how often, in words."""
    return ", ".join(f"{name} {count}" for name, count in sorted(counted.items())) or "-"


if __name__ == "__main__":
    sys.exit(main())
