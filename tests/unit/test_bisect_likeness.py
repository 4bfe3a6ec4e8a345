"""To which end a commit belongs: by the decision that judges comparisons, and never by chance."""

from __future__ import annotations

import random

import pytest

from pytest_gomem.bisect.likeness import Kind, Levels, likeness
from pytest_gomem.measure.registry import Registry, builtin_metrics

METRICS = {metric.name: metric for metric in Registry(builtin_metrics())}
HEAP = METRICS["live_heap"]
BASE = 20e6
ENDS = Levels(0.0, 400e3)  # 2%: less than peaks or even the default limit of some metrics would tell


def rounds(level: float, count: int = 3, *, scatter: float = 4e3, seed: int = 0, metric: str = "live_heap"):
    """Rounds about a level; scatter: one sigma."""
    drawn = random.Random(f"{seed} {level} {count}")
    return [{metric: level + drawn.gauss(0, scatter)} for _ in range(count)]


@pytest.mark.parametrize(
    ("level", "expected", "between"),
    [
        (0, Kind.GOOD, False),
        (400e3, Kind.BAD, False),
        (-300e3, Kind.GOOD, False),
        (900e3, Kind.BAD, False),
        (100e3, Kind.GOOD, True),
        (300e3, Kind.BAD, True),
    ],
)
def test_three_rounds_tell_a_quiet_commit(level, expected, between):
    """2% of live heap in three rounds; what lies beyond an end is like that end."""
    found = likeness(HEAP, rounds(BASE), rounds(BASE + level, seed=1), ENDS)
    assert (found.kind, found.is_between) == (expected, between)
    assert found.level == pytest.approx(level, abs=2e4)


def test_the_very_middle_is_between_too():
    """Two commits made half of the change each: either is an answer, none is unclear."""
    found = likeness(HEAP, rounds(BASE), rounds(BASE + 200e3, 9, seed=1), ENDS)
    assert found.is_between
    assert found.kind is not Kind.UNCLEAR
    near = found.moved(ENDS)
    again = likeness(HEAP, rounds(BASE, seed=2), rounds(BASE + 200e3, seed=3), near)
    assert (again.kind, again.is_between) == (found.kind, False)


def test_a_commit_between_the_ends_becomes_one():
    """The larger part of the change is searched on."""
    small = likeness(HEAP, rounds(BASE), rounds(BASE + 120e3, seed=1), ENDS)
    assert small.moved(ENDS).good == small.level
    assert small.moved(ENDS).bad == ENDS.bad
    large = likeness(HEAP, rounds(BASE), rounds(BASE + 280e3, seed=1), ENDS)
    assert large.moved(ENDS) == Levels(ENDS.good, large.level)


def test_a_better_metric_has_its_ends_the_other_way_round():
    """Less throughput is worse; it is judged by ranks, which take 8 rounds."""
    pytest.importorskip("scipy")
    metric, ends = METRICS["throughput"], Levels(0.0, -100.0)
    base = rounds(1000, 9, scatter=5, metric="throughput")
    for level, expected in ((1000, Kind.GOOD), (900, Kind.BAD)):
        head = rounds(level, 9, scatter=5, seed=1, metric="throughput")
        assert likeness(metric, base, head, ends).kind is expected


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_rounds_tell_nothing(count):
    """However far they are apart."""
    found = likeness(HEAP, rounds(BASE, count), rounds(BASE + 400e3, count), ENDS)
    assert found.kind is Kind.UNCLEAR


def judged(level: float, noise: float, seed: int) -> Kind:
    """As a bisection does it: up to 9 rounds, until they tell. noise: what each process keeps at most, evenly."""
    drawn, head = random.Random(seed), []
    base = rounds(BASE, 9, seed=seed)
    for count in (3, 6, 9):
        head += [{"live_heap": BASE + level + drawn.gauss(0, 4e3) + drawn.uniform(0, noise)} for _ in range(3)]
        found = likeness(HEAP, base[:count], head, ENDS)
        if found.kind is not Kind.UNCLEAR:
            return found.kind
    return found.kind


@pytest.mark.parametrize(("level", "wrong"), [(0, Kind.BAD), (400e3, Kind.GOOD)])
def test_a_noisy_commit_is_left_out(level, wrong):
    """One that keeps up to 3% more, by chance: of 200 all but a few are unclear, or judged rightly."""
    kinds = [judged(level, 600e3, seed) for seed in range(200)]
    assert kinds.count(wrong) <= 4
    assert kinds.count(Kind.UNCLEAR) > (180 if level == 0 else 0)


@pytest.mark.parametrize(("level", "right"), [(0, Kind.GOOD), (400e3, Kind.BAD)])
def test_a_quiet_commit_is_told(level, right):
    """Each of 100."""
    assert {judged(level, 0, seed) for seed in range(100)} == {right}


def test_growth_is_told_by_its_intervals():
    """The bounds of the good end are moved as its slopes are."""
    metric = METRICS["heap_growth"]
    ends = Levels(0.0, 1000.0)

    def slopes(middle: float) -> list[dict[str, float]]:
        found = [middle + at for at in (-20, 0, 20)]
        return [
            {"heap_growth": one, "heap_growth at least": one - 90, "heap_growth at most": one + 90} for one in found
        ]

    assert likeness(metric, slopes(100), slopes(1100), ends).kind is Kind.BAD
    assert likeness(metric, slopes(100), slopes(110), ends).kind is Kind.GOOD
