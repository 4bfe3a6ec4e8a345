"""Leaks that gomem_accepted.yaml knows: how entries are written, what they mean, and when they can go."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from test_left_goroutines import goroutine, left, workers

from pytest_gomem.base.errors import ConfigError, ConfigErrors, Place
from pytest_gomem.base.units import BYTES, COUNT
from pytest_gomem.commands.accept import accept
from pytest_gomem.config.accepted import read_accepted
from pytest_gomem.config.known_leaks import GOROUTINES, HOLDER, KnownLeak
from pytest_gomem.judge.known_leaks import FoundLeak, KnownLeaks, holds, over_notes, unused
from pytest_gomem.plugin.selection import gone
from pytest_gomem.report.accepted import known_leak_lines
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.retention.model import Holder, HolderKind, Step

TEST = "tests/test_api.py::test_a"
TODAY, LATER = date(2026, 12, 1), date(2027, 2, 1)
TEXT = """\
version: 1
accepted:
  - {test: "*", metric: goroutines, amount: 4, reason: a, owner: ann, expires: 2027-01-31}
  - {test: "*", goroutines: "created by main.start", reason: pool, owner: ann, expires: 2027-01-31}
  - {test: "*", holder: "global main.cache*", reason: cache, owner: bob, expires: 2027-01-31}
