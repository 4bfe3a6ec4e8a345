"""Shows that the timeline keeps its rate whatever the test itself does: the supervisor, another process, samples it.

The test computes in pure Python, in C code that computes and holds the GIL (a regular expression that backtracks), and
in C code that holds the GIL and sleeps. Limit: 45 of the 50 samples a second, and what the widest gap was.
The peer is a thread of the test's own process that samples the same service at 50 Hz meanwhile.

    python benchmarks/sampler_rate.py [--small]
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from common import Project, ms, program, service_yaml, small_asked, table, verdict, workshop

RATE, LIMIT = 50.0, 45.0
TESTS = """
    import ctypes, json, re, threading, time
    from pathlib import Path

    import psutil
    import pytest

    SECONDS = json.loads(Path("given.json").read_text())["seconds"]
    peers = {}


    @pytest.fixture
    def thread(go_service, request):
        "Samples at 50 Hz from a thread; the rate it reached is left to the script."
        over, count, process = threading.Event(), [0], psutil.Process(go_service.pid)

        def sample():
            due = time.monotonic()
            while not over.is_set():
                process.memory_info()
                count[0] += 1
                due = max(due + 0.02, time.monotonic())
                time.sleep(due - time.monotonic() if due > time.monotonic() else 0)

        sampler, started = threading.Thread(target=sample), time.monotonic()
        sampler.start()
        yield
        peers[request.node.name] = count[0] / (time.monotonic() - started)
        over.set()
        sampler.join()


    def until_over(step):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            step()


    def test_idle(go_service, thread):
        time.sleep(SECONDS)


    def test_python(go_service, thread):
        until_over(lambda: sum(n * n for n in range(1000)))


    def test_regex(go_service, thread):
        until_over(lambda: re.fullmatch("(a+)+b", "a" * 22))


    def test_gil_asleep(go_service, thread):
        until_over(lambda: ctypes.PyDLL(None).usleep(400_000))


    def test_note():
        Path("figures.json").write_text(json.dumps(peers))
"""
WORK = {
    "test_idle": "nothing",
    "test_python": "pure Python",
    "test_regex": "a regular expression, GIL held",
    "test_gil_asleep": "usleep with the GIL held",
}


def rate_and_gap(window: dict[str, Any]) -> tuple[float, float]:
    """Samples a second, and the longest time between two of them or to an edge of the window, seconds."""
    times = [0.0, *window["series"]["rss"]["t"], window["duration"]]
    return (len(times) - 2) / window["duration"], max(later - earlier for earlier, later in pairwise(times))


def measured(folder: Path, seconds: float) -> tuple[dict[str, tuple[float, float]], dict[str, float]]:
    """Rate and widest gap of the timeline, and the rate of the thread, by test."""
    project = Project(folder / "project", TESTS, service_yaml(program("server", folder)), {"seconds": seconds})
    outcome = project.passed()
    return {test: rate_and_gap(outcome.windows(test)[0]) for test in WORK}, project.figures()


def main() -> int:
    """Measure and print."""
    with workshop() as folder:
        timelines, threads = measured(folder, 1.0 if small_asked(__doc__) else 10.0)
    rows = [
        (
            WORK[test],
            f"{rate:.1f} Hz",
            f"{rate / RATE:.2f}",
            ms(gap),
            f"{threads[test]:.1f} Hz",
            f"{threads[test] / RATE:.2f}",
        )
        for test, (rate, gap) in timelines.items()
    ]
    head = ("what the test does", "timeline", "of 50 Hz", "widest gap", "peer: thread", "of 50 Hz")
    table("rate of the sampler", head, rows)
    return verdict(
        [f"{WORK[t]}: {rate:.1f} of 50 Hz, at least 45" for t, (rate, _) in timelines.items() if rate < LIMIT]
    )


if __name__ == "__main__":
    sys.exit(main())
