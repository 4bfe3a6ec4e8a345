"""Questions in a terminal, each with its default; without a terminal nothing is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from pytest_gomem.base.errors import ConfigError

_TRIES = 3


@dataclass(frozen=True)
class Asked:
    """How questions are answered: by the best guess, or by a person at this terminal."""

    yes: bool
    terminal: TextIO

    @classmethod
    def of(cls, yes: bool, stdin: TextIO) -> Asked:
        """Raises ConfigError where nobody can be asked, and nobody said to ask nothing."""
        if not yes and not stdin.isatty():
            raise ConfigError("there is no terminal to ask in", hint="gomem init --yes takes the best guess")
        return cls(yes, stdin)


def choose(question: str, choices: Sequence[str], asked: Asked, out: TextIO, *, more: str = "") -> int:
    """The index of what is chosen: the first one if nothing else is said."""
    out.write("".join(f"  {number:>2}  {words}\n" for number, words in enumerate(choices, 1)))
    out.write(f"      {more}\n" if more else "")
    if asked.yes:
        return 0
    for _ in range(_TRIES):
        answer = _answer(f"{question} [1] ", asked)
        if not answer:
            return 0
        if answer.isdigit() and 0 < int(answer) <= len(choices):
            return int(answer) - 1
        out.write(f"write a number from 1 to {len(choices)}\n")
    raise ConfigError(f"no number from 1 to {len(choices)} was given")


def ask(question: str, asked: Asked) -> bool:
    """Whether the answer is yes, as it is without one."""
    return asked.yes or _answer(f"{question} [Y/n] ", asked).lower() in ("", "y", "yes")


def _answer(prompt: str, asked: Asked) -> str:
    """A line of the terminal; its end (Ctrl-D) is an interruption."""
    print(prompt, end="", flush=True)
    line = asked.terminal.readline()
    if not line:
        raise KeyboardInterrupt
    return line.strip()
