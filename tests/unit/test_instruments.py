"""What is attached to a window: at which point of the reading order it acts, and what it finds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_attribution_culprits import KIB, heap, retained
from test_session_window import CALIBRATE, CLOSING, OPENING, SETTLE, SETTLE_AT_REST, read_in

from pytest_gomem.base.errors import Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.config.budgets import parse_budget
from pytest_gomem.config.fields import located
from pytest_gomem.config.gc_settings import GcSettings
from pytest_gomem.config.services import parse_service
from pytest_gomem.instruments.idle_watch import IdleWatch
from pytest_gomem.instruments.kept_heap import KeptHeap
from pytest_gomem.instruments.opening_profile import OpeningProfile
from pytest_gomem.instruments.peak_profile import PEAK, PeakProfile
from pytest_gomem.instruments.registry import builtin_instruments, observing
from pytest_gomem.judge.functions import rate_for
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.observe.agent.unasked import Kept
from pytest_gomem.pprof.write import compressed
from pytest_gomem.session.capture import GOROUTINE, HEAP, Captured
from pytest_gomem.session.capture import OPENING as AT_OPENING
from pytest_gomem.session.instrument import Closes, Finding, Instrument, Opens, WindowPlan, at_launch
from pytest_gomem.session.window import OpenWindow
from pytest_gomem.stats.by_clock import IDLE_BYTES, IDLE_OBJECTS
from pytest_gomem.testing import FakeProcess

UNITS = Registry(builtin_metrics()).units()
ASKED = {"binary": "/bin/api", "peak_profile": True}
PEAK_FILE = b'{"live": 1, "rss": 0, "cycle": %d, "kept": 1, "forced": 1}\nprofile'


def plan(*, written: object = None, **budgets: object) -> WindowPlan:
    """Of a service with these keys in gomem.yaml, and a test with these budgets."""
    config = parse_service(located(written, Place("gomem.yaml")), "api", Path("/")) if written else None
    found = (parse_budget(name, one, units=UNITS, scope="marker", place=Place()) for name, one in budgets.items())
    return WindowPlan("api", config, tuple(budget for one in found for budget in one))


def findings(window: OpenWindow) -> list[Finding]:
    return [finding for _, finding in window.instruments.findings()]


class Marker(Instrument):
    """Notes when it acts."""

    name = "marker"

    def __init__(self, opens: Opens, closes: Closes) -> None:
        self.opens, self.closes = opens, closes

    def open(self, target):
        target.subject.record(f"open {self.opens.name}")

    def close(self, target):
        target.subject.record(f"close {self.closes.name}")
        return Finding({"marks": Captured(b"text", ".txt")}, {self.closes.name: 1.0})


def test_instruments_act_at_the_points_that_they_name():
    """Those of one point in the order of their list. Two of them are not opened anew after a warm-up."""
    process = FakeProcess()
    points = [(Opens.BEFORE, Closes.FIRST), (Opens.FIRST, Closes.FIRST), (Opens.LAST, Closes.LAST)]
    window = process.open_window(instruments=[Marker(*point) for point in points])
    assert read_in(process) == ["open BEFORE", "open FIRST", *OPENING, "open LAST"]
    window.restart()
    assert read_in(process) == ["open FIRST", *OPENING]
    window.close()
    assert read_in(process) == ["close FIRST", "close FIRST", *CLOSING[:-1], "close LAST", "gc records"]
    assert [dict(found.figures) for found in findings(window)] == [{"FIRST": 1.0}, {"FIRST": 1.0}, {"LAST": 1.0}]
    assert findings(window) == []  # they were asked for
    assert [(one.raw, one.suffix) for one in window.profiles.artifacts().values()] == [(b"text", ".txt")]


def test_where_memstats_can_not_be_read_instruments_are_closed_all_the_same():
    process = FakeProcess(inside=None)
    window = process.open_window(instruments=[Marker(Opens.FIRST, closes) for closes in Closes])
    window.close()
    assert [event for event in process.events if event.startswith("close")] == ["close FIRST", "close LAST"]


def test_a_launch_is_told_what_all_instruments_need():
    """Of two profile rates the finer one; what a test says of its launch stands on top."""

    class Needs(Instrument):
        def __init__(self, rate: int, **env: str) -> None:
            self.said = Overrides(env=env, profile_rate=rate)

        def launch(self):
            return self.said

    said = at_launch([Needs(8192, A="1", B="1"), Needs(4096, B="2"), Needs(65536)])
    assert said == Overrides(env={"A": "1", "B": "2"}, profile_rate=4096)
    assert at_launch([]) == Overrides()
    own = Overrides(args=("-v",), env={"A": "3"}, gc=GcSettings(gogc=50))
    assert own.over(said) == replace(own, env={"A": "3", "B": "2"}, profile_rate=4096)


def test_a_heap_profile_is_taken_before_anything_is_read():
    """What it allocates, and the collections that it forces, are none of the window's; it is a condition of it."""
    process = FakeProcess()
    process.profiles["heap"] = compressed(heap(retained(KIB, 10)))
    window = process.open_window(instruments=[OpeningProfile(None)])
    assert read_in(process) == ["heap profile", *OPENING]
    window.close()
    (found,) = findings(window)
    assert found.conditions == {"opening_heap_profile": "taken for a budget"}
    assert window.profiles.opening.raw == process.profiles["heap"]
    assert list(window.profiles.artifacts()) == [AT_OPENING]


