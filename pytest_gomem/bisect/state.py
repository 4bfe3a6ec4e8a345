"""What a bisection has found so far: kept after each commit, so that it can be resumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_gomem.base import kept_state
from pytest_gomem.bisect.likeness import Kind, Levels, Likeness
from pytest_gomem.bisect.measured import Target
from pytest_gomem.bisect.search import Known

_VERSION = 1


@dataclass(frozen=True)
class Asked:
    """What the user asked for. good, bad: full hashes. metric: "" if it is to be chosen. pytest_args: further ones."""

    good: str
    bad: str
    test: str
    metric: str = ""
    rounds: int = 9
    first_parent: bool = False
    pytest_args: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ends:
    """What the two ends have shown. base: the median at the good one. change: how far the bad one is from it.

    also: further metrics that are worse, in words. seconds: how long it took.
    """

    target: Target
    unit: str
    base: float
    change: float
    rounds: int
    also: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Step:
    """A commit that was measured, and what it is like. level: its distance from the good end, None if unknown."""

    commit: str
    kind: Kind
    level: float | None = None
    is_between: bool = False
    rounds: int = 0
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class State:
    """A bisection: what was asked, its ends once they are measured, and its steps in their order."""

    asked: Asked
    ends: Ends | None = None
    steps: tuple[Step, ...] = field(default=())

    @property
    def known(self) -> Known:
        """What the steps say of their commits."""
        named = {kind: {step.commit for step in self.steps if step.kind is kind} for kind in Kind}
        return Known(named[Kind.GOOD], named[Kind.BAD], named[Kind.UNCLEAR] | named[Kind.LOST])

    @property
    def levels(self) -> Levels:
        """The ends of what is left to search."""
        assert self.ends is not None
        levels = Levels(0.0, self.ends.change)
        for step in self.steps:
            if step.level is not None:
                levels = Likeness(step.kind, step.level, step.is_between).moved(levels)
        return levels

    def with_step(self, step: Step) -> State:
        """After one more commit."""
        return replace(self, steps=(*self.steps, step))

    def without(self, commits: Sequence[str], reason: str) -> State:
        """As if these commits had told nothing."""
        steps = (
            replace(step, kind=Kind.UNCLEAR, level=None, is_between=False, reason=reason)
            if step.commit in commits
            else step
            for step in self.steps
        )
        return replace(self, steps=tuple(steps))


def write_state(path: Path, state: State) -> None:
    """Replace the kept state at once; raises OSError."""
    kept_state.write_state(path, _VERSION, asdict(state))


def read_state(path: Path) -> State | None:
    """The kept state, None if there is none; raises ConfigError if it cannot be understood."""
    return kept_state.read_state(path, _VERSION, "a bisection", _state)


def _state(data: Mapping[str, Any]) -> State:
    ends = data["ends"]
    return State(
        Asked(**{**data["asked"], "pytest_args": tuple(data["asked"]["pytest_args"])}),
        None if ends is None else _ends(ends),
        tuple(Step(**{**step, "kind": Kind(step["kind"])}) for step in data["steps"]),
    )


def _ends(data: Mapping[str, Any]) -> Ends:
    return Ends(**{**data, "target": Target(**data["target"]), "also": tuple(data["also"])})
