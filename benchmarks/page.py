"""Measures the page of a long run: its size, how long it takes to write, and until headless Chromium has painted it.

A real run of the example service is multiplied to 500 tests: each with all series at 2000 points, 20 of them failed,
with culprits, holders and flame graphs, and figures that vary. Limits: 15 MB, and 2 s until the list is painted, when
the page can first be used. Opening a failed test is measured too. --small takes 25 tests that are
made up, and looks at the size alone.

    python benchmarks/page.py [--small]
"""

from __future__ import annotations

import random
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from common import ROOT, Project, go_service, service_yaml, small_asked, table, verdict, workshop

from pytest_gomem.measure.registry import builtin_metrics
from pytest_gomem.measure.series import MAX_POINTS, Series
from pytest_gomem.page.write import write_page
from pytest_gomem.report.json_reading import read_report
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.testing import fake_run, fake_window_record

sys.path.insert(0, str(ROOT / "tests" / "integration"))
from chromium import Chromium, executable  # the driver of the tests

MOST_BYTES, MOST_SECONDS = 15e6, 2.0
FAILED = 20
TESTS = """
    import pytest

    @pytest.mark.gomem(peak_rss="400MB", live_heap="100MB", gc_pause_max="1s")
    def test_passes(go_service):
        with go_service.phase("logs"):
            go_service.load("/logs/batched", requests=200, connections=4)
        with go_service.phase("encode"):
            go_service.load("/encode/fresh", requests=200, connections=4)

    @pytest.mark.gomem(peak_rss="60MB", live_heap="8MB", alloc_bytes_per_op="100kB", goroutines=50)
    def test_fails(go_service):
        go_service.load("/logs/leaky", requests=100, connections=4)
        go_service.load("/encode/fresh", requests=100, connections=4)
"""
PAINTED = """new Promise((told) => {
    const look = () => {
        const paint = performance.getEntriesByType("paint").find((one) => one.name === "first-contentful-paint");
        if (!paint || !document.querySelector(".item")) return setTimeout(look, 5);
        return requestAnimationFrame(() => told([paint.startTime, performance.now()]));
    };
    look();
})"""
OPENED = """new Promise((told) => {
    const start = performance.now();
    const look = () => document.querySelector("#part-course canvas")
        ? requestAnimationFrame(() => told(performance.now() - start)) : setTimeout(look, 2);
    document.querySelector(".item a").click();
    look();
})"""


def recorded(folder: Path) -> RunRecord:
    """The run of the two tests, as its JSON report has it."""
    project = Project(folder / "project", TESTS, service_yaml(go_service(folder)))
    project.run("-q")
    return read_report(project.folder / "report.json")


def made_up() -> RunRecord:
    """Two tests of that name, without a service."""
    figures = {metric.name: 1e6 for metric in builtin_metrics()}
    limits = {"passes": "1GB", "fails": "1kB"}
    return fake_run(
        {f"test_it.py::{name}": [fake_window_record(figures, {"peak_rss": at})] for name, at in limits.items()}
    )


def varied(window: WindowRecord, chance: random.Random) -> WindowRecord:
    """Its series at as many points as a report can hold, each with some noise of its own."""
    duration, times = window.duration, [window.duration * at / MAX_POINTS for at in range(MAX_POINTS)]

    def series(one: Series) -> Series:
        known = [one.v[min(at * len(one.v) // MAX_POINTS, len(one.v) - 1)] for at in range(MAX_POINTS)]
        return Series(tuple(times), tuple(float(int(value * chance.uniform(0.97, 1.03))) for value in known))

    cycles = tuple(
        replace(
            window.cycles[at % len(window.cycles)],
            number=at,
            end=duration * at / MAX_POINTS,
            pause=chance.random() / 1e3,
        )
        for at in range(MAX_POINTS if window.cycles else 0)
    )
    names = ("rss", "hwm", "threads", "fds", "heap_live")
    usual = Series((0.0, duration), (20.0, 20.0))
    every = {name: series(window.series.get(name, usual)) for name in names}
    return replace(window, series=every, cycles=cycles)


class Multiplied(Sequence[TestRecord]):
    """So many tests, of which so many failed; each is made when it is asked for, as records on disk are read."""

    def __init__(self, run: RunRecord, number: int, failed: int) -> None:
        self._passing, self._failing = (
            next(one for one in run.tests if name in one.nodeid) for name in ("passes", "fails")
        )
        self._number, self._every = number, number // failed

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, at: int) -> TestRecord:
        if at >= self._number:
            raise IndexError(at)
        test, chance = self._passing if at % self._every else self._failing, random.Random(at)
        windows = tuple(varied(window, chance) for window in test.windows)
        return replace(test, nodeid=f"tests/area_{at % 12}/test_it.py::test_case[{at}]", windows=windows)


def seconds(action: Callable[[], object]) -> float:
    """CPU time of this process."""
    before = time.process_time()
    action()
    return time.process_time() - before


def looked_at(page: Path, profile: Path) -> tuple[float, float, float]:
    """Seconds until the first paint, until the list is there, and until a failed test is drawn."""
    browser = Chromium(profile, 1280, 900)
    try:
        browser.ask("Page.navigate", url=page.as_uri())
        first, shown = browser.evaluate(PAINTED)
        while not browser.evaluate("document.readyState === 'complete'"):
            time.sleep(0.05)
        opened = browser.evaluate(OPENED)
        assert not browser.complaints, browser.complaints
        return first / 1e3, shown / 1e3, opened / 1e3
    finally:
        browser.close()


def main() -> int:
    """Measure and print."""
    small = small_asked(__doc__)
    number, failed = (25, 2) if small else (500, FAILED)
    with workshop() as folder:
        run = made_up() if small else recorded(folder)
        whole = replace(run, tests=Multiplied(run, number, failed))
        page = folder / "page.html"
        made = seconds(lambda: deque(whole.tests, maxlen=0))
        written = seconds(lambda: write_page(whole, page, "--gomem-html")) - made
        size = page.stat().st_size
        rows = [("size", f"{size / 1e6:.2f} MB"), ("written in", f"{written:.2f} s of CPU")]
        problems = [f"{size / 1e6:.1f} MB"] if size > MOST_BYTES * number / 500 + 1e6 * small else []
        if executable() and not small:
            times = [looked_at(page, folder / f"chromium-{at}") for at in range(5)]
            middle = [sorted(one)[len(one) // 2] for one in zip(*times, strict=True)]
            names = ("first paint", "list painted", "a failed test opened")
            rows += [(name, f"{seconds:.2f} s") for name, seconds in zip(names, middle, strict=True)]
            if middle[1] > MOST_SECONDS:
                problems.append(f"{middle[1]:.2f} s until the list is painted")
        elif not small:
            rows.append(("first paint", "not measured: there is no Chromium here"))
        flames = sum(len(window.flames) for window in whole.tests[0].windows)
    table(f"the page of {number} tests, {failed} failed with {flames} flame graphs each", ("", ""), rows)
    return verdict(problems)


if __name__ == "__main__":
    sys.exit(main())
