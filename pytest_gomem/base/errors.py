"""The errors that a user can cause: a base class, and one class for each kind of mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from pytest_gomem.base.printable import printable, printable_lines


class Place(NamedTuple):
    """Where something was declared: file, line (from 1) and dotted key. Unknown parts are empty or 0."""

    file: str = ""
    line: int = 0
    key: str = ""

    def __str__(self) -> str:
        at = f"{self.file}:{self.line}" if self.line else self.file
        return printable(" ".join(part for part in (at, self.key) if part))

    def at(self, key: str) -> Place:
        """The same file and line with another key."""
        return Place(self.file, self.line, key)


class GomemError(Exception):
    """Base of all errors that the user can correct; `str(error)` is the whole text to show, without a traceback.

    What it quotes from a file, a log or another program is made printable.
    """

    def __str__(self) -> str:
        return printable_lines(super().__str__())


class ConfigError(GomemError):
    """A mistake in gomem.yaml, in a marker, in an option or in a keyword argument."""

    def __init__(self, message: str, place: Place | None = None, hint: str = "") -> None:
        self.message = printable(message)
        self.place = place or Place()
        self.hint = hint
        where = f"{self.place}: " if str(self.place) else ""
        super().__init__(f"{where}{self.message}" + "".join(f"\n  {line}" for line in hint.split("\n") if line))


class ConfigErrors(GomemError):
    """Several mistakes, reported together so that one run shows them all."""

    def __init__(self, errors: Iterable[ConfigError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))


class LockedError(GomemError, TimeoutError):
    """A lock stayed held by another process for too long. path: file or folder; holders: who has it, if known."""

    def __init__(self, path: str, seconds: float, holders: Iterable[str]) -> None:
        who = ", ".join(holders) or "it is not known which, most likely another run of pytest"
        super().__init__(
            f"{path} stayed locked for {seconds:.0f} s by another process: {who}\n"
            "  let it finish, continue it if it is stopped, or end it; the lock ends with it"
        )


class ToolchainError(GomemError):
    """No usable Go command was found, or it did not answer."""


class BuildError(GomemError):
    """`go build` failed; holds the compiler's output."""

    def __init__(self, service: str, command: list[str], cwd: str, output: str) -> None:
        self.service, self.command, self.cwd, self.output = printable(service), command, cwd, printable_lines(output)
        what = printable(f"building service '{service}' failed: {' '.join(command)}  (in {cwd})")
        super().__init__(f"{what}\n{output.rstrip()}")


class LaunchError(GomemError):
    """A service did not start or did not become ready. log_title: a title for `log_tail`."""

    def __init__(self, service: str, message: str, log_tail: str = "", log_title: str = "last log lines") -> None:
        self.service, self.message, self.log_tail = printable(service), message, printable_lines(log_tail)
        self.log_title = log_title
        tail = f"\n--- {log_title} of {self.service} ---\n{log_tail.rstrip()}" if log_tail.strip() else ""
        super().__init__(f"service '{self.service}': {message}{tail}")

    def reworded(self, reword: Callable[[str], str]) -> LaunchError:
        """The same error with another text."""
        return type(self)(self.service, reword(self.message), reword(self.log_tail), self.log_title)


class ServiceDied(LaunchError):
    """A service ended while it was needed. The message has its exit status, signal, panic or OOM kill."""


class KilledAtLimit(ServiceDied):
    """A service, or a process that it started, was killed at the service's memory limit; `headline` is one line."""

    def __init__(self, service: str, message: str, log_tail: str = "", log_title: str = "last log lines") -> None:
        super().__init__(service, message, log_tail, log_title)
        self.headline = f"service '{self.service}': {self.message}"

    def retell(self, text: str, headline: str) -> None:
        """Replace the text and the headline: the cause has been looked for since."""
        self.headline, self.args = headline, (text,)


class SupervisorError(GomemError):
    """The helper process that holds the services could not be reached."""


class GroupError(GomemError):
    """No memory cgroup can be made; the text names path and errno of each way, and what would permit it."""


class ObserveError(GomemError):
    """A source of figures could not be read; often becomes the reason of an unavailable metric."""


class NoSource(ObserveError):
    """There is no source of these figures at all."""


class ObserveTimeout(ObserveError):
    """A source of figures did not answer in time. To ask again may take as long again."""


class LoadError(GomemError):
    """A load had failing requests or missed its rate, and that was not allowed; or a single request got no answer.

    kind: what happened to a single request, in the words by which reports count failures.
    """

    def __init__(self, message: str, kind: str = "") -> None:
        self.kind = kind
        super().__init__(message)


class BudgetBroken(GomemError, AssertionError):
    """A budget was broken, or its metric is unavailable; `headline` is one line about the first."""

    def __init__(self, text: str, headline: str) -> None:
        self.headline = headline
        super().__init__(text)

    def retell(self, text: str, headline: str) -> None:
        """Replace the text and the headline: the cause has been found since."""
        self.headline, self.args = headline, (text,)


class MeasureError(GomemError):
    """A window was used wrongly: nested, closed twice, or its operations counted in two ways that disagree."""
