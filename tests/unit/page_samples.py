"""What the tests of the page share: its data as a browser reads it, and a run with hostile names."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import report_samples as samples

from pytest_gomem.judge.known_leaks import FoundLeak
from pytest_gomem.measure.cross_checks import CrossCheck
from pytest_gomem.measure.cycles import JoinedCycle
from pytest_gomem.measure.quantiles import Bucket
from pytest_gomem.measure.series import Series
from pytest_gomem.page.write import write_page
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.window_record import PhaseRecord, WindowRecord

_DATA = re.compile(r'<script id="(\w+)" type="application/json">(.*)</script>')
HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>'\"&\u2028\u202e\x1b[31m\x00\udce9"


def page_of(run: RunRecord, folder: Path) -> tuple[str, dict]:
    """The text of its page, and the data in it by id."""
    path = folder / "page.html"
    write_page(run, path, "--gomem-html")
    text = path.read_text("utf-8")
    return text, {name: json.loads(data) for name, data in _DATA.findall(text)}


def course_window(points: int = 2000, **fields) -> WindowRecord:
    """A window with all series, GC cycles, phases, and a spike of one point."""
    times = tuple(at * 10.0 / points for at in range(points))
    rss = [100e6 + 2e4 * at for at in range(points)]
    rss[points // 2] = 400e6
    flat = tuple(12.0 for _ in times)
    known = {
        "metrics": samples.usual_metrics(),
        "verdicts": (samples.verdict("peak_rss", "300MB", 400e6, reason="peak_rss is 400 MB"),),
        "series": {
            "rss": Series(times, tuple(rss)),
            "hwm": Series(times, tuple(max(rss[: at + 1]) for at in range(points))),
            "heap_live": Series(times, tuple(60e6 + at for at in range(points))),
            "threads": Series(times, flat),
            "fds": Series(times, flat),
        },
        "cycles": tuple(
            JoinedCycle(at, at / 100, (at % 7) * 1e-5, *[50 << 20] * 3, (100 + at % 3) << 20) for at in range(1, 1000)
        ),
        "phases": (PhaseRecord("fill", 0.5, 4.0, 600), PhaseRecord("drain", 4.0, 9.5, None)),
    }
    return samples.window(**{**known, **fields})


def checked_window() -> WindowRecord:
    """A window with an expired entry on a leak, sources that agree and disagree, and a long histogram."""
    leak = FoundLeak("a*", "goroutines", "main.serve*", 3, "upstream bug", "ana", date(2026, 1, 2), is_over=True)
    checks = tuple(CrossCheck("rss", ("kernel", "agent"), (4e7, 9e7), "+- 2 MB", agrees) for agrees in (True, False))
    buckets = (Bucket(-math.inf, 1e-6, 1), *(Bucket(at * 1e-6, (at + 1) * 1e-6, at) for at in range(1, 40)))
    found = samples.window(known_leaks=(leak,), cross_checks=checks, histograms={"gc_stops": buckets})
    return replace(found, metrics=samples.usual_metrics())


def hostile_run() -> RunRecord:
    """A run in which every text that comes from elsewhere tries to be markup."""
    window = replace(
        samples.fat_window(),
        name=HOSTILE,
        service=HOSTILE,
        notes=(HOSTILE,),
        log_tail=f"{HOSTILE}\n::error::{HOSTILE}",
        artifacts={HOSTILE: f"javascript:alert(3)//{HOSTILE}"},
        conditions={HOSTILE: HOSTILE},
        phases=(PhaseRecord(HOSTILE, 0.0, 1.0, 1),),
        culprit_summaries={"live_heap": HOSTILE},
        no_base=HOSTILE,
        series=course_window(50).series,
    )
    culprits = tuple(replace(one, function=HOSTILE, file=HOSTILE, reason=HOSTILE) for one in window.culprits)
    window = replace(window, culprits=culprits)
    tests = tuple(
        TestRecord(f"tests/test_{HOSTILE}.py::test_it[{at}]", "failed", (window, window), {HOSTILE: str(at)}, HOSTILE)
        for at in range(2)
    )
    environment = {"kernel": HOSTILE, HOSTILE: HOSTILE}
    return RunRecord("0.1.0", environment, tests, commit=HOSTILE, folder=HOSTILE, artifacts="/tmp/kept")
