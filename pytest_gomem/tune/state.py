"""What a search for settings has measured so far: kept after each run, so that it can be resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pytest_gomem.base import kept_state
from pytest_gomem.tune.records import Bound, Ended, Find, Question, RunResult, Setting

_VERSION = 1


@dataclass(frozen=True)
class Asked:
    """What the user asked for. service, window: "" if they were not named. pytest_args: further ones."""

    test: str
    question: Question
    service: str = ""
    window: str = ""
    pytest_args: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """A search: what was asked, the sources it was asked of, and its runs in their order.

    source: a hash over the commit, what differs from it, and a program that is not built here.
    """

    asked: Asked
    source: str
    results: tuple[RunResult, ...] = ()

    def with_result(self, result: RunResult) -> State:
        """After one more run."""
        return replace(self, results=(*self.results, result))


def write_state(path: Path, state: State) -> None:
    """Replace the kept state at once; raises OSError."""
    kept_state.write_state(path, _VERSION, asdict(state))


def read_state(path: Path) -> State | None:
    """The kept state, None if there is none; raises ConfigError if it cannot be understood."""
    return kept_state.read_state(path, _VERSION, "a search for settings", _state)


def _state(data: Mapping[str, Any]) -> State:
    asked, question = data["asked"], data["asked"]["question"]
    bounds = tuple(Bound(**bound) for bound in question["bounds"])
    question = Question(**{**question, "find": Find(question["find"]), "bounds": bounds})
    return State(
        Asked(**{**asked, "question": question, "pytest_args": tuple(asked["pytest_args"])}),
        data["source"],
        tuple(
            RunResult(**{**result, "setting": Setting(**result["setting"]), "ended": Ended(result["ended"])})
            for result in data["results"]
        ),
    )
