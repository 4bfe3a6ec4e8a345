"""Owns what the report tests are made of: hand-written records, random ones, and the comparison with golden files."""

from __future__ import annotations

import difflib
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from pytest_gomem.attribution.causes import KINDS, Cause
from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.attribution.goroutines import GoroutineGroup
from pytest_gomem.attribution.origin import Site
from pytest_gomem.base.errors import Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import UNITS, Quantity, parse_quantity
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.functions import FunctionValue
from pytest_gomem.judge.objects import TypeValue
from pytest_gomem.judge.verdict import Accepted, Verdict
from pytest_gomem.measure.allocation import SizeClassGrowth
from pytest_gomem.measure.bill import ROW_KINDS, Bill, Row
from pytest_gomem.measure.cross_checks import CrossCheck
from pytest_gomem.measure.cycles import JoinedCycle
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.peak import PeakMoment
from pytest_gomem.measure.quantiles import Bucket
from pytest_gomem.measure.registry import builtin_metrics
from pytest_gomem.measure.series import Series
from pytest_gomem.measure.work import LoadSummary
from pytest_gomem.results.bill import bill_record
from pytest_gomem.results.flame_record import FlameRecord
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.window_record import BuildRecord, GcRecord, MetricValue, PhaseRecord, WindowRecord
from pytest_gomem.stats.decision import Status

