"""The registry: complete declarations, no duplicates, and an evaluation that never raises."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from gomem_windows import CLOSED, MIB, OPENED, kernel, pair, timeline, trace, window
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_gomem.base.errors import ConfigError, GomemError, ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import BYTES, UNITS
from pytest_gomem.cgroup.reading import GroupReading
from pytest_gomem.load.spec import LoadRecord
from pytest_gomem.measure.metric import Better, Metric, Noise, Reading, metric
from pytest_gomem.measure.registry import Registry, builtin_metrics, evaluate
from pytest_gomem.measure.window import GroupEdges, MemoryLimit, WorkCycle

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def declared(name: str, compute: Any) -> Metric:
    return Metric(name, "own", BYTES, Better.LOWER, Noise.NOISY, (), "", compute)


@pytest.mark.parametrize("one", builtin_metrics(), ids=lambda one: one.name)
def test_builtin_declares_itself_fully(one):
    """Each has a one-sentence definition, a source, a precision in words and a known unit."""
    assert one.doc.endswith(".")
    assert one.sources
    assert one.precision
    assert one.unit.name in UNITS


def test_what_windows_on_returned_memory_and_at_rest_redefined():
    """Older figures of these are of start-up garbage, or of what was about to end: none of them is compared."""
    again = {one.name for one in builtin_metrics() if one.definition > 1}
    returned = {"peak_rss", "end_rss", "start_rss", "peak_pss", "heap_released", "rss_free"}
    rested = {"live_heap", "heap_objects", "heap_fragmentation", "goroutines", "rss_live_heap", "rss_garbage"}
    assert again == returned | rested | {"gc_cpu", "gc_cpu_capacity", "gc_assist_cpu"}


def test_full_window_reads_every_builtin_but_pss():
    """With every source at hand, and work in cycles, all metrics have a finite value, a source and a precision."""
    cycles = tuple(WorkCycle(at / 2, 50 * at, (2 + at) * MIB, 5000, 8, 20 * MIB) for at in range(1, 21))
    group = GroupReading(CLOSED, 512 * MIB, 30 * MIB, 40 * MIB, 30 * MIB, 0, MIB, 39 * MIB, 0, OPENED)
    full = window(
        work_cycles=cycles,
        limit=MemoryLimit(512 * MIB, "GOMEMLIMIT"),
        group=GroupEdges(None, group, "cgroup v2"),
    )
    results = evaluate(full, builtin_metrics())
    assert {name for name, result in results.items() if isinstance(result, Unavailable)} == {"peak_pss"}
    for result in results.values():
        if isinstance(result, Reading):
            assert math.isfinite(result.value)
            assert result.source
            assert result.precision


def test_empty_window_gives_a_reason_for_every_builtin():
    """Where nothing was read, no metric has a value and each says why."""
    gone = Unavailable("nothing was read")
    empty = window(
        start=gone,
        end=gone,
        timeline=(),
        gctrace=gone,
        memstats=gone,
        ops=None,
        loads=(),
        gomaxprocs=None,
        smaps=gone,
        runtime=gone,
        startup_peak=gone,
        left=gone,
    )
    results = evaluate(empty, builtin_metrics())
    assert all(isinstance(result, Unavailable) and result.reason for result in results.values())


def test_names_are_unique_and_in_order():
    """The registry keeps the order of addition and knows each name's unit."""
    registry = Registry(builtin_metrics())
    assert [one.name for one in registry] == [one.name for one in builtin_metrics()]
    assert len(registry) == len(registry.units())
    assert registry.units()["peak_rss"] is BYTES
    assert "peak_rss" in registry


def test_second_metric_of_a_name_is_refused():
    """A user's metric may not hide a built-in one."""
    registry = Registry(builtin_metrics())
    with pytest.raises(GomemError, match=r"'peak_rss' is defined twice: by .*memory\.py:\d+ and by .*test_measure"):
        registry.add(declared("peak_rss", lambda one: Reading(1, "mine")))


def test_unknown_name_brings_the_nearest():
    """A typing mistake is answered with the name that was meant."""
    with pytest.raises(ConfigError, match="did you mean peak_rss"):
        Registry(builtin_metrics()).lookup("peak_rrs")


