"""The table of options: each row defines a flag, its ini twin, its help, and its parser."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from pytest_gomem.config.marker import Rounds
    from pytest_gomem.launch.launcher import Overrides
    from pytest_gomem.launch.sides import Against

METRICS_FLAG = "--gomem-metrics"
OFF: Literal["off"] = "off"
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}")  # ends no HTML comment
_PATH_STARTS = ("/", "./", "../", "~")
_SMALLEST_PROFILE = 4096  # leaves room for a few lines
_FASTEST_SAMPLING = 1000
_MOST_DIAGNOSES = 100_000
_MOST_CYCLES = 10_000


# Each turns the text into a setting; relative paths start in `folder`. Raises ValueError with what is allowed.
# None, for "off", overrides the ini file. A ConfigError may name a key within the value.


def _true_or_false(written: str, _: Path) -> bool:
    if written.lower() not in (*_TRUE, *_FALSE):
        raise ValueError(f"expected true or false, not {written!r}")
    return written.lower() in _TRUE


def _path(written: str, folder: Path) -> Path:
    return folder / os.path.expanduser(written)  # noqa: PTH111 - Path.expanduser raises for a user it does not know


def _output(written: str, folder: Path) -> Path | None:
    return None if written == OFF else _path(written, folder)


def _page(written: str, folder: Path) -> Path | None:
    from importlib.util import find_spec

    if written != OFF and find_spec("jinja2") is None:  # better said now than after the last test
        raise ValueError("the page needs jinja2: pip install 'pytest-gomem[report]'")
    return _output(written, folder)


def _path_or_off(written: str, folder: Path) -> Path | Literal["off"]:
    return OFF if written == OFF else _path(written, folder)


def _whole(written: str, least: int, most: int, otherwise: str = "") -> int:
    number = int(written) if written.isascii() and written.isdigit() and len(written) < 10 else -1
    if not least <= number <= most:
        raise ValueError(f"expected a whole number from {least} to {most}{otherwise}, not {written!r}")
    return number


def _rounds(written: str, _: Path) -> Rounds:
    from pytest_gomem.config.marker import MOST_ROUNDS

    return "auto" if written == "auto" else _whole(written, 1, MOST_ROUNDS, ' or "auto"')


def _confirm(written: str, _: Path) -> int:
    from pytest_gomem.config.marker import MOST_ROUNDS
    from pytest_gomem.stats.decision import FEWEST

    return _whole(written, FEWEST, MOST_ROUNDS)


def _cycles(written: str, _: Path) -> int:
    from pytest_gomem.measure.shape import FEWEST

    return 0 if written == OFF else _whole(written, FEWEST, _MOST_CYCLES, ' or "off"')


def _diagnoses(written: str, _: Path) -> int:
    return 0 if written == OFF else _whole(written, 1, _MOST_DIAGNOSES, ' or "off"')


def _against(written: str, folder: Path) -> Against | None:
    """A program, if it exists or the text can be nothing else; else a commit."""
    if written == OFF:
        return None
    from pytest_gomem.launch.sides import Against

    path = _path(written, folder).resolve()
    is_program = path.is_file() and os.access(path, os.X_OK)
    return Against(binary=path) if is_program or written.startswith(_PATH_STARTS) else Against(written)


def _head(written: str, _: Path) -> str | None:
    return None if written == OFF else written


def _against_go(written: str, folder: Path) -> str | None:
    if written == OFF:
        return None
    path = _path(written, folder)
    return str(path) if "/" in written or path.is_dir() else written


def _profile_size(written: str, _: Path) -> int:
    from pytest_gomem.base.units import BYTES, parse_quantity

    size = parse_quantity(written, BYTES).value
    if size < _SMALLEST_PROFILE:
        raise ValueError(f"expected at least 4KiB, not {written!r}")
    return int(size)


def _sample_rate(written: str, _: Path) -> float:
    try:
        rate = float(written)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= _FASTEST_SAMPLING:
        raise ValueError(f"expected samples a second in (0, {_FASTEST_SAMPLING}], not {written!r}")
    return rate


def _ci(written: str, _: Path) -> Literal["auto", "off"]:
    if written == "auto":
        return "auto"
    if written == OFF:
        return OFF
    raise ValueError(f"expected auto or off, not {written!r}")


def _key(written: str, _: Path) -> str:
    if _KEY.fullmatch(written) is None:
        raise ValueError(f"expected at most 64 letters, digits, dots, dashes and underscores, not {written!r}")
    return written


def _laid_over(written: str, _: Path) -> Mapping[str, Overrides] | None:
    if written == OFF:
        return None
    from pytest_gomem.session.laid_over import laid_over

    return laid_over(written)


class Given(NamedTuple):
    """The value of an option: its text, its origin, and the folder where a relative path starts."""

    text: str
    giver: str
    folder: Path


class Option(NamedTuple):
    """An option `--gomem-NAME` and its ini twin `gomem_NAME`; without a metavar it takes no value.

    repeated: it may be given more than once, and `parse` gets a line for each.
    """

    name: str
    metavar: str | None
    parse: Callable[[str, Path], object]
    help: str
    repeated: bool = False

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return f"--gomem-{self.name}"

    @property
    def field(self) -> str:
        """Its name in Settings."""
        return self.name.replace("-", "_")

    @property
    def ini(self) -> str:
        """Its name in the ini file."""
        return f"gomem_{self.field}"

    def given(self, config: pytest.Config) -> Given | None:
        """The value of the flag, else of its ini twin; None if neither is given."""
        said: str | bool | list[str] | None = config.getoption(self.ini)
        if isinstance(said, list):
            return Given("\n".join(said), self.flag, config.invocation_params.dir)
        if said is not None:
            return Given("true" if said is True else str(said), self.flag, config.invocation_params.dir)
        written = str(config.getini(self.ini)).strip()
        # Like pytest's own ini paths: relative to the ini file's folder.
        return Given(written, f"ini option {self.ini}", config.rootpath) if written else None


OPTIONS = (
    Option("config", "PATH", _path, "gomem.yaml to use (default: beside pyproject.toml, if it is there)"),
    Option("json", "PATH", _output, "write a JSON report"),
    Option("html", "PATH", _page, "write a page to look at all tests: one HTML file (needs pytest-gomem[report])"),
    Option("history", "PATH", _output, "append what each window measured to this file, for `gomem history`"),
    Option("markdown", "PATH", _output, "write the comment for a pull request, in Markdown"),
    Option("markdown-key", "KEY", _key, "tells that comment from those of other jobs"),
    Option("gitlab", "DIR", _output, "write a code quality report and a metrics report for GitLab there"),
    Option(
        "ci", "auto|off", _ci, "under GitHub Actions, annotate what broke and add to the job summary (default auto)"
    ),
    Option("artifacts", "DIR", _output, "save the service log and the heap profiles of each failed test there"),
    Option(
        "rounds", "N", _rounds, 'run each test N times, or "auto": as its comparisons need (default; 1 without any)'
    ),
    Option(
        "cycles",
        "N|off",
        _cycles,
        "repeat each test's body N times in one window, to tell what grows (at least 10; default off)",
    ),
    Option("confirm", "N", _confirm, "fail for a regression once N rounds of each side confirm it (default 8)"),
    Option(
        "diagnose",
        "N|off",
        _diagnoses,
        "run a failed test again, observed, to find the line that caused it: at most N tests of a run (default 20)",
    ),
    Option(
        "against",
        "REF",
        _against,
        "run each test on that commit, or binary, as well and compare (rounds: 3 of each side)",
    ),
    Option(
        "against-go",
        "GO",
        _against_go,
        "as --gomem-against, built by another Go: a version such as 1.26, or a toolchain's path",
    ),
    Option(
        "head",
        "REF",
        _head,
        "with --gomem-against: take the services from that commit instead of the working tree",
    ),
    Option(
        "no-compare",
        None,
        _true_or_false,
        "compare with nothing, neither baselines nor another side: for a quick run",
    ),
    Option(
        "update",
        None,
        _true_or_false,
        "record what this run measures as the baselines, 8 rounds of each test unless said",
    ),
    Option("force", None, _true_or_false, "with --gomem-update: record failing tests and noisy metrics too"),
    Option(
        "set",
        "KEY=VALUE",
        _laid_over,
        "launch services under these settings, whatever gomem.yaml and the test say: gogc=200,api.gomemlimit=240MiB",
        repeated=True,
    ),
    Option("baseline-dir", "DIR", _path, "where the baselines are (default: gomem_baselines beside gomem.yaml)"),
    Option(
        "baseline-profiles",
        "DIR|off",
        _path_or_off,
        "where heap profiles of the baselines are (default: profiles in baseline-dir)",
    ),
    Option("baseline-profile-size", "SIZE", _profile_size, "bytes of each such profile at most (default 64KiB)"),
    Option("sample-rate", "HZ", _sample_rate, "RSS samples a second (default 50)"),
    Option(
        "strict",
        None,
        _true_or_false,
        "YAML budgets that match no test, and baselines of other conditions, are errors",
    ),
    Option("report-only", None, _true_or_false, "report broken budgets without failing their tests"),
    Option("no-measure", None, _true_or_false, "launch services, but measure and judge nothing"),
)


def add_options(parser: pytest.Parser) -> None:
    """Register every row with pytest. The default of a flag is None, so that it does not hide its ini twin."""
    group = parser.getgroup("gomem", "memory-regression testing of Go services")
    for option in OPTIONS:
        if option.metavar is None:
            group.addoption(option.flag, dest=option.ini, action="store_true", default=None, help=option.help)
        else:
            action = "append" if option.repeated else "store"
            flag = {"dest": option.ini, "metavar": option.metavar, "default": None, "help": option.help}
            group.addoption(option.flag, action=action, **flag)
        parser.addini(option.ini, f"{option.help} (ini twin of {option.flag})", default="")
    group.addoption(METRICS_FLAG, dest="gomem_metrics", action="store_true", help="list all metrics and exit")


def is_any_given(config: pytest.Config) -> bool:
    """Whether a flag or an ini value was given, valid or not."""
    return any(option.given(config) for option in OPTIONS)