# Whole records take long to build on a busy machine, and a deadline would be an assertion on time.
calmly = settings(max_examples=settings.default.max_examples * 3 // 10)
GOLDEN = Path(__file__).parent / "golden"
_DEFINITIONS = {metric.name: metric.definition for metric in builtin_metrics()}
_UNITS = {
    **{metric.name: metric.unit.name for metric in builtin_metrics()},
    "time_to_limit": "seconds", "leaked_goroutines": "count",
}  # fmt: skip


def assert_golden(name: str, text: str) -> None:
    """Compare with golden/NAME; UPDATE_GOLDEN=1 in the environment writes it instead. Fails with a diff."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text + "\n", "utf-8")
    expected = path.read_text("utf-8") if path.exists() else ""
    if text + "\n" != expected:
        diff = difflib.unified_diff(expected.splitlines(), text.splitlines(), f"golden/{name}", "got", lineterm="")
        pytest.fail("\n".join(diff), pytrace=False)


def metric(name: str, value: float | str | None, note: str = "") -> MetricValue:
    """A metric with a value, or with the reason why it has none."""
    result = Unavailable(value) if isinstance(value, str) else Reading(value, "a source", note=note)
    return MetricValue(name, _UNITS[name], result, _DEFINITIONS.get(name, 1))


def verdict(name: str, written: str, actual: float | None, kind: str = "max", reason: str = "", **place) -> Verdict:
    """A verdict with share and status worked out from the figures."""
    limit = parse_quantity(written, UNITS[_UNITS[name]])
    budget = Budget(
        metric=name,
        **{each: limit if each == kind else None for each in ("max", "min", "warn", "regression")},
        function="",
        scope="tests glob",
        place=Place("gomem.yaml", 31, f"budgets.tests.{name}"),
    )
    budget = replace(budget, **place)
    if actual is None:
        return Verdict(budget, limit, kind, None, Status.UNAVAILABLE, None, None, reason)
    room = (actual - limit.value) if kind == "min" else (limit.value - actual)
    share = abs(room) / limit.value if limit.value else None
    if room >= 0:
        return Verdict(budget, limit, kind, actual, Status.PASS, None, share, "")
    status = Status.WARN if kind == "warn" else Status.FAIL
    return Verdict(budget, limit, kind, actual, status, share, None, reason)


def window(**fields) -> WindowRecord:
    """A window of the service 'api' that lasted 10.2 s for 1000 ops, with the given fields."""
    known = {
        "name": "test",
        "service": "api",
        "build": BuildRecord("", "go1.26.0", "0a1b2c3", ("-trimpath",)),
        "gc": GcRecord({"gogc": "100", "gomaxprocs": "2"}, {"gogc": "100", "gomaxprocs": "2"}),
        "ops": 1000,
        "duration": 10.2,
        "metrics": (),
    }
    return WindowRecord(**{**known, **fields})


def usual_metrics(**values: float | str) -> tuple[MetricValue, ...]:
    """The key metrics of a healthy upload service, some replaced."""
    known = {
        "peak_rss": 1.58e9, "live_heap": 61.2e6, "alloc_bytes_per_op": 30_100.0, "gc_cycles": 389.0,
        "gc_pause_max": 412e-6, "gc_cpu": 0.043, "goroutines": 12.0,
    }  # fmt: skip
    return tuple(metric(name, value) for name, value in {**known, **values}.items())


def failing_window() -> WindowRecord:
    """A window with every kind of trouble at once."""
    return window(
        metrics=(
            *usual_metrics(peak_rss=2.022e9, live_heap=63.8e6),
            metric("start_rss", 182e6),
            metric("end_rss", 1.91e9),
            metric("peak_heap", "the service has no pprof endpoint"),
            metric("gc_pause_p99", 412e-6, note="p99 of 40 cycles is their maximum"),
            metric("latency_p99", 0.0123),
            metric("throughput", 98.04),
        ),
        verdicts=(
            verdict(
                "peak_rss", "1.8GB", 2.022e9, reason="peak_rss is 2.02 GB, 222 MB (12.3%) over its limit of 1.8GB"
            ),
            verdict(
                "peak_heap", "1GiB", None, reason="peak_heap is unavailable: the service has no pprof endpoint"
            ),
            verdict(
                "live_heap", "60MiB", 63.8e6, "warn",
                reason="live_heap is 63.8 MB, 885 kB (1.4%) over its warning level of 60MiB",
            ),
            verdict("goroutines", "200", 12.0),
            verdict(
                "gc_pause_p99", "0.4ms", 412e-6,
                reason="gc_pause_p99 is 412 us, 12.0 us (3.0%) over its limit of 0.4ms",
                scope="marker on function", place=Place("tests/test_mem.py", 12, "gomem gc_pause_p99"),
            ),
        ),
        gc=GcRecord(
            {"gogc": "100", "gomemlimit": "1GiB", "gomaxprocs": "2", "godebug": ""},
            {"gogc": "100", "gomemlimit": "512MiB", "gomaxprocs": "2"},
        ),
        peak_moment=PeakMoment(3.18, 3.2, 182_000_000),
        phases=(PhaseRecord("fill", 0.5, 4.0, 600),),
        loads=(LoadSummary(1000, 3, 10.2, 98.04, None, 0.009, 0.0123, 0.051, {"200": 997, "500": 3}),),
        artifacts={"heap profile": "test_upload/heap.pb.gz"},
        notes=("2 of 391 gctrace lines were torn by the service's own log and are not counted",),
        log_tail="\n".join(f"level=warn msg=\"slow\tupload\" n={n}" for n in range(1, 26)) + "\n",
    )  # fmt: skip


def fat_window() -> WindowRecord:
    """A window that breaks ten limits, with long names, notes and log lines, and everything else that is told."""
    long = "example.com/company/service/internal/" + "deeply/nested/" * 5
    culprits = [
        Culprit(
            f"{long}cache.(*Sharded).insert{number}", f"{long}cache/sharded.go", number, metric, 0, 10**9, 10**6, 0.2,
            "holds 1.00 GB that was not there when the window opened", (Site(f"{long}web.handle", "web.go", 7),) * 3,
            causes=(Cause("escape", "`make([]byte, 1024)` escapes to the heap, since it is returned " * 2),),
        )
        for metric in ("live_heap", "peak_rss", "total_alloc")
        for number in range(5)
    ]  # fmt: skip
    measured = failing_window()
    verdicts = [
        verdict(name, "1MB" if name not in ("gc_cycles", "goroutines") else "1", 1e9, reason=f"{name} is too much " * 9)
        for name in ("live_heap", "peak_rss", "total_alloc", "gc_cycles", "goroutines", "end_rss", "start_rss")
    ]
    bill = bill_record(Bill(tuple(Row(name, 10**8) for name in ROW_KINDS), 10**9, 0))
    return replace(
        measured,
        gc=GcRecord({"gogc": "50", "gomemlimit": "1GiB"}, {"gogc": "50"}),
        verdicts=(*measured.verdicts, *verdicts),
        culprits=tuple(culprits),
        culprit_summaries=dict.fromkeys(("live_heap", "peak_rss", "total_alloc"), "5 of 99 functions, 100%"),
        bill=bill,
        notes=tuple(f"{number} is a note on what happened meanwhile, which is long " * 5 for number in range(9)),
        artifacts={f"profile_{number}": "a" * 150 for number in range(5)},
        log_tail="".join(f"line {number} {'x' * 300}\n" for number in range(20)),
        loads=measured.loads * 4,
    )


def dead_window() -> WindowRecord:
    """A window whose process was killed: no figures, no verdicts."""
    return window(
        ops=None,
        duration=1.5,
        metrics=(metric("peak_rss", "the process died in the window"),),
        gc=GcRecord({}, {}),
        notes=("api (pid 4242) was killed by SIGKILL 1.4 s into the window; the cgroup counted an OOM kill",),
        log_tail="panic: \x1b[31mred\x1b[0m\n",
    )


def sample_tests() -> tuple[TestRecord, ...]:
    """Tests of all sorts: broken, unmeasured, warned, kept, without limits, with two windows, without any."""
    no_ops = "no operations were counted: use get, post, load, count(n) or ops="
    steady = window(
        name="steady",
        metrics=usual_metrics(alloc_bytes_per_op=no_ops),
        verdicts=(verdict("peak_rss", "1.8GB", 1.58e9), verdict("time_to_limit", "24h", 3e5, "min")),
    )
    cold = window(
        name="cold",
        metrics=usual_metrics(alloc_bytes_per_op=no_ops, gc_cycles=math.nan),
        verdicts=(verdict("time_to_limit", "24h", 36_000.0, "min"),),
    )
    close = window(metrics=usual_metrics(), verdicts=(verdict("live_heap", "60MiB", 63.8e6, "warn"),))
    leaky = window(metrics=usual_metrics(), verdicts=(verdict("leaked_goroutines", "0", 12.0),))
    unmeasured = window(
        metrics=usual_metrics(gc_pause_max="the service has no gctrace"),
        verdicts=(verdict("gc_pause_max", "5ms", None, reason="gc_pause_max is unavailable: the service ..."),),
    )
    return (
        TestRecord("tests/memory/test_mem.py::test_upload", "failed", (failing_window(),)),
        TestRecord("tests/memory/test_mem.py::TestDownload::test_range[first-byte]", "passed", (steady, cold)),
        TestRecord("tests/memory/test_mem.py::test_close_to_its_limit_with_a_long_name", "passed", (close,)),
        TestRecord("tests/memory/test_mem.py::test_leak", "failed", (leaky,)),
        TestRecord("tests/memory/test_mem.py::test_pause", "failed", (unmeasured,)),
        TestRecord("tests/memory/test_mem.py::test_free", "passed", (window(metrics=usual_metrics()),)),
        TestRecord("tests/memory/test_mem.py::test_skipped", "skipped", ()),
    )


def sample_run() -> RunRecord:
    """A run of the sample tests."""
    environment = {"go_version": "go1.26.0", "goos": "linux", "goarch": "amd64", "kernel": "6.18.5", "cpus": 2}
    return RunRecord("0.1.0", environment, (*sample_tests(), *matrix_tests()))


def matrix_tests(**changed: dict[str, float | str]) -> tuple[TestRecord, ...]:
    """A matrix of three GOGC values under two memory limits; `changed` replaces metrics of g25, g100 or g400."""
    figures = {"g25": (1560.0, 1.3e9, 0.31), "g100": (400.0, 1.585e9, 0.08), "g400": (98.0, 2.4e9, 0.021)}
    tests = []
    for limit in ("off", "1GiB"):
        for key, (cycles, peak, cpu) in figures.items():
            gogc = key[1:]
            values = {"gc_cycles": cycles, "peak_rss": peak if limit == "off" else peak / 2, "gc_cpu": cpu}
            matrix = {"gogc": gogc, "gomemlimit": limit}
            measured = window(metrics=usual_metrics(**{**values, **changed.get(key, {})}))
            nodeid = f"tests/memory/test_mem.py::test_matrix[gogc={gogc}-gomemlimit={limit}]"
            tests.append(TestRecord(nodeid, "passed", (measured,), matrix))
    return tuple(tests)


_text = st.text(max_size=12) | st.sampled_from(["", "api", "日本語の名前", "e\u0301", "\x1b[31m", "a\nb", "\udce9"])
_number = st.floats() | st.floats(0, 1e12) | st.integers(0, 10**12).map(float)
_finite = st.floats(0, 1e15)
_count = st.integers(0, 10**9)
_texts = st.dictionaries(_text, _text, max_size=3)
_names = st.sampled_from(sorted(_UNITS)) | _text
_units = st.sampled_from([*UNITS, "widgets"])

_results = st.builds(Unavailable, _text) | st.builds(Reading, _number, _text, _text, _text)
# A registry refuses two metrics of one name.
_metrics = st.lists(
    st.builds(MetricValue, _names, _units, _results), max_size=6, unique_by=lambda metric: metric.name
).map(tuple)


@st.composite
def _verdicts(draw) -> Verdict:
    kind = draw(st.sampled_from(["max", "min", "warn", "regression"]))
    limit = Quantity(draw(_finite), draw(st.sampled_from(list(UNITS.values()))), draw(_text))
    place = draw(st.builds(Place, _text, _count, _text))
    limits = {each: limit if each == kind else None for each in ("max", "min", "warn", "regression")}
    cum = draw(st.booleans())
    budget = Budget(draw(_names), **limits, function=draw(_text), scope=draw(_text), place=place, cum=cum)
    status = draw(st.sampled_from(Status))
    actual = None if status is Status.UNAVAILABLE else draw(_number)
    share = st.none() | _number
    accepted = draw(st.none() | st.builds(Accepted, _text, _text, st.dates(), _text)) if status is Status.WARN else None
    compared = {} if kind != "regression" else {
        "baseline": draw(share), "change": draw(share), "interval": draw(st.none() | st.tuples(_number, _number)),
        "rounds_needed": draw(st.none() | _count), "rounds": draw(st.none() | st.tuples(_count, _count)),
    }  # fmt: skip
    return Verdict(
        budget,
        limit,
        kind,
        actual,
        status,
        draw(share),
        draw(share),
        draw(_text),
        accepted=accepted,
        smallest_visible=draw(share),
        **compared,
    )


_latency = st.none() | _number
_loads = st.builds(
    LoadSummary, _count, _count, _number, _number, _latency, _latency, _latency, _latency,
    st.dictionaries(_text, _count, max_size=3),
)  # fmt: skip
_points = st.lists(st.tuples(_number, _number), max_size=4)
_series = _points.map(lambda points: Series(tuple(t for t, _ in points), tuple(v for _, v in points)))
_sites = st.builds(Site, _text, _text, _count)
_culprits = st.builds(
    Culprit,
    _text, _text, _count, _names, st.none() | _count, _count, _count, st.floats(0, 1), _text,
    callers=st.lists(_sites, max_size=2).map(tuple),
    causes=st.lists(st.builds(Cause, st.sampled_from(KINDS), _text), max_size=3).map(tuple),
    leaf=_text,
)  # fmt: skip
_goroutines = st.builds(
    GoroutineGroup,
    *[_text] * 3, _count, _text, st.none() | _count, _count, st.lists(_text, max_size=2).map(tuple),
)  # fmt: skip
_types = st.builds(
    TypeValue,
    st.sampled_from(["objects", "object_bytes"]),
    _text,
    _count,
    st.floats(0, 1),
    _count,
    _count,
    _text,
)
_functions = st.builds(
    FunctionValue, _text, _text, st.booleans(), _count, _count, st.integers(1, 1 << 30), _count, _text
)
_phases = st.builds(PhaseRecord, _text, _number, _number, st.none() | _count, _metrics)
_numbers = st.lists(st.integers(-1, 1 << 40), max_size=3).map(tuple)
_flames = st.builds(
    FlameRecord,
    _text,
    st.sampled_from(["bytes", "count"]),
    _text,
    *[st.lists(_text, max_size=2).map(tuple)] * 2,
    *[_numbers] * 2,
    st.lists(_text, max_size=2).map(tuple),
    *[_numbers] * 2,
    *[_numbers.map(lambda row: tuple(map(abs, row)))] * 3,
    _count,
)
_alone = st.builds(
    WindowRecord,
    name=_text,
    service=_text,
    build=st.builds(BuildRecord, _text, _text, _text, st.lists(_text, max_size=2).map(tuple)),
    gc=st.builds(GcRecord, _texts, _texts),
    ops=st.none() | _count,
    duration=_number,
    metrics=_metrics,
    verdicts=st.lists(_verdicts(), max_size=4).map(tuple),
    peak_moment=st.none() | st.builds(PeakMoment, _number, _number, _count),
    loads=st.lists(_loads, max_size=2).map(tuple),
    series=st.dictionaries(_text, _series, max_size=2),
    artifacts=_texts,
    notes=st.lists(_text, max_size=2).map(tuple),
    log_tail=_text,
    cycles=st.lists(
        st.builds(
            JoinedCycle,
            _count,
            *[st.none() | _number] * 2,
            *[st.none() | _count] * 4,
            st.none() | _number,
            st.none() | st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
    size_classes=st.lists(st.builds(SizeClassGrowth, *[st.none() | _count] * 3, _count), max_size=2).map(tuple),
    histograms=st.dictionaries(
        _text, st.lists(st.builds(Bucket, _finite, _finite, _count), max_size=2).map(tuple), max_size=2
    ),
    cross_checks=st.lists(
        st.builds(CrossCheck, _text, st.tuples(_text, _text), st.tuples(_number, _number), _text, st.booleans()),
        max_size=2,
    ).map(tuple),
    phases=st.lists(_phases, max_size=2).map(tuple),
    rounds=st.lists(st.dictionaries(_names, _number, max_size=3), max_size=3).map(tuple),
    conditions=_texts,
    functions=st.lists(_functions, max_size=2).map(tuple),
    types=st.lists(_types, max_size=2).map(tuple),
    culprits=st.lists(_culprits, max_size=2).map(tuple),
    goroutine_groups=st.lists(_goroutines, max_size=2).map(tuple),
    flames=st.dictionaries(st.sampled_from(["live", "allocated", "holders"]), _flames, max_size=1),
)
# One whose base is a window too, as in a comparison.
windows = st.one_of(
    _alone,
    st.builds(lambda new, base, why: replace(new, base=base, no_base=why), _alone, st.none() | _alone, _text),
)
tests = st.builds(
    TestRecord,
    nodeid=_text | st.sampled_from(["tests/a/test_b.py::TestC::test_d[gogc=25-x]", "test_b.py::test_d[gogc=50]"]),
    outcome=st.sampled_from(["passed", "failed", "skipped", "error"]),
    windows=st.lists(windows, max_size=3).map(tuple),
    matrix=_texts | st.sampled_from([{"gogc": "25"}, {"gogc": "50"}]),
    line=st.none() | st.integers(1, 10**6),
    duration=st.none() | _finite,
)
runs = st.builds(
    RunRecord,
    tool_version=_text,
    environment=st.dictionaries(_text, st.none() | _text | _count | _number, max_size=3),
    tests=st.lists(tests, max_size=3).map(tuple),
    commit=_text,
    folder=_text,
    deselected=st.lists(_text, max_size=2).map(tuple),
)
