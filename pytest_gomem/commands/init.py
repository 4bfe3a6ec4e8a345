"""`gomem init`: proposes a gomem.yaml and a first test for a repository of Go, tries them, and writes them."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.base.printable import printable
from pytest_gomem.commands.cli import Parser
from pytest_gomem.commands.init_trial import Trial, tried
from pytest_gomem.commands.questions import Asked, ask, choose
from pytest_gomem.launch.toolchain import find_toolchain
from pytest_gomem.report.text import percent
from pytest_gomem.scaffold.config_schema import KEPT
from pytest_gomem.scaffold.go_list import only_built
from pytest_gomem.scaffold.limits import USUAL_SHARE
from pytest_gomem.scaffold.programs import find_programs
from pytest_gomem.scaffold.proposal import Found, Proposal, look_at, others, propose
from pytest_gomem.scaffold.repository import Repository, read_repository
from pytest_gomem.scaffold.rootdir import pytest_rootdir
from pytest_gomem.scaffold.texts import python_text, yaml_text

CONFIG = "gomem.yaml"
TEST = "test_memory.py"
_MOST_SHOWN = 12


def init(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Write gomem.yaml and a test; 1 if they did not work, 2 for no program of Go or a file that is there already."""
    given = _parser().parse_args(argv)
    root = _folder(given.folder)
    test = Path(os.path.normpath(root / given.test))
    _refuse_to_overwrite(root, test)
    asked = Asked.of(given.yes, sys.stdin)
    if not given.no_try:
        find_toolchain()  # without a Go there is nothing to try, and the message says how to get one
    repository = _repository(root)
    chosen = _chosen(repository, asked, out)
    trial = _tried(repository, chosen, given, asked, err)
    return _write(root, test, trial, asked, out)


def _parser() -> Parser:
    parser = Parser(
        "gomem init",
        "Write a gomem.yaml and a first memory test for the Go program in a folder. Nothing is overwritten.",
    )
    parser.add_argument("folder", nargs="?", default=".", metavar="DIR", help="the repository (default: this folder)")
    parser.add_argument("--yes", action="store_true", help="ask nothing: take the best guess")
    parser.add_argument(
        "--no-try", action="store_true", help="neither build nor start the program: write what the source tells"
    )
    parser.add_argument(
        "--test", default=TEST, metavar="FILE", help=f"where the test goes, within DIR (default: {TEST})"
    )
    return parser


def _folder(named: str) -> Path:
    root = Path(named).absolute()
    if not root.is_dir():
        raise ConfigError(f"{named} is not a folder", hint="name the repository: gomem init DIR")
    return root.resolve()


def _refuse_to_overwrite(root: Path, test: Path) -> None:
    if (root / CONFIG).exists():
        raise ConfigError(
            f"{_from_here(root / CONFIG)} exists already", hint="`gomem doctor` checks it; remove it to begin anew"
        )
    if test.exists():
        raise ConfigError(f"{_from_here(test)} exists already", hint="give the test another name: --test FILE")
    if root not in test.parents:
        raise ConfigError(f"{test} is not within {root}", hint="--test names a file within the repository")


def _from_here(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _repository(root: Path) -> Repository:
    try:
        repository = read_repository(root)
    except OSError as error:
        raise ConfigError(f"{root} cannot be read: {error.strerror}") from None
    if not repository.modules:
        more = " in the part that was looked at: the folder is very large" if repository.is_cut else ""
        raise ConfigError(
            f"no go.mod in {_from_here(root)}, below or above it{more}",
            hint="name the folder of a Go module: gomem init DIR, or make one: go mod init NAME",
        )
    for module in repository.modules:
        if not module.path:
            raise ConfigError(
                f"{_from_here(module.folder / 'go.mod')} names no module", hint="its first line is  module NAME"
            )
    return repository


def _chosen(repository: Repository, asked: Asked, out: TextIO) -> Found:
    found = look_at(repository, only_built(repository, find_programs(repository)))
    if not found:
        raise ConfigError(
            f"no package main in {_from_here(repository.root)}: there is no program to measure",
            hint="name the folder of one: gomem init DIR",
        )
    if len(found) == 1:
        return found[0]
    shown = found[:_MOST_SHOWN]
    words = [printable(str(one)) for one in shown]
    more = f"and {len(found) - len(shown)} more" if len(found) > len(shown) else ""
    return shown[choose("Which program do you want to measure?", words, asked, out, more=more)]


def _tried(repository: Repository, found: Found, given: argparse.Namespace, asked: Asked, err: TextIO) -> Trial:
    best = propose(repository, found)
    if given.no_try:
        return Trial(best)
    if best.kind and not ask(f"Build and start {found.program.folder} now, to see that it works?", asked):
        return Trial(best)
    return tried([best, *others(repository, found)], repository.root, err)


def _write(root: Path, test: Path, trial: Trial, asked: Asked, out: TextIO) -> int:
    rootdir = pytest_rootdir(root)
    texts = {root / CONFIG: yaml_text(trial.proposal, KEPT), test: python_text(*trial.of_test)}
    names = " and ".join(_from_here(path) for path in texts)
    out.write("".join(f"{line}\n" for line in _seen(trial)))
    if not ask(f"Write {names}?", asked):
        out.write("nothing was written\n")
        return 0
    for path, text in texts.items():
        _write_new(path, text)
    out.write(f"wrote {names}\n")
    out.write("".join(f"{line}\n" for line in _next(root, rootdir, test, trial)))
    return int(trial.failed)


def _write_new(path: Path, text: str) -> None:
    """Make the file; one that came meanwhile stays."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{_from_here(path)} exists already") from None
    except OSError as error:
        raise ConfigError(f"{_from_here(path)} cannot be written: {error.strerror}") from None


def _seen(trial: Trial) -> list[str]:
    """What was found, in a few lines."""
    proposal = trial.proposal
    words = [f"program  {proposal.package}, as {proposal.name}"]
    start = [*proposal.args, *(f"{name}={value}" for name, value in proposal.env.items())]
    words += [f"start    {' '.join(start)}"] if start else []
    words += [f"ready    {_ready(proposal)}"] if proposal.kind else []
    words += [f"tried    {trial.words}"]
    return [printable(line) for text in words for line in text.splitlines()]


def _ready(proposal: Proposal) -> str:
    return f"when {proposal.ready} answers" if proposal.ready else "when its port accepts connections"


def _next(root: Path, rootdir: Path, test: Path, trial: Trial) -> Iterator[str]:
    """The next two commands."""
    go = "" if root == Path.cwd() else f"cd {shlex.quote(_from_here(root))} && "
    named = shlex.quote(os.path.relpath(test, root)) + ("" if rootdir == root else " --rootdir .")
    if rootdir != root:
        yield f"pytest's rootdir is {_from_here(rootdir)}: without --rootdir it looks for {CONFIG} there"
    yield "\nnext:"
    if trial.failed:
        yield f"  {go}gomem doctor --try   # after you have corrected {CONFIG}"
    yield f"  {go}pytest {named}"
    if trial.limits is not None and trial.limits.share is not None:
        share = trial.limits.share
        by = "" if share <= USUAL_SHARE + 1e-9 else f" --by {percent(share)}"
        yield f"  {go}gomem selftest{by} {named}"
    elif not trial.failed:
        yield f"  {go}gomem compare HEAD {named}"