def test_a_heap_profile_that_fails_is_no_condition():
    process = FakeProcess()
    process.failing["heap profile"] = "no answer"
    window = process.open_window(instruments=[OpeningProfile(None)])
    window.close()
    assert [found.conditions for found in findings(window)] == [{}]
    assert window.profiles.opening.raw == Unavailable("no answer")


def test_a_measured_window_is_profiled_only_where_no_observed_round_can_answer_for_it():
    """For budgets on functions of a process that tests share, or of a test that must not run again."""
    chosen = builtin_instruments()
    asked = plan(alloc_space={"main.*": "10MB"}, peak_rss="8MB")
    (opening,) = chosen(replace(asked, is_profiled=True))
    assert opening.name == "opening_profile"
    assert at_launch([opening]) == Overrides(profile_rate=rate_for(asked.budgets), kept=frozenset({Kept.HEAP}))
    assert not chosen(asked)
    assert not chosen(replace(plan(peak_rss="8MB", live_heap="1MB"), is_profiled=True))
    assert not chosen(plan(written=ASKED))


def test_an_observed_window_is_profiled_at_its_edges_and_at_its_peak():
    """At the rate that is asked for, which the launch sets; with the stacks of its goroutines for a diagnosis."""
    found = observing(4096, watches_peak=True, takes_stacks=True)
    assert [one.name for one in found] == ["peak_profile", "opening_profile", "kept_heap", "goroutines"]
    assert at_launch(found) == Overrides(profile_rate=4096, kept=frozenset(Kept) - {Kept.TRACE})
    found = observing(None, watches_peak=False, takes_stacks=False)
    assert [one.name for one in found] == ["opening_profile", "kept_heap"]
    assert at_launch(found) == Overrides(kept=frozenset({Kept.HEAP}))


def test_the_profile_of_the_peak_is_held_off_our_own_collections(tmp_path):
    """It is looked for from the opening to the close, and at no cycle that a reading forces."""
    process = FakeProcess(folder=tmp_path)
    window = process.open_window(instruments=[PeakProfile(), OpeningProfile(None)])
    assert read_in(process) == [
        "peak start", "peak hold", "peak reset", "gc twice", "peak look", "heap profile",
        "peak hold", *SETTLE, "peak look", "peak hold", "free", "peak look",
        *CALIBRATE, "smaps", "reset peak", "kernel", "image",
    ]  # fmt: skip
    (tmp_path / "peak").write_bytes(PEAK_FILE % (process.memstats.num_gc + 3))
    window.close()
    assert read_in(process) == [
        "kernel", "image", "smaps", "metrics", "memstats", "peak hold", *SETTLE_AT_REST, "peak look", "gc records",
    ]  # fmt: skip
    profile, _ = findings(window)
    assert (profile.figures, profile.conditions) == ({"cycles_to_peak": 3.0}, {})
    assert window.profiles.of(PEAK).raw == b"profile"


def test_why_there_is_no_profile_of_the_peak():
    """Nothing is asked of a service that has no agent."""
    process = FakeProcess(inside="pprof")
    window = process.open_window(instruments=[PeakProfile()])
    window.close()
    assert not {event for event in process.events if event.startswith("peak")}
    reason = "the profile of the peak needs the agent: it was not built here"
    assert window.profiles.of(PEAK).raw == Unavailable(reason)
    assert [(found.conditions, found.figures) for found in findings(window)] == [({}, {})]


def test_a_profile_of_an_earlier_windows_peak_is_not_this_ones(tmp_path):
    """What can't be begun has that reason, whatever the file holds."""
    (tmp_path / "peak").write_bytes(PEAK_FILE % 99)
    process = FakeProcess(folder=tmp_path)
    process.failing["peak reset"] = "no answer"
    window = process.open_window(instruments=[PeakProfile()])
    window.close()
    assert window.profiles.of(PEAK).raw == Unavailable("the profile of the peak was not begun: no answer")


def test_what_a_service_allocates_by_itself_is_watched_after_the_close():
    """Two readings with a pause between them, without what they cost."""
    process = FakeProcess()

    def watched() -> Finding:
        window.instruments.close(Closes.AFTERWARDS, window)
        (found,) = findings(window)
        return found

    window = process.open_window(instruments=[IdleWatch(lambda measurement: 2.0)])
    window.close()
    read_in(process)
    assert watched() == Finding()  # nobody has judged it yet
    window.measurement = object()
    assert watched().figures == {IDLE_BYTES: 0.0, IDLE_OBJECTS: 0.0}
    assert read_in(process) == ["metrics", "memstats", "metrics", "memstats"]
    stats = process.memstats
    process.later(1.0, total_alloc=stats.total_alloc + 1500 + 10_000, mallocs=stats.mallocs + 15 + 100)
    found = watched()
    assert found.figures == {IDLE_BYTES: pytest.approx(10_000 / 2.002), IDLE_OBJECTS: pytest.approx(100 / 2.002)}
    assert found.notes[0].startswith("the service was watched for 2.0 s without work")
    process.failing["memstats"] = "no answer"
    process.slept.clear()
    assert watched().figures == {}
    assert process.slept == []


def test_the_heap_is_kept_once_a_window_is_judged():
    """What a verdict has taken already is not taken again."""
    process = FakeProcess()
    window = process.open_window(instruments=[KeptHeap()])
    window.close()
    taken = window.profiles.heap
    read_in(process)
    window.instruments.close(Closes.JUDGED, window)
    assert "heap profile" not in read_in(process)
    (found,) = findings(window)
    assert found.artifacts == {HEAP: taken, GOROUTINE: window.profiles.goroutine}
    assert window.profiles.has_heap
