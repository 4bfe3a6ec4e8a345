"""Refuses reports that are no parts of one run: of other commits, with a test twice, or with one that nobody ran."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from pytest_gomem.base.errors import ConfigError, ConfigErrors
from pytest_gomem.base.names import means_test
from pytest_gomem.git.repository import SHOWN
from pytest_gomem.results.run_record import RunRecord

_MOST = 5  # errors of one kind
_COULD = (None, 0, 1, 5)  # all passed, one failed, there were none
_STATUSES: dict[int | None, str] = {
    2: "it was interrupted",
    3: "an internal error",
    4: "a mistake in its options, markers or gomem.yaml",
}


class Shard(NamedTuple):
    """The report of a part of a run: its file, as it was named, and what it says."""

    file: str
    run: RunRecord


def refuse_number(files: Sequence[str], number: int) -> None:
    """Raise ConfigError unless there are so many reports."""
    if len(files) != number:
        raise ConfigError(
            f"the number of reports is {len(files)}, and --shards says {number}: {', '.join(files)}",
            hint="look at the job of each shard: one may have been cancelled, or its report was not uploaded"
            if len(files) < number
            else "a report of an older run may be among them: leave it out",
        )


def refuse(shards: Sequence[Shard], ids: Sequence[Sequence[str]], without: Sequence[str]) -> None:
    """Raise ConfigErrors with all that speaks against one run. ids: the tests of each report."""
    errors = [*_mixed(shards), *_twice(shards, ids), *_run_by_none(shards, ids, without)]
    if errors:
        raise ConfigErrors(errors)


def left_out(shards: Sequence[Shard], ids: Sequence[Sequence[str]]) -> list[str]:
    """The tests that a report has deselected and none has run."""
    known = set(chain.from_iterable(ids))
    return [test for test in dict.fromkeys(chain.from_iterable(s.run.deselected for s in shards)) if test not in known]


def _mixed(shards: Sequence[Shard]) -> Iterator[ConfigError]:
    commits = _groups(shards, lambda run: run.commit)
    if len(commits) > 1:
        is_one = len({commit.partition("-")[0] for commit in commits}) == 1
        again = "run all shards on one commit, and merge their new reports"
        hint = "a step of that job has changed tracked files: git status there names them" if is_one else again
        yield ConfigError(f"the reports are of different commits: {_listed(commits, _commit)}", hint=hint)
    folders = _groups(shards, lambda run: run.folder)
    if len(folders) > 1:
        where = _listed(folders, lambda folder: folder or "its top")
        hint = "merge the reports of each folder by themselves: the same id means another test in each"
        yield ConfigError(f"the reports are of different folders of the repository: {where}", hint=hint)
    sides = _groups(shards, lambda run: run.against)
    if len(sides) > 1:
        compared = _listed(sides, lambda side: _commit(side) if side else "none")
        hint = "give all shards the same commit to compare with, by its hash"
        yield ConfigError(f"the reports are compared with different sides: {compared}", hint=hint)


def _groups(shards: Iterable[Shard], get: Callable[[RunRecord], str]) -> dict[str, list[str]]:
    """The files by a value of their runs."""
    found: dict[str, list[str]] = {}
    for file, run in shards:
        found.setdefault(get(run), []).append(file)
    return found


def _listed(groups: dict[str, list[str]], shown: Callable[[str], str]) -> str:
    return ", ".join(f"{shown(value)} ({', '.join(files)})" for value, files in groups.items())


def _commit(named: str) -> str:
    """A commit with a short hash; other words stay."""
    commit, dash, more = named.partition("-")
    is_hash = len(commit) > SHOWN and all(letter in "0123456789abcdef" for letter in commit)
    return (commit[:SHOWN] + dash + more if is_hash else named) or "one without git"


def _twice(shards: Sequence[Shard], ids: Sequence[Sequence[str]]) -> Iterator[ConfigError]:
    files: dict[str, list[str]] = {}
    for (file, _), tests in zip(shards, ids, strict=True):
        for test in tests:
            files.setdefault(test, []).append(file)
    merged = [shard.file for shard in shards if shard.run.shards]
    hint = f"{merged[0]} is itself merged: leave it out" if merged else "leave out all but one of these reports"
    texts = [f"the test {test} is in several reports: {', '.join(where)}" for test, where in files.items() if where[1:]]
    return _first(texts, hint)


def _run_by_none(
    shards: Sequence[Shard], ids: Sequence[Sequence[str]], without: Sequence[str]
) -> Iterator[ConfigError]:
    missing = [test for test in left_out(shards, ids) if not any(means_test(glob, test) for glob in without)]
    files = {test: [shard.file for shard in shards if test in shard.run.deselected] for test in missing}
    ended = [f"{file}: {words}" for file, run in shards if (words := how_it_ended(run.exit_status))]
    hint = "is the report of a shard missing? if no shard is to run a test, say  --without GLOB  of its id"
    return _first(
        [f"the test {test} was left out ({', '.join(where)}), and no report has it" for test, where in files.items()],
        "\n".join(ended) or hint,
    )


def _first(messages: Sequence[str], hint: str) -> Iterator[ConfigError]:
    """The first errors of a kind, and how many more there are, with one hint for all."""
    shown = list(messages[:_MOST])
    if more := len(messages) - len(shown):
        shown.append(f"and {more} more test{'s' * (more > 1)} of that kind")
    return (ConfigError(text, hint=hint if text is shown[-1] else "") for text in shown)


def how_it_ended(status: int | None) -> str:
    """That pytest could not run all tests, by its exit status; "" if it could."""
    if status in _COULD:
        return ""
    return f"pytest ended with status {status}: {_STATUSES.get(status, 'its output says why')}"
