"""`gomem tune`: finds the GC settings and the memory limit that a service needs, with a test of yours as the load."""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from shutil import get_terminal_size
from typing import Any, TextIO

from pytest_gomem.base.errors import ConfigError, GomemError, Place
from pytest_gomem.base.files import run_folder
from pytest_gomem.base.kept_state import state_file
from pytest_gomem.base.locks import locked_if_free
from pytest_gomem.base.printable import raw_stream
from pytest_gomem.base.units import BYTES, SECONDS, parse_quantity
from pytest_gomem.commands.cli import Parser, checked
from pytest_gomem.commands.limit_trial import memory_limit_words
from pytest_gomem.commands.live_progress import Progress
from pytest_gomem.commands.one_test import FoundTest, find_test
from pytest_gomem.commands.own_outputs import saving, split
from pytest_gomem.commands.pytest_run import metrics_for
from pytest_gomem.commands.tune_outputs import Outputs
from pytest_gomem.commands.tune_runs import ONE_ROUND, SettingRuns
from pytest_gomem.commands.tuning import Tuning
from pytest_gomem.config.memory_limit import LEAST
from pytest_gomem.measure.registry import Registry
from pytest_gomem.plugin.tuned import FILE_VARIABLE
from pytest_gomem.tune.answer import cost_words
from pytest_gomem.tune.bounds import parse_bound
from pytest_gomem.tune.paste import size_text
from pytest_gomem.tune.records import Bound, Find, Question
from pytest_gomem.tune.source import source_of
from pytest_gomem.tune.state import Asked, State, read_state, write_state
from pytest_gomem.tune.subject import Subject, subject_of

_FINDS = {"gomemlimit": Find.GOMEMLIMIT, "limit": Find.LIMIT}
_DESCRIPTION = """\
Find the settings that a service needs: a test of yours runs under one after the other, and is measured. With --limit:
the GOGC and GOMEMLIMIT that cost least CPU under that memory limit. With --find: the smallest GOMEMLIMIT, or memory
limit, that keeps your bounds. Exit status: 0 found, 1 no answer, 2 bad input.
"""
_EXAMPLES = """\
  gomem tune test_upload --limit 300MiB            # what costs least in such a container
  gomem tune test_upload --find limit --keep 'cpu_per_op<=1.25x' --keep 'latency_p99<=50ms'
  gomem tune test_upload --find gomemlimit --budget 3min -o tune.html
  gomem tune --resume                              # go on after Ctrl-C
  gomem tune test_upload --limit 1GiB -- -n0       # what follows -- goes to pytest
"""


