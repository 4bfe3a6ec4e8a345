"""The order of a test's rounds: which side each one runs, and after which of them it may be over early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Metric, Noise
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats import ranks
from pytest_gomem.stats.decision import ENOUGH, FEWEST, Status

Side = Literal["new", "base"]

# Fixed before the first figure is seen. After an early look a test can only pass: what fails has run them all.
LOOKS = (1, 3, 5, ENOUGH)  # and the last, where it is another one
RECORDED = ENOUGH  # of a run that records a baseline and does not say how many


@dataclass(frozen=True)
class Schedule:
    """The rounds of one test, each by the side it runs: "new" is what is tested, "base" what it is compared with.

    looks: numbers of finished rounds after which the test may end, if all comparisons are decided; () = run them all.
    confirms_only: the rounds after the first look are run for what seems worse there, and not for what is unclear.
    note: what a reader should know of their number.
    A base side differs in how its services are launched alone (`Gomem.side`); its windows are kept apart.
    """

    sides: tuple[Side, ...] = ("new",)
    looks: frozenset[int] = frozenset()
    confirms_only: bool = False
    note: str = ""

    def __len__(self) -> int:
        return len(self.sides)

    def expected(self, at: int) -> int:
        """How many rounds are run in all if the next look ends the test, seen from round `at`, counted from 1."""
        return min((look for look in self.looks if look >= at), default=len(self))

    def may_be_last(self, at: int) -> bool:
        """Whether round `at`, counted from 0, is the last of its side if the test ends after all, or after a look."""
        ends = (*self.looks, len(self))
        return any(at < end and self.sides[at] not in self.sides[at + 1 : end] for end in ends)


def plain(rounds: int) -> Schedule:
    """So many rounds of the new side, which are compared with nothing."""
    return _alone(rounds)


def recorded() -> Schedule:
    """As many rounds as a baseline should have, or one where the process is other tests' as well."""
    return _alone(RECORDED, (1,))


def fixed(rounds: int, enough: int = ENOUGH) -> Schedule:
    """So many rounds of the new side, and up to `enough` where these make a metric seem worse than its baseline."""
    return _alone(*_confirmed(rounds, enough)) if rounds >= FEWEST else _alone(rounds)


def automatic(enough: int = ENOUGH) -> Schedule:
    """As many rounds of the new side as the decision needs, up to `enough`."""
    return _alone(enough, _looks(1, enough))


def paired(rounds: int, enough: int = ENOUGH) -> Schedule:
    """So many rounds of either side, and up to `enough` where these make a metric seem worse than on the base side."""
    return _in_turns(*_confirmed(rounds, enough)) if rounds >= FEWEST else _in_turns(rounds)


def automatically_paired(enough: int = ENOUGH) -> Schedule:
    """As many rounds of either side as the decision needs, 3 at the least and up to `enough`."""
    return _in_turns(enough, _looks(FEWEST, enough))


def _looks(first: int, last: int) -> tuple[int, ...]:
    return tuple(look for look in (*LOOKS, last) if first <= look <= last)


def _confirmed(rounds: int, enough: int) -> tuple[int, tuple[int, ...], bool]:
    """Rounds at the most, looks, and that the further ones are to confirm."""
    return (enough, (rounds, *_looks(rounds + 1, enough)), True) if rounds < enough else (rounds, (), False)


def _alone(rounds: int, looks: tuple[int, ...] = (), confirms_only: bool = False) -> Schedule:
    new: Side = "new"
    return Schedule((new,) * rounds, frozenset(looks), confirms_only)


def _in_turns(rounds: int, looks: tuple[int, ...] = (), confirms_only: bool = False) -> Schedule:
    """As A B B A A B B A: a drift of the machine bears on both alike.

    The first is of the new side: a test that fails there fails as it does without a base.
    looks: in rounds of each side.
    """
    turns: tuple[tuple[Side, Side], ...] = (("new", "base"), ("base", "new"))
    sides = tuple(side for at in range(rounds) for side in turns[at % 2])
    return Schedule(sides, frozenset(2 * look for look in looks), confirms_only)


def is_decided(
    windows: Sequence[WindowRecord],
    metrics: Mapping[str, Metric],
    most: int,
    *,
    base_grows: bool = False,
    confirms_only: bool = False,
) -> bool:
    """Whether up to `most` rounds could change no comparison of the test, or would only bear out what is fine.

    base_grows: the base side runs rounds too, `most` of each side. confirms_only: more rounds are run of what seems
    worse, and not of what is too noisy to tell.
    """
    found = [v for window in windows for v in window.verdicts if v.kind == REGRESSION and v.rounds is not None]
    return not any(
        _is_suspect(v, most) or (not confirms_only and _is_open(v, metrics, most, base_grows)) for v in found
    )


def _is_suspect(verdict: Verdict, most: int) -> bool:
    """Whether the metric seems worse, and more rounds of this side are to bear it out before the test fails."""
    assert verdict.rounds is not None
    seems_worse = verdict.status is Status.FAIL or (verdict.status is Status.NOISY and verdict.is_suspect)
    return seems_worse and verdict.rounds[1] < most


def _is_open(verdict: Verdict, metrics: Mapping[str, Metric], most: int, base_grows: bool) -> bool:
    """Whether that many rounds may tell what is too noisy to tell as yet, against a base that has enough of its own."""
    assert verdict.rounds is not None
    metric = metrics.get(verdict.budget.metric)  # None: of functions, whose figures need no ranks
    least = ranks.FEWEST if metric is not None and metric.noise is Noise.NOISY else FEWEST
    needed = verdict.rounds_needed
    has_base = base_grows or verdict.rounds[0] >= least
    return verdict.status is Status.NOISY and needed is not None and needed <= most and has_base
