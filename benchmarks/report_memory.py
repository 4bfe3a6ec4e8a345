"""Shows that pytest's own memory stays flat over a long run: the records of its tests are on disk, not in memory.

1000 tests, each with the record of a measured test: all metrics, a timeline of 10 s, 30 GC cycles. JSON report and
history are on. The figure is the peak RSS of pytest, against that of a run of 20 tests. The same run without records
shows what pytest itself takes for a test. Limit: 15 kB a test more than that. The peer keeps all records in memory.
--small prints, and enforces no limit.

    python benchmarks/report_memory.py [--small]
"""

from __future__ import annotations

import sys
from pathlib import Path

from common import Project, small_asked, table, verdict, workshop

LIMIT = 15.0  # kB a test
TESTS = """
    import json
    from pathlib import Path

    import pytest

    @pytest.mark.parametrize("number", range(json.loads(Path("given.json").read_text())["tests"]))
    def test_it(number):
        pass
"""
CONFTEST = """
    import json
    from pathlib import Path

    import pytest

    from pytest_gomem.measure.cycles import JoinedCycle
    from pytest_gomem.measure.registry import builtin_metrics
    from pytest_gomem.results.run_record import TestRecord
    from pytest_gomem.results.stored import from_line, to_line
    from pytest_gomem.results.window_record import Series
    from pytest_gomem.testing import fake_window_record

    GIVEN = json.loads(Path("given.json").read_text())
    NAMES = [metric.name for metric in builtin_metrics()]
    POINTS = 500
    kept = []


    def record(nodeid):
        number = float(len(kept) + hash(nodeid) % 1000)
        points = tuple(number + at for at in range(POINTS))
        window = fake_window_record(
            {name: number + at for at, name in enumerate(NAMES)},
            {"live_heap": "1GB", "goroutines": 10**6},
            series={name: Series(points, points) for name in ("rss", "hwm", "heap_live")},
            cycles=tuple(JoinedCycle(at, at / 3, 1e-4, *[4 << 20] * 4, 1e-3, False) for at in range(30)),
            log_tail=f"level=info n={number} " * 100,
        )
        return TestRecord(nodeid, "passed", (window,))


    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(item):
        report = yield
        if report.when == "call" and GIVEN["records"] != "none":
            report.gomem = to_line(record(item.nodeid))
            if GIVEN["records"] == "in memory":
                kept.append(from_line(report.gomem))
        return report


    def pytest_unconfigure():
        lines = Path("/proc/self/status").read_text().splitlines()
        Path("figures.json").write_text(json.dumps([int(line.split()[1]) for line in lines if "VmHWM" in line][0]))
"""
KINDS = {"none": "pytest itself", "on disk": "records on disk", "in memory": "peer: records in memory"}


def peak(folder: Path, records: str, tests: int) -> int:
    """Peak RSS of a pytest run, in KiB."""
    project = Project(
        folder / f"{records}-{tests}".replace(" ", "-"), TESTS, None, {"records": records, "tests": tests}, CONFTEST
    )
    project.passed("-q", "--gomem-history=history.jsonl")
    return int(project.figures())


def main() -> int:
    """Measure and print."""
    small = small_asked(__doc__)
    few, many = (5, 25) if small else (20, 1000)
    with workshop() as folder:
        peaks = {kind: (peak(folder, kind, few), peak(folder, kind, many)) for kind in KINDS}
    each = {kind: (last - first) * 1.024 / (many - few) for kind, (first, last) in peaks.items()}
    rows = [
        (name, *(f"{size * 1.024 / 1000:.1f} MB" for size in peaks[kind]), f"{each[kind]:.1f} kB")
        for kind, name in KINDS.items()
    ]
    table(f"peak RSS of pytest over {many} measured tests", ("", f"{few} tests", f"{many} tests", "a test"), rows)
    more = each["on disk"] - each["none"]
    print(f"\n{more:.1f} kB a test more than pytest itself, of {LIMIT:.0f} kB")
    # Over so few tests what a run takes once is a large part of each.
    return verdict([f"{more:.1f} kB a test"] if more > LIMIT else [], enforced=not small)


if __name__ == "__main__":
    sys.exit(main())
