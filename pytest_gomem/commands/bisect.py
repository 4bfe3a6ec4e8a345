"""`gomem bisect`: finds the first commit that made a metric of a test worse."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from shutil import get_terminal_size
from typing import NamedTuple, TextIO

from pytest_gomem.base.errors import ConfigError, GomemError
from pytest_gomem.base.kept_state import state_file
from pytest_gomem.base.locks import locked_if_free
from pytest_gomem.base.printable import raw_stream
from pytest_gomem.bisect.answer import answer_lines, answer_to_dict
from pytest_gomem.bisect.state import Asked, State, read_state, write_state
from pytest_gomem.bisect.words import counted
from pytest_gomem.commands.bisect_runs import TestRuns
from pytest_gomem.commands.bisecting import Bisection
from pytest_gomem.commands.cli import Parser, checked
from pytest_gomem.commands.live_progress import Progress
from pytest_gomem.commands.one_test import find_test
from pytest_gomem.commands.own_outputs import saving, split, write_json
from pytest_gomem.commands.pytest_run import metrics_for
from pytest_gomem.git.commits import commits_between
from pytest_gomem.git.repository import GitError, Repository, short
from pytest_gomem.stats.decision import FEWEST

_MOST_ROUNDS = 9
_DESCRIPTION = """\
Find the first commit after GOOD, up to BAD, that made a metric of a test worse. Each step runs the test on one commit
and on GOOD, in turns. BAD is HEAD if you leave it out; METRIC the one that is worst. Your working tree's tests and
gomem.yaml are used, and its files are not touched. Exit status: 0 found, 1 not found, 2 bad input.
"""
_EXAMPLES = """\
  gomem bisect v1.4 test_upload                       # up to HEAD, the metric that is worst
  gomem bisect v1.4 v1.5 tests/test_mem.py::test_upload live_heap
  gomem bisect --resume                               # go on after Ctrl-C
  gomem bisect v1.4 test_upload -- -p no:randomly     # what follows -- goes to pytest
"""


def bisect(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Search, and print the commit; 0 if it is found, 1 if there is none to name."""
    before, pytest_args = split(argv)
    given = _parser().parse_intermixed_args(before)  # options may stand between the words
    repository = Repository.around(Path.cwd())
    kept = _state_file(repository)
    with ExitStack() as stack:
        if not stack.enter_context(locked_if_free(kept.with_suffix(".lock"))):
            raise GomemError(f"another gomem bisect runs in {repository.top}")
        state = _begun(given, repository, kept, tuple(pytest_args))
        _tell(state, given, repository, err)
        try:
            return _search(given, state, repository, kept, out, err)
        except KeyboardInterrupt:
            if read_state(kept) is not None:
                err.write("gomem bisect: stopped; go on by  gomem bisect --resume\n")
            raise


