"""What two commits have measured in turns, window by window, and where the second one is worse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pytest_gomem.bisect.likeness import Kind, Levels, Rounds, changed, likeness
from pytest_gomem.comparison.merged import incomparable, missing, rounds_of
from pytest_gomem.judge.regressions import in_every_round
from pytest_gomem.measure.metric import Metric
from pytest_gomem.results.keys import keys, numbered
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import PRIMARY, Comparison, Status, decisions_of

_OF_THE_BASE = "on the base side: "
_BUILD = re.compile(r"building service .*? failed:\s*")


@dataclass(frozen=True)
class Target:
    """The figure that is followed: a metric in one window of the test. window: "test#2" for the second of that name."""

    service: str
    window: str
    metric: str


@dataclass(frozen=True)
class Both:
    """A window on the good commit and on another one. lost: why the other one has no figures at all, "" if it has.

    without: metrics that one of them has no comparable figure of, each with the reason.
    """

    good: Rounds
    other: Rounds = ()
    ops: int | None = None
    lost: str = ""
    without: Mapping[str, str] = field(default_factory=dict)

    @property
    def rounds(self) -> int:
        """How many rounds of each there were at least."""
        return min(len(self.good), len(self.other))

    def why_lost(self, metric: str) -> str:
        """Why the two cannot be compared by a metric, "" if they can."""
        if self.lost or metric in self.without:
            return self.lost or self.without[metric]
        measured = all(in_every_round(metric, rounds) for rounds in (self.good, self.other))
        return "" if measured else f"{metric} was not measured in every round"


Measured = Mapping[tuple[str, str], Both]  # by service and window


def measured_in(test: TestRecord) -> Measured:
    """The windows of a test whose head was the good commit, and whose base the other one.

    That way round, what goes wrong on the other commit is a reason in the record, and fails no test.
    """
    return {(key[0], numbered(key)): _both(one) for key, one in zip(keys(test.windows), test.windows, strict=True)}


def _both(window: WindowRecord) -> Both:
    other, good = window.base, {**missing(window), **incomparable(window)}
    lost = window.no_base or ("" if other is not None else "it was not compared")
    without = {name: f"on the good commit: {why}" for name, why in good.items()}
    if other is None:
        return Both(rounds_of(window), (), window.ops, in_short(lost), without)
    without |= {**missing(other), **incomparable(other)}
    return Both(rounds_of(window), rounds_of(other), window.ops, in_short(lost), without)


def turned(measured: Measured) -> Measured:
    """The same, measured the other way round: the good commit was the base."""
    return {key: replace(both, good=both.other, other=both.good) for key, both in measured.items()}


def in_short(reason: str) -> str:
    """A reason of the other side in the words of that commit."""
    words = " ".join(reason.removeprefix(_OF_THE_BASE).split())
    return f"it does not build: {_BUILD.sub('', words)}" if _BUILD.search(words) else words


def joined(earlier: Measured, later: Measured) -> Measured:
    """The rounds of both; a window that one of them lacks is lost."""
    gone = {key: replace(both, lost="the window was not opened in every run") for key, both in earlier.items()}
    return {**gone, **{key: _joined(earlier[key], both) for key, both in later.items() if key in earlier}}


def _joined(one: Both, other: Both) -> Both:
    return Both(
        (*one.good, *other.good),
        (*one.other, *other.other),
        other.ops,
        one.lost or other.lost,
        {**one.without, **other.without},
    )


@dataclass(frozen=True)
class Change:
    """A figure that the second commit has made worse."""

    target: Target
    comparison: Comparison

    @property
    def level(self) -> float:
        """How far the bad end is from the good one, in the metric's unit."""
        assert self.comparison.change is not None
        return self.comparison.change

    @property
    def base(self) -> float:
        """The median at the good commit."""
        assert self.comparison.base is not None
        return self.comparison.base


def comparisons(measured: Measured, metrics: Iterable[Metric]) -> Iterator[Change]:
    """How each metric of each window compares, if both commits have measured it."""
    for (service, window), both in measured.items():
        able = [metric for metric in metrics if not both.why_lost(metric.name)]
        for metric in able:
            found = changed(metric, both.good, both.other, 0.0, both.ops, decisions_of(metric, able))
            yield Change(Target(service, window, metric.name), found)


def worse(measured: Measured, metrics: Mapping[str, Metric]) -> list[Change]:
    """The figures that the second commit has certainly made worse, the largest share first.

    One whose rounds scatter so that they do not tell the two commits apart is none of them.
    """
    found = [one for one in comparisons(measured, metrics.values()) if one.comparison.status is Status.FAIL]
    sure = [one for one in found if _is_told(one, measured, metrics[one.target.metric])]
    return sorted(sure, key=lambda one: -abs(one.comparison.ratio or float("inf")))


def _is_told(change: Change, measured: Measured, metric: Metric) -> bool:
    both = measured[change.target.service, change.target.window]
    return likeness(metric, both.good, both.other, Levels(0.0, change.level), both.ops).kind is Kind.BAD


def followed(metrics: Mapping[str, Metric], named: str) -> dict[str, Metric]:
    """The metrics to look at: the one that is named, else those that are compared by default."""
    return {name: metrics[name] for name in ([named] if named else PRIMARY)}