def tune(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Search, and print the setting; 0 if there is one, 1 if there is none to name."""
    before, pytest_args = split(argv)
    given = _parser().parse_args(before)
    outputs = Outputs(given.json, given.svg, given.html)
    kept = state_file("tune", Path.cwd().name, Path.cwd())
    with ExitStack() as stack:
        if not stack.enter_context(locked_if_free(kept.with_suffix(".lock"))):
            raise GomemError(f"another gomem tune runs in {Path.cwd()}")
        state = _kept(given, pytest_args, kept)
        state, test, subject, registry = _begun(given, tuple(pytest_args), state)
        if not given.resume:
            kept.unlink(missing_ok=True)
        else:
            err.write(f"gomem tune: going on after {cost_words(state.results)}: {_command(state.asked)}\n")
        runs = SettingRuns(test, state.asked.pytest_args, subject.service, state.asked.window)
        units = {metric.name: metric.unit.name for metric in registry}
        tuning = Tuning(state, runs, units, Progress(raw_stream(err)), saving(kept, write_state))
        try:
            answer = tuning.run()
        except KeyboardInterrupt:
            if tuning.state.results:
                err.write(f"gomem tune: {tuning.stopped_words()}; go on by  gomem tune --resume\n")
            raise
        outputs.write(answer, tuning.state, subject.service, units, out, get_terminal_size().columns)
        return 0 if answer.setting is not None and not answer.needs_rounds else 1


def _parser() -> Parser:
    parser = Parser(
        "gomem tune",
        _DESCRIPTION,
        usage="gomem tune [options] TEST (--limit SIZE | --find gomemlimit|limit) [-- pytest args]",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("test", nargs="?", metavar="TEST", help="a test: its id, or the end of one")
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument("--limit", type=checked(_size), metavar="SIZE", help="the memory limit to find a setting for")
    asked.add_argument("--find", choices=_FINDS, help="find the smallest GOMEMLIMIT, or the smallest memory limit")
    keep = "a bound to keep, such as 'cpu_per_op<=1.25x' (of its figure with memory to spare); may be given again"
    parser.add_argument("--keep", action="append", default=[], metavar="BOUND", help=keep)
    budget = "end in time, say 3min: begin no run that would end later, and answer by what is known then"
    parser.add_argument("--budget", type=checked(_seconds), metavar="TIME|off", help=budget)
    parser.add_argument("--service", default="", metavar="NAME", help="the service, where the test starts several")
    parser.add_argument("--window", default="", metavar="NAME", help="the window, where the test has several")
    resume = "go on with the last search of this folder, also with a larger budget"
    parser.add_argument("--resume", action="store_true", help=resume)
    parser.add_argument("--json", metavar="PATH|-", help="write the result as JSON; - is stdout")
    parser.add_argument("--svg", metavar="PATH", help="draw the curve of peak RSS against CPU per op")
    html = "write a page with the answer, the curve and the table (needs pytest-gomem[report])"
    parser.add_argument("-o", "--html", metavar="PATH", help=html)
    return parser


def _size(text: str) -> int:
    size = round(parse_quantity(text, BYTES).value)
    if size < LEAST:
        raise ValueError(f"expected a size of at least 4MiB, not {text!r}")
    return size


def _seconds(text: str) -> float:
    """Infinite for "off"."""
    if text == "off":
        return math.inf
    seconds = parse_quantity(text, SECONDS).value
    if seconds <= 0:
        raise ValueError(f"expected a time such as 3min, not {text!r}")
    return seconds


def _kept(given: argparse.Namespace, pytest_args: Sequence[str], kept: Path) -> State | None:
    """The search to go on with, None for a new one."""
    if not given.resume:
        return None
    state = read_state(kept)
    if state is None:
        raise ConfigError(f"there was no search for settings in {Path.cwd()}", hint="leave out --resume")
    further = (given.limit, given.find, given.keep, given.service, given.window, pytest_args)
    if given.test is None and any(further):
        raise ConfigError("--resume asks what was asked before", hint="it takes --budget and outputs beside it")
    return state


def _begun(
    given: argparse.Namespace, pytest_args: tuple[str, ...], kept: State | None
) -> tuple[State, FoundTest, Subject, Registry]:
    """The search that was asked for, kept or new; raises ConfigError if it cannot be answered."""
    asked = kept.asked if kept is not None and given.test is None else None
    if asked is None and given.test is None:
        raise ConfigError("no test is named", hint="write  gomem tune TEST --limit SIZE  or  --find limit")
    if asked is None and given.limit is None and given.find is None:
        raise ConfigError("it is not said what to find", hint="add --limit SIZE, --find gomemlimit or --find limit")
    bound_texts = [str(bound) for bound in asked.question.bounds] if asked else given.keep
    registry = metrics_for(map(_metric_of, bound_texts))
    bounds = tuple(parse_bound(text, registry.units(), Place(key="--keep")) for text in given.keep)
    words = asked or Asked(given.test, _question(given, bounds), given.service, given.window, pytest_args)
    test, subject = _found(words)
    question = replace(words.question, gogc=subject.gogc, budget_seconds=_budget(given, kept))
    asked = replace(words, test=test.nodeid, question=question)
    source = source_of(Path.cwd(), subject.program)
    if kept is not None:
        _check_same(kept, asked, source)
    elif asked.question.find in (Find.SETTING, Find.LIMIT) and not subject.simulated:
        memory_limit_words()
    return State(asked, source, kept.results if kept else ()), test, subject, registry


def _budget(given: argparse.Namespace, kept: State | None) -> float | None:
    if given.budget is None:
        return kept.asked.question.budget_seconds if kept else None
    return None if given.budget == math.inf else float(given.budget)


def _metric_of(bound: str) -> str:
    return re.split(r"[<>=\s]", bound.strip(), maxsplit=1)[0]


def _found(asked: Asked) -> tuple[FoundTest, Subject]:
    """The test, and what is known of it before its first run."""
    with run_folder("gomem-tune-") as folder:
        file = folder / "tuned.json"
        test = find_test(asked.test, [*asked.pytest_args, *ONE_ROUND], {FILE_VARIABLE: str(file)})
        known: dict[str, Any] = json.loads(file.read_text())
    return test, subject_of(test.nodeid, known, asked.service)


def _question(given: argparse.Namespace, bounds: tuple[Bound, ...]) -> Question:
    find = _FINDS[given.find] if given.find else Find.SETTING
    return Question(find, given.limit, bounds)


def _check_same(kept: State, asked: Asked, source: str) -> None:
    """Raise ConfigError if the kept runs answer another question, or are of another program."""
    before = replace(kept.asked.question, budget_seconds=asked.question.budget_seconds)
    if replace(kept.asked, question=before) != asked:
        hint = f"it was  {_command(kept.asked)}\nsay  gomem tune --resume  alone, or leave out --resume to start anew"
        raise ConfigError("the last search here was asked for something else", hint=hint)
    if kept.source != source:
        hint = "the runs before would be of another program: leave out --resume to start anew"
        raise ConfigError("the code, the test or gomem.yaml has changed since that search", hint=hint)


def _command(asked: Asked) -> str:
    question = asked.question
    find = next((f"--find {name}" for name, find in _FINDS.items() if find is question.find), "")
    words = [find or f"--limit {size_text(question.limit or 0)}", *(f"--keep '{bound}'" for bound in question.bounds)]
    words += [f"--budget {question.budget_seconds:g}s"] if question.budget_seconds else []
    words += [f"--{name} {value}" for name, value in (("service", asked.service), ("window", asked.window)) if value]
    return " ".join(["gomem tune", asked.test, *words, *(["--", *asked.pytest_args] if asked.pytest_args else [])])
