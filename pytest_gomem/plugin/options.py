"""The table of options: each row makes the flag, its ini twin and its help."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pytest


class Option(NamedTuple):
    """An option `--gomem-NAME` and its ini twin `gomem_NAME`; kind is "flag", or the METAVAR of its value."""

    name: str
    kind: str
    help: str

    @property
    def flag(self) -> str:
        """As on the command line."""
        return f"--gomem-{self.name}"

    @property
    def ini(self) -> str:
        """As in the ini file."""
        return f"gomem_{self.name.replace('-', '_')}"


OPTIONS = (
    Option("config", "PATH", "gomem.yaml to use (default: beside pyproject.toml, if it is there)"),
    Option("json", "PATH", "write a JSON report"),
    Option("history", "PATH", "append what each window measured to this file, for `gomem history`"),
    Option("artifacts", "DIR", "save the service log and the heap profiles of each failed test there"),
    Option("rounds", "N", 'run each test N times, or "auto": as its comparisons need (default; 1 without any)'),
    Option("confirm", "N", "fail for a regression once N rounds of each side have borne it out (default 8)"),
    Option("against", "REF", "run each test on that commit, or binary, as well and compare (rounds: 3 of each side)"),
    Option(
        "against-go", "GO", "as --gomem-against, built by another Go: a version such as 1.26, or a toolchain's path"
    ),
    Option("no-compare", "flag", "compare with nothing, neither baselines nor another side: for a quick run"),
    Option("update", "flag", "record what this run measures as the baselines, 8 rounds of each test unless said"),
    Option("force", "flag", "with --gomem-update: record failing tests and noisy metrics too"),
    Option("baseline-dir", "DIR", "where the baselines are (default: gomem_baselines beside gomem.yaml)"),
    Option(
        "baseline-profiles", "DIR|off", "where heap profiles of the baselines are (default: profiles in baseline-dir)"
    ),
    Option("baseline-profile-size", "SIZE", "bytes of each such profile at most (default 64KiB)"),
    Option("sample-rate", "HZ", "RSS samples a second (default 50)"),
    Option("strict", "flag", "YAML budgets that match no test, and baselines of other conditions, are errors"),
    Option("report-only", "flag", "report broken budgets without failing their tests"),
    Option("no-measure", "flag", "launch services, but measure and judge nothing"),
)
Said = Mapping[str, "str | bool | None"]  # by option name; None where neither flag nor ini speaks
METRICS_FLAG = "--gomem-metrics"
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def add_options(parser: pytest.Parser) -> None:
    """Register every row with pytest. A flag that is not given is None, so that it does not hide its ini twin."""
    group = parser.getgroup("gomem", "memory-regression testing of Go services")
    for option in OPTIONS:
        if option.kind == "flag":
            group.addoption(option.flag, dest=option.ini, action="store_true", default=None, help=option.help)
        else:
            group.addoption(option.flag, dest=option.ini, metavar=option.kind, default=None, help=option.help)
        parser.addini(option.ini, f"{option.help} (ini twin of {option.flag})", default="")
    group.addoption(METRICS_FLAG, dest="gomem_metrics", action="store_true", help="list all metrics and exit")


def is_any_said(config: pytest.Config) -> bool:
    """Whether a flag or an ini value was given, readable or not."""
    return any(config.getoption(option.ini) is not None or config.getini(option.ini) for option in OPTIONS)


class BadOption(ValueError):
    """An ini value that is no yes or no."""


def said(config: pytest.Config) -> Said:
    """What flag or ini say; raises BadOption."""
    return MappingProxyType({option.name: _said(config, option) for option in OPTIONS})


def _said(config: pytest.Config, option: Option) -> str | bool | None:
    given: str | bool | None = config.getoption(option.ini)
    if given is not None:
        return given
    written = str(config.getini(option.ini)).strip()
    # As pytest's own ini paths: relative to the ini file's folder.
    if option.kind in ("PATH", "DIR") or (option.kind == "DIR|off" and written != "off"):
        return str(config.rootpath / written) if written else None
    if option.kind != "flag":
        return written or None
    if written.lower() in (*_FALSE, ""):
        return False if written else None
    if written.lower() in _TRUE:
        return True
    raise BadOption(f"ini option {option.ini}: expected true or false, not {written!r}")
