"""What a run of some tests knows for the run of all tests, which decides it; and the runs that one is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_gomem.base.errors import Place
from pytest_gomem.config.accepted import Acceptance
from pytest_gomem.config.known_leaks import KnownLeak


@dataclass(frozen=True)
class Stale:
    """What is declared for tests of which there is none: in words, and where."""

    words: str
    place: Place


@dataclass(frozen=True)
class Whole:
    """What is decided when all tests have run.

    strict: by --gomem-strict. stale: what is declared in gomem.yaml and gomem_accepted.yaml for tests that do not
    exist; None if this run cannot know, as it did not look into all files. accepted, known_leaks: the entries of
    gomem_accepted.yaml.
    """

    strict: bool = False
    stale: tuple[Stale, ...] | None = None
    accepted: tuple[Acceptance, ...] = ()
    known_leaks: tuple[KnownLeak, ...] = ()


@dataclass(frozen=True)
class ShardRecord:
    """One of the runs that a merged report is made of, and the ids of its tests; other fields as those of RunRecord.

    file: its report, as it was named.
    """

    file: str
    tool_version: str
    tests: tuple[str, ...]
    environment: Mapping[str, str | int | float | None] = field(default_factory=dict)
    exit_status: int | None = None
    interrupted: bool = False
    complete: bool = True
