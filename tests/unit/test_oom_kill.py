"""A kill at the memory limit is told from other ends, and said with its moment, its request and the last heap."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from pytest_gomem.cgroup.reading import GroupReading
from pytest_gomem.diagnosis.excess import excess_of, explainable
from pytest_gomem.judge.death_spiral import spiral_verdicts
from pytest_gomem.judge.oom import OOM, oom_verdicts, oom_words
from pytest_gomem.load.spec import LoadRecord, Unanswered
from pytest_gomem.measure.death_spiral import DeathSpiral
from pytest_gomem.measure.oom_kill import OomKill, oom_kill
from pytest_gomem.session.judging import Judging
from pytest_gomem.session.operations import Operations
from pytest_gomem.stats.decision import Status
from pytest_gomem.supervisor.protocol import ExitRecord
from pytest_gomem.testing import FakeProcess, fake_gc_cycle, fake_window_record

MIB = 1 << 20
LIMIT = 256 * MIB
START = GroupReading(5.0, LIMIT, 9 * MIB, 9 * MIB, 8 * MIB, 0, 0, 8 * MIB, 0, 1.0)
LAST = replace(START, t=46.1, current=0, peak=LIMIT - 4096, anon=0, anon_peak=250 * MIB, oom_kills=1)
KILLED = ExitRecord(46.0, None, signal.SIGKILL, LIMIT, 3.0, oom="oom_kill in /sys/fs/cgroup rose by 1")
GET = Unanswered("GET /leak", number=1204)
LOAD = Unanswered("GET /leak", answered=1203, asked=5000)


def told(ended=KILLED, start=START, last=LAST, by="cgroup v2", **other):
    return oom_kill(ended, start, last, by, 5.0, **other)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            told(unanswered=GET, cycles=(fake_gc_cycle(30), fake_gc_cycle(31, heap_live=112 * MIB))),
            "killed at the memory limit of 256MiB after 41.0 s, during GET /leak (request 1204 of the window); "
            "live heap 117 MB at cycle 31",
        ),
        (
            told(unanswered=LOAD),
            "killed at the memory limit of 256MiB after 41.0 s, during a load of GET /leak (1203 of 5000 requests were "
            "answered); no GC cycle ended in the window",
        ),
        (
            told(unanswered=Unanswered("")),
            "killed at the memory limit of 256MiB after 41.0 s, while no get(), post() or load() was on its way; "
            "no GC cycle ended in the window",
        ),
        (
            told(start=None),
            "killed at the memory limit of 256MiB after 41.0 s; no GC cycle ended in the window",
        ),
        (
            told(by="simulated", last=replace(LAST, oom_kills=None)),
            "killed by pytest-gomem, which simulates a kernel, at the memory limit of 256MiB after 41.0 s; no GC cycle "
            "ended in the window",
        ),
        (
            told(ended=None),
            "another process of the service was killed at the memory limit of 256MiB, not the one that is measured; "
            "no profile shows what it held",
        ),
    ],
    ids=["get", "load", "neither", "program", "simulated", "child"],
)
def test_words(found, words):
    """Limit, moment, request and last heap, as far as each is known."""
    assert oom_words(found) == words
    [verdict] = oom_verdicts(found)
    assert (verdict.kind, verdict.status, verdict.reason, verdict.actual) == (OOM, Status.FAIL, words, LIMIT)
    assert not oom_verdicts(None)


@pytest.mark.parametrize(
    "none",
    [
        told(ended=replace(KILLED, killed=True), last=replace(LAST, oom_kills=0)),
        told(ended=replace(KILLED, signal=signal.SIGTERM), last=replace(LAST, oom_kills=0)),
        told(start=LAST),
        told(ended=replace(KILLED, oom=""), by="simulated", last=replace(LAST, oom_kills=None)),
    ],
    ids=["by us", "another signal", "before the window", "not simulated"],
)
def test_other_ends(none):
    """Who did not come to the limit was not killed there."""
    assert none is None


def test_kill_by_the_machine():
    """The count of the group rises for a victim of the machine's own want of memory, too; its peak tells."""
    assert told(last=replace(LAST, peak=120 * MIB)) is None


@pytest.mark.parametrize(("by", "last"), [("cgroup v1", LAST), ("simulated", replace(LAST, peak=None))])
def test_kill_of_a_process_that_a_shell_has_started(by, last):
    """Only its parent knows how it ended; it was there, and is gone, so it is no other process that was killed."""
    unseen = replace(KILLED, signal=None, oom="")
    found = told(ended=unseen, last=last, by=by, unanswered=GET)
    assert found is not None
    assert (found.is_child, found.after, found.request) == (False, 41.0, "GET /leak")
    assert told(ended=unseen, last=replace(last, oom_kills=0), by=by) is None


def test_long_request_is_cut():
    """A query may be of any length."""
    words = oom_words(OomKill(LIMIT, "cgroup v1", 1.0, request=f"GET /{'x' * 500}", number=1))
    assert len(words) < 300


def test_what_a_service_did_last():
    """A later answer shows that it lived."""
    done = Operations()
    done.load(LoadRecord(5000, 3797, 2.0, (), statuses=(("200", 1203), ("connection refused", 3797))))
    done.lost_load("GET /leak", 5000)
    assert done.unanswered == LOAD
    done.request(0.0, "200", ok=True)
    assert done.unanswered is None
    done.request(0.0, "closed without an answer", ok=False)
    done.lost("GET /leak")
    assert done.unanswered == Unanswered("GET /leak", number=5002)


def test_window_knows_of_the_kill():
    """While it is open, for the error of the body, and when it is closed, for the report."""
    process = FakeProcess()
    process.group_reading = START
    window = process.open_window()
    assert window.kill() is None
    window.operations.request(0.0, "closed without an answer", ok=False)
    window.operations.lost("POST /upload")
    process.end(code=None, signal=signal.SIGKILL)
    process.group_reading = LAST
    kill = window.kill()
    assert kill is not None
    assert (kill.request, kill.number, kill.limit, kill.is_child) == ("POST /upload", 1, LIMIT, False)
    assert window.close().oom == replace(kill, after=pytest.approx(kill.after))


def test_what_the_profiles_should_show():
    """The heap's part of what came since the window opened; of a death spiral all that lived; of a child nothing."""
    opened = fake_window_record({"start_rss": 56 * MIB})
    killed = replace(opened, oom=told(), verdicts=oom_verdicts(told()))
    assert [excess_of(verdict, killed) for verdict in explainable(killed)] == [100 * MIB]
    late = replace(killed, metrics=fake_window_record({"start_rss": 250 * MIB}).metrics)
    assert excess_of(late.verdicts[0], late) == 32 * MIB
    child = told(ended=None)
    assert not explainable(replace(opened, oom=child, verdicts=oom_verdicts(child)))
    spiral = DeathSpiral(50, 40, 0.03, 60 * MIB)
    fallen = replace(opened, death_spiral=spiral, verdicts=spiral_verdicts(spiral))
    assert [excess_of(verdict, fallen) for verdict in explainable(fallen)] == [60 * MIB]


def test_verdict_comes_without_a_budget():
    """In measured rounds of the head alone."""
    window, judging = replace(fake_window_record({}), oom=told()), Judging("test_it.py::test_it")
    assert [verdict.kind for verdict in judging.unasked(window)] == [OOM]
    assert not replace(judging, only_measures=True).unasked(window)