def _parser() -> Parser:
    parser = Parser(
        "gomem bisect",
        _DESCRIPTION,
        usage="gomem bisect [options] GOOD [BAD] TEST [METRIC] [-- pytest args]",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words = "two commits, a test (its id, or the end of one), and a metric such as live_heap"
    parser.add_argument("words", nargs="*", metavar="GOOD [BAD] TEST [METRIC]", help=words)
    rounds = f"rounds of each side at most, where fewer do not tell (default {_MOST_ROUNDS}, least {FEWEST})"
    parser.add_argument("--rounds", type=checked(_rounds), metavar="N", help=rounds)
    parser.add_argument("--first-parent", action="store_true", help="of a merge, follow the first parent alone")
    parser.add_argument("--resume", action="store_true", help="go on with the one that was stopped here")
    parser.add_argument("--json", metavar="PATH|-", help="write the result as JSON; - is stdout")
    return parser


def _rounds(written: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", written) or int(written) < FEWEST:
        raise ValueError(f"expected a whole number of at least {FEWEST}, not {written!r}")
    return int(written)


class _Words(NamedTuple):
    good: str
    bad: str
    test: str
    metric: str


def _words(words: Sequence[str], repository: Repository) -> _Words:
    """What the words mean. Of three, the second one is BAD if git knows such a commit, and else the test."""
    if not 2 <= len(words) <= 4:
        raise ConfigError(f"expected GOOD [BAD] TEST [METRIC], not {counted(len(words), 'word')}")
    if len(words) == 4:
        return _Words._make(words)
    if len(words) == 2:
        return _Words(words[0], "HEAD", words[1], "")
    if _is_commit(words[1], repository):
        return _Words(words[0], words[1], words[2], "")
    return _Words(words[0], "HEAD", words[1], words[2])


def _is_commit(word: str, repository: Repository) -> bool:
    try:
        repository.commit(word)
    except GitError:
        return False
    return True


def _begun(given: argparse.Namespace, repository: Repository, kept: Path, pytest_args: tuple[str, ...]) -> State:
    """The bisection that was asked for: a new one, or the kept one."""
    state = read_state(kept) if given.resume else None
    if given.resume and state is None:
        raise ConfigError(f"no bisection was stopped in {repository.top}", hint="leave out --resume")
    if state is not None and not given.words:
        return state
    words = _words(given.words, repository)
    asked = Asked(
        repository.commit(words.good),
        repository.commit(words.bad),
        words.test,
        words.metric,
        given.rounds or _MOST_ROUNDS,
        given.first_parent,
        pytest_args,
    )
    if state is None:
        return State(asked)
    if state.asked != asked:
        hint = (
            f"it was  {_command(state.asked)}\nsay  gomem bisect --resume  alone, or leave out --resume to start anew"
        )
        raise ConfigError("the bisection that was stopped here was asked for something else", hint=hint)
    return state


def _command(asked: Asked) -> str:
    words = [short(asked.good), short(asked.bad), asked.test, asked.metric]
    options = [f"--rounds={asked.rounds}"] * (asked.rounds != _MOST_ROUNDS) + ["--first-parent"] * asked.first_parent
    return " ".join(
        ["gomem bisect", *options, *filter(None, words), *(["--", *asked.pytest_args] * bool(asked.pytest_args))]
    )


def _state_file(repository: Repository) -> Path:
    """In the user's cache: a file for each repository."""
    return state_file("bisect", repository.top.name, repository.common_dir)


def _tell(state: State, given: argparse.Namespace, repository: Repository, err: TextIO) -> None:
    """Say what the working tree is for, and what is resumed."""
    if changes := repository.changes():
        files = f"{counted(changes, 'file')} that {'is' if changes == 1 else 'are'} not committed"
        err.write(f"gomem bisect: the working tree has {files}: no Go source of them is measured\n")
    if given.resume:
        err.write(f"gomem bisect: going on after {counted(len(state.steps), 'step')}: {_command(state.asked)}\n")


def _search(
    given: argparse.Namespace, state: State, repository: Repository, kept: Path, out: TextIO, err: TextIO
) -> int:
    asked = state.asked
    registry = metrics_for([asked.metric] if asked.metric else [])
    if asked.metric:
        registry.lookup(asked.metric)
    commits = commits_between(repository, asked.good, asked.bad, first_parent=asked.first_parent)
    runs = TestRuns(find_test(asked.test, asked.pytest_args), asked.pytest_args)
    by_name = {commit.hash: commit for commit in commits}
    progress = Progress(raw_stream(err))
    answer = Bisection(state, by_name, runs, registry, progress, saving(kept, write_state)).run()
    kept.unlink(missing_ok=True)
    if given.json:
        write_json(given.json, answer_to_dict(answer, by_name, registry, runs.test.nodeid), out)
    if given.json != "-":
        width = get_terminal_size().columns
        out.write("\n".join(answer_lines(answer, by_name, registry, runs.test.nodeid, width)) + "\n")
    return 0 if answer.confirmed else 1