"""


def entry(kind: str, glob: str, test: str = "*") -> KnownLeak:
    return KnownLeak(test, kind, glob, "the pool", "ann", date(2027, 1, 31), Place("accepted.yaml", 4))


def known(*entries: KnownLeak, today: date = TODAY) -> KnownLeaks:
    return KnownLeaks.of_test(entries, TEST, today)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gomem_accepted.yaml"
    path.write_text(text)
    return path


def test_entries_on_limits_and_on_leaks_stand_in_one_file(tmp_path):
    """Each has its own kind of key."""
    found = read_accepted(written(tmp_path, TEXT), {"goroutines": COUNT})
    assert [one.metric for one in found.limits] == ["goroutines"]
    assert [(one.kind, one.glob, one.place.line) for one in found.leaks] == [
        (GOROUTINES, "created by main.start", 4),
        (HOLDER, "global main.cache*", 5),
    ]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("holder: ", "amount: 4, holder: ", "unknown key 'amount'"),
        ("reason: pool, ", "", "has no reason"),
        ("created by main.start", "main.go:41", "is a place, not a function"),
        ("holder: ", "goroutines: main.f, holder: ", "has both goroutines and holder"),
        ('holder: "global main.cache*"', 'goroutines: "created by main.start"', "is accepted in line 4 already"),
        (
            "reason: cache, owner: bob, expires: 2027-01-31",
            "reason: c, owner: b, expires: soon",
            "'soon' is not a date",
        ),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path, old, new, says):
    """All of them, before any test runs."""
    with pytest.raises(ConfigErrors, match=says):
        read_accepted(written(tmp_path, TEXT.replace(old, new)), {"goroutines": COUNT})


def test_goroutines_do_not_count_until_the_last_day_is_over():
    """Then they count, and it is said who had accepted them."""
    mine, other = entry(GOROUTINES, "main.worker"), entry(GOROUTINES, "main.gone", "other.py::*")
    leaks = known(mine, other)
    assert leaks.accepted_goroutines() == ("main.worker",)
    after = [*workers(20, 21), goroutine(30, "main.poll")]
    (found,) = leaks.among_goroutines(left([], after, accepted=leaks.accepted_goroutines()))
    assert (found.count, found.is_over, list(over_notes([found]))) == (2, False, [])
    late = known(mine, today=LATER)
    assert late.accepted_goroutines() == ()
    (found,) = late.among_goroutines(left([], after))
    assert (found.count, found.is_over) == (2, True)
    assert list(over_notes([found])) == [
        "2 of the goroutines were accepted until 2027-01-31 (ann: the pool), and that date has passed"
    ]


CACHE = Holder(
    HolderKind.GLOBAL,
    "global main.cache (map[string]*main.Session)",
    3_000_000,
    0.9,
    600,
    (Step("*main.Session", 300, 10), Step("[]uint8", 300, 10)),
    name="main.cache",
)
QUEUE = Holder(HolderKind.GLOBAL, "global main.queue ([]int)", 300_000, 0.1, 1, name="main.queue")


@pytest.mark.parametrize(
    ("glob", "is_meant"),
    [
        ("global main.cache*", True),
        ("main.cache", True),
        ("global main.cache* -> *main.Session -> []uint8", True),
        ("* -> []uint8", True),
        ("global main.cache", False),
        ("global main.queue*", False),
    ],
)
def test_a_holder_is_meant_by_its_root_or_its_path(glob, is_meant):
    """Or by its variable alone."""
    assert holds(glob, CACHE) is is_meant


def test_known_holders_stand_behind_the_others():
    """With until when; after the last day they lead again."""
    cache = entry(HOLDER, "global main.cache*")
    holders, (found,) = known(cache).among_holders([CACHE, QUEUE])
    assert holders == (QUEUE, replace(CACHE, known="known until 2027-01-31 (ann: the pool)"))
    assert (found.count, found.retained, found.share) == (1, 3_000_000, 0.9)
    holders, (found,) = known(cache, today=LATER).among_holders([CACHE, QUEUE])
    assert (holders, found.count, found.is_over) == ((CACHE, QUEUE), 1, True)


def test_an_entry_can_go_when_nothing_matched_it_where_it_was_looked_for():
    """Not if nobody looked, or if a test that it means did not run to its end."""
    mine = entry(GOROUTINES, "main.worker", TEST)
    (nothing,) = known(mine).among_goroutines(left([], []))
    why = "no goroutine that stays matches 'main.worker'"
    assert unused([mine], [(TEST, True, [nothing])], TODAY, whole=False) == ((mine, why),)
    over = f"{why}, and it was accepted until 2027-01-31"
    assert unused([mine], [(TEST, True, [nothing])], LATER, whole=False) == ((mine, over),)
    assert unused([mine], [(TEST, True, [])], TODAY, whole=True) == ()
    assert unused([mine], [(TEST, False, [nothing])], TODAY, whole=True) == ()
    assert unused([mine], [(TEST, True, [replace(nothing, count=1)])], TODAY, whole=True) == ()
    of_all = replace(mine, test="*")
    (nothing,) = known(of_all).among_goroutines(left([], []))
    assert unused([of_all], [(TEST, True, [nothing])], TODAY, whole=False) == ()
    assert len(unused([of_all], [(TEST, True, [nothing])], TODAY, whole=True)) == 1
    assert gone([mine], ["tests/test_api.py::test_b"]) == (mine,)


def test_what_is_accepted_is_told_below_the_table(window_with):
    """Whoever reads the run sees what it does not count."""
    leak = FoundLeak("*", GOROUTINES, "main.worker", 12, "the pool", "ann", date(2027, 1, 31))
    holder = FoundLeak("*", HOLDER, "global main.cache*", 1, "no bound", "bob", date(2027, 1, 31), 3_000_000, 0.9)
    test = TestRecord(TEST, "passed", (window_with(leak, holder, replace(leak, count=0), replace(leak, is_over=True)),))
    text = " ".join(" ".join(line for line, _ in known_leak_lines([test], 200)).split())
    assert text == (
        f"{TEST}: 12 leaked goroutines (main.worker), accepted until 2027-01-31 by ann: the pool "
        f"{TEST}: 3.00 MB held by global main.cache*, accepted until 2027-01-31 by bob: no bound"
    )


def accepted(folder: Path, *args: str) -> str:
    """What `gomem accept` prints in a folder with a gomem.yaml."""
    (folder / "gomem.yaml").write_text("version: 1\n")
    out = io.StringIO()
    usual = ("--reason", "a pool", "--owner", "ann", "--expires", "2999-01-31")
    accept([*args, *usual, "--config", str(folder / "gomem.yaml")], out, io.StringIO())
    return out.getvalue()


def test_the_command_adds_known_leaks(tmp_path, monkeypatch):
    """Beside entries on limits; each of them once."""
    monkeypatch.chdir(tmp_path)
    text = accepted(tmp_path, TEST, "--goroutines", "created by main.(*Pool).Start")
    assert text.startswith(f"goroutines 'created by main.(*Pool).Start' of {TEST}: accepted until 2999-01-31 by ann")
    accepted(tmp_path, "*", "live_heap", "--mute")
    accepted(tmp_path, "*", "--holder", "global main.cache*")
    found = read_accepted(tmp_path / "gomem_accepted.yaml", {"live_heap": BYTES})
    assert [(one.kind, one.glob) for one in found.leaks] == [
        (GOROUTINES, "created by main.(*Pool).Start"),
        (HOLDER, "global main.cache*"),
    ]
    assert [one.metric for one in found.limits] == ["live_heap"]
    with pytest.raises(ConfigError, match="is accepted already"):
        accepted(tmp_path, "*", "--holder", "global main.cache*")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "what do you accept"),
        (("live_heap", "--goroutines", "main.f"), "goroutines and METRIC are both given"),
        (("--goroutines", "main.f", "--mute"), "takes no amount"),
        (("--goroutines", "main.go:4"), "is a place, not a function"),
    ],
)
def test_the_command_takes_a_metric_or_a_leak(tmp_path, monkeypatch, args, says):
    """One of them, and a leak as a whole."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=says):
        accepted(tmp_path, TEST, *args)


@pytest.fixture
def window_with():
    """A window with these known leaks."""
    from report_samples import window

    return lambda *leaks: replace(window(), known_leaks=leaks)
