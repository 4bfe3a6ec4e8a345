"""The culprits of a comparison, from the heap profiles of two sides with different code.

Line numbers change between versions. So lines are matched within their function, in order, with the smallest total
difference. The samples of the two processes are independent: their variances add.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from pytest_gomem.attribution.compact import left_out
from pytest_gomem.attribution.culprits import (
    MOST_NAMED,
    SAMPLE_OF,
    Culprit,
    Findings,
    amount_text,
    callee,
    every,
    leaf_of,
    too_small,
    within,
    within_noise,
)
from pytest_gomem.attribution.groups import LEAST, largest_groups
from pytest_gomem.attribution.modules import ModuleChange, change_on_stack
from pytest_gomem.attribution.sampling import SIGMAS, Line, counts_made, lines, sigma_of_all
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.pprof.model import Profile

_MISMATCH = 1.01  # above 1: at equal difference, prefer matches of equal lines


@dataclass(frozen=True)
class _Pair:
    """A line of the head with its match on the base, if it has one.

    is_doubtful: it grew only if the guess of matching lines is right.
    """

    head: Line
    base: Line | None
    is_doubtful: bool = False

    @property
    def before(self) -> int:
        return self.base.after if self.base else 0

    @property
    def change(self) -> int:
        return self.head.after - self.before

    @property
    def sigma(self) -> float:
        return math.hypot(self.head.sigma, self.base.sigma if self.base else 0.0)


def culprits_between(
    metric: str,
    head: Sequence[Profile],
    base: Sequence[Profile],
    module: GoModule,
    *,
    there: str,
    counts: Callable[[Profile, bytes], bool] = lambda profile, stack: True,
    changes: Sequence[ModuleChange] = (),
) -> Findings:
    """The lines that allocated more on the head than chance explains, and at least 10% of all that grew.

    metric: a key of SAMPLE_OF. head, base: profiles of the same work, one or more a side; a side's figures are means,
    and the rates may differ. module: the user's own, on the head. there: where the base is: "on the base side".
    base may be compact: a line that it lacks may have had up to the amount that was left out.
    counts: whether to count a profile's stack, such as those of a budget's functions. changes: of modules, which
    culprits may pass through.
    Raises ProfileError if one of them is not a heap profile.
    """
    sample_type = SAMPLE_OF[metric]
    ours, theirs = (lines(side, None, sample_type, module, counts) for side in (head, base))
    unknown = sum(left_out(profile, sample_type) for profile in base) // len(base)
    pairs = list(_pairs(ours, theirs))
    enough = _sigmas(len(pairs))
    grown = sorted(
        (pair for pair in pairs if pair.change > (0 if pair.base else unknown)),
        key=lambda pair: (-pair.change, pair.head.site),
    )
    growth = sum(pair.change for pair in grown)
    certain = (pair for pair in grown if not pair.is_doubtful)
    sure = [pair for pair in certain if pair.change - (0 if pair.base else unknown) >= enough * pair.sigma]
    named = [pair for pair in sure if pair.change >= LEAST * growth][:MOST_NAMED]
    culprits = tuple(
        replace(
            _culprit(metric, pair, growth, there),
            module_change=change_on_stack(pair.head.main_chain, changes, module),
        )
        for pair in named
    )
    functions = len({pair.head.site.function for pair in grown})
    nothing = ""
    if not culprits:
        why = too_small(growth, functions, sample_type) if sure else ""
        nothing = why or _nothing(sample_type, [*head, *base], functions, growth, there)
        beyond = _beyond(sample_type, unknown, there)
        nothing += beyond or largest_groups(ours, theirs, growth, enough)
    total = sum(line.after for line in ours) - sum(line.after for line in theirs)
    return Findings(metric, culprits, functions, growth, nothing, total, sigma_of_all([*ours, *theirs]))


def _pairs(head: Iterable[Line], base: Iterable[Line]) -> Iterator[_Pair]:
    before = _by_function(base)
    for function, found in _by_function(head).items():
        there = before.get(function, [])
        pairs = list(_matched(found, there))
        for pair in pairs:
            is_new = pair.base is None and pair.change > 0
            yield replace(pair, is_doubtful=is_new and _is_guessed(pair, pairs, there))


def _is_guessed(one: _Pair, pairs: Sequence[_Pair], base: Sequence[Line]) -> bool:
    """Whether a line without a match may have one after all, as when a line had no sample, was split, or has moved.

    It has none if all lines of the function together grew.
    """
    growth = sum(pair.change for pair in pairs)
    doubt = SIGMAS * math.hypot(*(pair.sigma for pair in pairs))
    if not base or growth > doubt:
        return False
    alike = (_Pair(one.head, line) for line in base)
    return growth + doubt < one.change or any(abs(pair.change) <= SIGMAS * pair.sigma for pair in alike)


def _sigmas(looked_at: int) -> float:
    """The sigmas that a culprit needs: chance names one in 44 failures, as 2 sigmas do for a single line."""
    return NormalDist().inv_cdf(1 - (1 - NormalDist().cdf(SIGMAS)) / max(looked_at, 1))


def _by_function(found: Iterable[Line]) -> dict[str, list[Line]]:
    functions: dict[str, list[Line]] = defaultdict(list)
    for line in sorted(found, key=lambda line: line.site):
        functions[line.site.function].append(line)
    return functions


def _matched(head: Sequence[Line], base: Sequence[Line]) -> Iterator[_Pair]:
    """The lines of one function with their matches: the alignment of smallest total difference."""
    # costs[i][j]: of the first i head lines and the first j base lines.
    costs = [[0.0] * (len(base) + 1) for _ in range(len(head) + 1)]
    for i in range(len(head) + 1):
        for j in range(len(base) + 1):
            if i or j:
                costs[i][j] = min(cost for cost, _, _ in _steps(costs, head, base, i, j))
    found: list[_Pair] = []
    i, j = len(head), len(base)
    while i:
        _, before_i, before_j = min(_steps(costs, head, base, i, j))
        if before_i < i:
            found.append(_Pair(head[i - 1], base[j - 1] if before_j < j else None))
        i, j = before_i, before_j
    yield from reversed(found)


def _steps(
    costs: Sequence[Sequence[float]], head: Sequence[Line], base: Sequence[Line], i: int, j: int
) -> Iterator[tuple[float, int, int]]:
    """The ways to (i, j), each with its total cost: a match, a new line, or a removed line."""
    if i and j:
        yield costs[i - 1][j - 1] + _MISMATCH * abs(head[i - 1].after - base[j - 1].after), i - 1, j - 1
    if i:
        yield costs[i - 1][j] + abs(head[i - 1].after), i - 1, j
    if j:
        yield costs[i][j - 1] + abs(base[j - 1].after), i, j - 1


def _culprit(metric: str, pair: _Pair, growth: int, there: str) -> Culprit:
    line = pair.head
    amount = amount_text(pair.change, line.sample_type)
    is_made, is_new = counts_made(line.sample_type), pair.base is None
    more = "" if is_new else " more"
    what = f"allocates {amount}{more}" if is_made else f"allocated {amount}{more} of the live heap"
    return Culprit(
        *line.site,
        metric,
        pair.before,
        line.after,
        math.ceil(SIGMAS * pair.sigma),
        pair.change / growth,
        f"{what}{within(line)}{', and nothing' if is_new else ' than'} {there}",
        line.main_chain.sites[1:],
        is_between=True,
        causes=tuple(callee(line)),
        leaf=leaf_of(line),
        through=line.main_chain.through,
    )


def _nothing(sample_type: str, profiles: Sequence[Profile], functions: int, growth: int, there: str) -> str:
    if not functions:
        more = "allocates more" if counts_made(sample_type) else "has more of the live heap"
        return f"no line {more} than {there}, as far as can be seen by {every(profiles)}"
    return f"{within_noise(growth, functions, sample_type)} of {every(profiles)}"


def _beyond(sample_type: str, unknown: int, there: str) -> str:
    """The note on what a compact base left out."""
    amount = amount_text(unknown, sample_type)
    return f"; lines of at most {amount} were left out {there}, to keep its profile small" if unknown else ""
