"""The records of a test and of a whole run, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_gomem.results.whole import ShardRecord, Whole
from pytest_gomem.results.window_record import WindowRecord


@dataclass(frozen=True)
class TestRecord:
    """One test: its id, pytest's outcome, the matrix combination it ran under, and its windows.

    outcome: also "crashed", "interrupted" and "not run" for a test that has no result, with the reason. line: that of
    the test in the file of its id, from 1; None if it is defined elsewhere. duration: the seconds of its set-up, body
    and teardown together.
    """

    __test__ = False

    nodeid: str
    outcome: str
    windows: tuple[WindowRecord, ...]
    matrix: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    line: int | None = None
    duration: float | None = None


@dataclass(frozen=True)
class RunRecord:
    """A whole pytest run: the machine and tools it ran on, and its tests in the order they ended.

    exit_status: pytest's, before a report could change it; None outside pytest. interrupted: by Ctrl-C, a signal or
    pytest.exit(). complete: each test that was to be measured has a result. artifacts: the folder of the files that
    were kept, "" if none were to be. commit: that of HEAD around the rootdir, with "-dirty" if tracked files differ
    from it; "" without git. folder: the rootdir relative to the top of that repository, "" for the top. deselected:
    tests that would have been measured, and that -k, -m or a plugin left out. against: the base side of all comparisons
    that were asked for: its commit, binary or Go. whole: what a run of all tests decides. problems: what fails the run
    beside its tests. shards: the runs that this one is made of.
    """

    tool_version: str
    environment: Mapping[str, str | int | float | None]
    tests: Sequence[TestRecord]
    exit_status: int | None = None
    interrupted: bool = False
    complete: bool = True
    artifacts: str = ""
    commit: str = ""
    folder: str = ""
    deselected: tuple[str, ...] = ()
    against: str = ""
    whole: Whole = field(default_factory=Whole)
    problems: tuple[str, ...] = ()
    shards: tuple[ShardRecord, ...] = ()
