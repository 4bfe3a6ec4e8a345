"""The `gomem` command: reads arguments, picks the subcommand, and turns errors into one line and exit status 2."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, NoReturn, Protocol, TextIO, TypeVar

from pytest_gomem import __version__
from pytest_gomem.base.errors import GomemError
from pytest_gomem.base.names import did_you_mean
from pytest_gomem.base.printable import printable_stream

_W = TypeVar("_W")


class Parser(argparse.ArgumentParser):
    """An ArgumentParser without abbreviated options, which reports a mistake in one line."""

    def __init__(self, prog: str, description: str, **settings: Any) -> None:
        super().__init__(prog=prog, description=description, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Report the mistake and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}; {self.prog} --help says more\n")


def checked(parse: Callable[[str], _W]) -> Callable[[str], _W]:
    """`parse` as the `type` of an argument; the text of its ValueError is shown, which argparse would drop."""

    def parse_argument(written: str) -> _W:
        try:
            return parse(written)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_argument


class Command(Protocol):
    """A subcommand. Exit status: 0 fine, 1 a budget or comparison failed, 2 bad input."""

    def __call__(self, argv: Sequence[str], out: TextIO, err: TextIO) -> int:
        """Run it."""


# Name -> (module, function, help): a module is loaded only when its command is asked for.
COMMANDS = {
    "init": ("pytest_gomem.commands.init", "init", "write a gomem.yaml and a first test: gomem init [DIR] [--yes]"),
    "run": ("pytest_gomem.commands.run", "run", "run a program to its end and measure it: gomem run -- ./job --flag"),
    "compare": (
        "pytest_gomem.commands.compare",
        "compare",
        "compare with another commit or binary: gomem compare REF|BINARY [pytest args]",
    ),
    "doctor": ("pytest_gomem.commands.doctor", "doctor", "show what this machine can measure, and check gomem.yaml"),
    "accept": (
        "pytest_gomem.commands.accept",
        "accept",
        "accept a broken limit for a time, with a reason and an owner",
    ),
    "tighten": (
        "pytest_gomem.commands.tighten",
        "tighten",
        "lower budgets to what is measured plus the smallest visible change",
    ),
    "selftest": ("pytest_gomem.commands.selftest", "selftest", "make services worse on purpose: do your tests notice?"),
    "history": (
        "pytest_gomem.commands.history",
        "history",
        "show the trend of a metric over commits, and where it changed",
    ),
    "bisect": (
        "pytest_gomem.commands.bisect",
        "bisect",
        "find the first commit that made a metric worse: gomem bisect GOOD [BAD] TEST [METRIC]",
    ),
    "tune": (
        "pytest_gomem.commands.tune",
        "tune",
        "find GOGC, GOMEMLIMIT and the smallest memory limit: gomem tune TEST --limit 300MiB | --find limit",
    ),
    "explain": (
        "pytest_gomem.commands.explain",
        "explain",
        "print the failures of a JSON report: gomem explain report.json [TEST]",
    ),
    "report": (
        "pytest_gomem.commands.report",
        "report",
        "make files for people and CI servers from JSON reports, and one report of those of shards",
    ),
    "baseline": ("pytest_gomem.commands.baseline", "baseline", "update, list, show, diff and prune kept baselines"),
    "top": ("pytest_gomem.commands.top", "top", "show what a profile holds, by function, line, file or package"),
    "diff": ("pytest_gomem.commands.top", "diff", "show what changed between two profiles"),
    "flame": ("pytest_gomem.commands.flame", "flame", "draw a profile, or what changed between two, as a flame graph"),
    "retention": (
        "pytest_gomem.commands.retention",
        "retention",
        "say who holds the memory in a heap dump: gomem retention DUMP --binary FILE",
    ),
    "trace": (
        "pytest_gomem.commands.trace",
        "trace",
        "say why GC cycles began, what stopped the world and who assisted: gomem trace FILE",
    ),
    "leaks": ("pytest_gomem.commands.leaks", "leaks", "watch a running service: does it grow, and who allocates it?"),
    "capture": ("pytest_gomem.commands.capture", "capture", "save a profile of a running service: URL or process id"),
}


def refused(command: str, error: Exception, err: TextIO) -> int:
    """Say in one line what was wrong; returns the exit status for bad input."""
    err.write(f"gomem {command}: {' '.join(str(error).split())}\n")
    return 2


def main(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Run one subcommand and return the exit status."""
    out, err = printable_stream(out), printable_stream(err)
    if not argv or argv[0] in ("-h", "--help"):
        out.write(_usage())
        return 0
    if argv[0] == "--version":
        out.write(f"pytest-gomem {__version__}\n")
        return 0
    if argv[0] not in COMMANDS:
        err.write(f"gomem: unknown command '{argv[0]}'; {did_you_mean(argv[0], COMMANDS)}\n")
        return 2
    module, function, _ = COMMANDS[argv[0]]
    command: Command = getattr(importlib.import_module(module), function)
    try:
        with redirect_stdout(out), redirect_stderr(err):  # argparse writes there
            return command(argv[1:], out, err)
    except SystemExit as end:  # argparse's, after --help (0) or a mistake (2)
        return int(end.code or 0)
    except GomemError as error:
        err.write(f"gomem {argv[0]}: {error}\n")
        return 2
    except BrokenPipeError:  # `gomem top ... | head`
        return 0
    except OSError as error:  # of stdout: files of a command's own are told by the command
        file = f"{error.filename}: " if error.filename else ""
        err.write(f"gomem {argv[0]}: {file}{error.strerror or error}\n")
        return 2
    except KeyboardInterrupt:
        return 130


def _usage() -> str:
    rows = "\n".join(f"  {name:<9} {text}" for name, (_, _, text) in COMMANDS.items())
    return f"usage: gomem COMMAND [ARGS]\n\n{rows}\n\ngomem COMMAND --help says more.\n"


def run() -> None:
    """The entry point of the installed script. A stream that the shell has closed (>&-) is None."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - pathlib takes long to load
        sys.exit(main(sys.argv[1:], sys.stdout or nowhere, sys.stderr or nowhere))
