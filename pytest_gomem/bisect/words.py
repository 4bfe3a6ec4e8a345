"""The lines that a bisection prints: its range, its ends, its steps."""

from __future__ import annotations

from pytest_gomem.bisect.likeness import Kind
from pytest_gomem.bisect.measured import Change
from pytest_gomem.bisect.state import Ends, Step
from pytest_gomem.git.commits import Commit
from pytest_gomem.git.repository import short
from pytest_gomem.judge.regressions import signed
from pytest_gomem.report.text import clip, value_text

_LONGEST_REASON = 160


def counted(count: int, noun: str) -> str:
    """Such as "1 step" and "2 steps"."""
    return f"{count} {noun}{'s' * (count != 1)}"


def range_words(good: str, bad: str, commits: int, steps: int) -> str:
    """What is searched, and about how long it takes."""
    return f"{counted(commits, 'commit')} after {short(good)} up to {short(bad)}: about {counted(steps, 'step')}"


def from_to(before: float, after: float, unit: str) -> str:
    """Such as "5.00 MB -> 5.10 MB (+2.0%)"."""
    share = f" ({signed((after - before) / abs(before))})" if before else ""
    return f"{value_text(before, unit)} -> {value_text(after, unit)}{share}"


def ends_words(ends: Ends) -> str:
    """How the two ends differ."""
    also = f"; also worse: {', '.join(ends.also)}" if ends.also else ""
    change = from_to(ends.base, ends.base + ends.change, ends.unit)
    return f"the ends differ: {ends.target.metric} {change}, {ends.rounds} rounds of each, {ends.seconds:.0f} s{also}"


def change_words(change: Change, unit: str) -> str:
    """A metric and how it changed between the ends."""
    return f"{change.target.metric} {from_to(change.base, change.base + change.level, unit)}"


def unchanged_words(change: Change, unit: str) -> str:
    """The same, with what could have been seen."""
    found = change.comparison
    words = change_words(change, unit) if found.change is not None else change.target.metric
    if found.smallest_visible is None or not found.base:
        return words
    share = signed(found.smallest_visible / abs(found.base)).removeprefix("+")
    return f"{words}; a worsening of {value_text(found.smallest_visible, unit)} ({share}) would be seen"


def step_words(step: Step, ends: Ends, commit: Commit, at: int, steps: int) -> str:
    """What came of one step."""
    return f"step {at} of about {steps}: {commit.text}: {outcome_words(step, ends)}, {step.seconds:.0f} s"


def outcome_words(step: Step, ends: Ends) -> str:
    """What a commit is like, or why it tells nothing."""
    if step.kind is Kind.LOST:
        return f"skipped: {clip(step.reason, _LONGEST_REASON)}"
    rounds = counted(step.rounds, "round")
    level = _level(step, ends)
    if step.kind is Kind.UNCLEAR:
        return f"skipped: {step.reason}{level and f' ({level})'}, {rounds}"
    between = ", between the ends" if step.is_between else ""
    return f"{step.kind.value}{between}, {ends.target.metric} {level}, {rounds}"


def _level(step: Step, ends: Ends) -> str:
    if step.level is None:
        return ""
    return signed(step.level / abs(ends.base)) if ends.base else value_text(step.level, ends.unit)