def test_decorator_takes_name_and_definition_from_the_function():
    """The function's name and the first line of its docstring make the metric."""

    @metric(group="own", unit=BYTES, better=Better.HIGHER, noise=Noise.NOISY, sources=["x"], precision="rough")
    def my_cache(one):
        """Bytes in the cache.

        More text.
        """
        return Reading(5, "x")

    assert (my_cache.name, my_cache.doc, my_cache.sources) == ("my_cache", "Bytes in the cache.", ("x",))
    assert evaluate(window(), [my_cache]) == {"my_cache": Reading(5, "x", "rough")}


@pytest.mark.parametrize(
    ("compute", "words"),
    [
        (lambda one: 1 / 0, "ZeroDivisionError"),
        (lambda one: 5.0, "returned 5.0 instead of a Reading"),
        (lambda one: None, "returned None"),
        (lambda one: Reading(math.nan, "x"), "came out as nan"),
        (lambda one: Reading("five", "x"), "ValueError"),
        (lambda one: Reading(5, None), "returned a Reading whose source is None"),
        (lambda one: Reading(5, "x", note=3), "returned a Reading whose note is 3"),
    ],
)
def test_mistake_in_one_metric_is_its_own_reason(compute, words):
    """A user's metric that fails or returns nonsense costs no other metric its value."""
    results = evaluate(window(), [declared("mine", compute), *builtin_metrics()])
    assert words in results["mine"].reason
    assert results["peak_rss"] == evaluate(window(), builtin_metrics())["peak_rss"]


@pytest.mark.parametrize("value", [Decimal("1.5"), Fraction(3, 2)])
def test_a_reading_may_be_any_kind_of_number(value):
    """Reports and processes are sent numbers of Python's own."""
    (reading,) = evaluate(window(), [declared("mine", lambda one: Reading(value, "x"))]).values()
    assert (type(reading.value), reading.value) == (float, 1.5)


def test_missing_record_becomes_the_plain_reason():
    """ObserveError's text is the reason, without a word about computing."""

    def compute(one):
        raise ObserveError("no such file")

    assert evaluate(window(), [declared("mine", compute)]) == {"mine": Unavailable("no such file")}


gaps = st.builds(Unavailable, st.just("gone"))
sizes = st.integers(0, 2**40)
kernels = st.builds(
    kernel, st.floats(OPENED, CLOSED), sizes, st.none() | sizes, st.floats(0, 1e6), fds=st.none() | sizes
)
pairs = st.builds(pair, st.integers(0, 400), st.integers(0, 400), after_gc=gaps)
traces = st.builds(
    lambda numbers, lost, rejected: trace(*sorted(numbers), lost=lost, rejected=rejected),
    st.sets(st.integers(1, 400), max_size=30), st.none() | st.integers(0, 50), st.integers(0, 5),
)  # fmt: skip
loads = st.builds(LoadRecord, st.integers(0, 9), st.just(0), st.floats(0, 9), st.lists(st.floats(0, 9)).map(tuple))
windows = st.builds(
    window, start=kernels | gaps, end=kernels | gaps, peak_reset=st.booleans(), fresh=st.booleans(),
    timeline=st.lists(st.integers(0, 900), max_size=12).map(lambda rss: timeline(*rss)), gctrace=traces | gaps,
    memstats=pairs | gaps, gomaxprocs=st.none() | st.integers(0, 64), ops=st.none() | st.integers(0, 10),
    loads=st.lists(loads, max_size=3).map(tuple), lifetime_peak=st.none() | sizes, tree=st.booleans(),
    closed=st.sampled_from([OPENED, CLOSED]), cpus=st.integers(1, 256),
)  # fmt: skip


@settings(max_examples=300)
@given(windows)
def test_every_window_is_evaluated_without_a_failing_computation(one):
    """Whatever is missing, each builtin gives a finite value, or a reason that is no mistake of ours."""
    results = evaluate(one, builtin_metrics())
    assert list(results) == [each.name for each in builtin_metrics()]
    for name, result in results.items():
        if isinstance(result, Reading):
            assert math.isfinite(result.value), name
            assert result.value >= 0 or result.interval is not None, name  # a heap may shrink
        else:
            assert result.reason, name
            assert "failed" not in result.reason, result.reason
            assert "came out as" not in result.reason, result.reason


def test_document_lists_exactly_the_builtins_as_declared():
    """docs/metrics.md has one row per metric, in the registry's order, with its unit, direction and noise class."""
    rows = [
        (name, unit, better, noise)
        for name, _, unit, better, noise, _, _ in ROW.findall(DOCUMENT.read_text(encoding="utf-8"))
    ]
    assert rows == [(one.name, one.unit.name, one.better.value, one.noise.value) for one in builtin_metrics()]
