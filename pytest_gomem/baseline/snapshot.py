"""A baseline as data: the rounds of one window of a test, its conditions, and when it was recorded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_gomem.judge.conditions import changed
from pytest_gomem.judge.figures import is_observed
from pytest_gomem.judge.regressions import Figures
from pytest_gomem.measure.metric import Metric


@dataclass(frozen=True)
class Snapshot:
    """What the rounds of one window measured: by metric one value per round, in base units.

    conditions: from session.conditions. commit: abbreviated, with a "+" if the tree had uncommitted changes,
    "" outside of git. date: ISO, in UTC. definitions: the versions of the metrics' definitions that are not 1.
    left_out: the metrics too noisy to record, each with how much it scattered.
    Of an observed round: profile, peak_profile: the files of its heap profiles, at the close and at the peak, relative
    to the folder of the baselines; "" if none is kept. modules: the versions of Go and of the modules in the binary, by
    path. goroutines: how many there were of each state, function and creation site.
    """

    conditions: Mapping[str, str]
    metrics: Mapping[str, tuple[float, ...]]
    ops: int | None
    commit: str
    date: str
    profile: str = ""
    peak_profile: str = ""
    modules: Mapping[str, str] = field(default_factory=dict)
    goroutines: Mapping[str, float] = field(default_factory=dict)
    definitions: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def rounds(self) -> tuple[Figures, ...]:
        """The values by measured round; a metric missing in one round is in none."""
        return _by_round({name: values for name, values in self.metrics.items() if not is_observed(name)})

    @property
    def observed_rounds(self) -> tuple[Figures, ...]:
        """The figures of functions by observed round."""
        return _by_round({name: values for name, values in self.metrics.items() if is_observed(name)})

    @property
    def profiles(self) -> tuple[str, ...]:
        """The files of its profiles."""
        return tuple(filter(None, (self.profile, self.peak_profile)))

    @property
    def label(self) -> str:
        """Its name in reports: "the baseline of 0a1b2c3"."""
        return f"the baseline of {self.commit or self.date}"


def _by_round(metrics: Mapping[str, tuple[float, ...]]) -> tuple[Figures, ...]:
    count = max(map(len, metrics.values()), default=0)
    whole = {name: values for name, values in metrics.items() if len(values) == count}
    return tuple({name: values[at] for name, values in whole.items()} for at in range(count))


# Window (service/name, and #2 for the second of that name) -> its snapshots, one for each set of conditions.
Windows = Mapping[str, tuple[Snapshot, ...]]
Tests = Mapping[str, Windows]  # by id in the module, such as "TestUpload::test_large[gogc=25]"


def not_comparable(kept: Snapshot, metrics: Iterable[Metric]) -> dict[str, str]:
    """The kept metrics that were recorded with another definition than now, each with the reason."""
    reasons = {m.name: m.not_comparable(kept.definitions.get(m.name, 1)) for m in metrics if m.name in kept.metrics}
    return {name: reason for name, reason in reasons.items() if reason}


def by_metric(rounds: Iterable[Figures]) -> dict[str, tuple[float, ...]]:
    """Rounds transposed: the values of each metric that all rounds have."""
    listed = list(rounds)
    names = [name for name in (listed[0] if listed else ()) if all(name in one for one in listed)]
    return {name: tuple(one[name] for one in listed) for name in names}


def opened_no_more(
    kept: Windows, opened: Collection[str], ran: Sequence[Mapping[str, str]]
) -> dict[str, tuple[Snapshot, ...]]:
    """The kept windows that a test did not open although it ran to its end, each with its other conditions.

    ran: the conditions of the windows that it opened; under others it may open others.
    """
    left = {
        name: tuple(one for one in snapshots if all(differences(one.conditions, mine) for mine in ran))
        for name, snapshots in kept.items()
        if name not in opened
    }
    return {name: snapshots for name, snapshots in left.items() if len(snapshots) < len(kept[name])}


def differences(kept: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Which conditions differ: "go is go1.27, was go1.26"."""
    return tuple(f"{name} is {is_now}, was {was}" for name, (was, is_now) in changed(kept, now).items())
