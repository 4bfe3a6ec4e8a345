"""`gomem accept`: accepts a broken limit of a test for a time, with a reason and an owner."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TextIO

from pytest_gomem.base import clock
from pytest_gomem.base.errors import ConfigError, ConfigErrors, Place
from pytest_gomem.base.names import SeveralTests, find_tests
from pytest_gomem.base.units import UNITS, Unit
from pytest_gomem.commands.cli import Parser
from pytest_gomem.commands.pytest_run import every_metric
from pytest_gomem.config.accepted import (
    LIMITS,
    Acceptance,
    Amount,
    accepted_file,
    accepted_unit,
    amount,
    load_accepted,
    metric_name,
)
from pytest_gomem.config.accepting import add
from pytest_gomem.config.fields import Located
from pytest_gomem.config.goroutine_globs import goroutine_glob
from pytest_gomem.config.known_leaks import GOROUTINES, KINDS, KnownLeak, day
from pytest_gomem.git.repository import GitError, git
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.report.accepted import CACHE_FILE, Broken, broken_limits, read_broken
from pytest_gomem.report.json_reading import read_report
from pytest_gomem.results.run_record import TestRecord

# The next run's figure differs a little. With room for a third of what is visible, 33 of 1000 next runs (drawn from the
# rounds in benchmarks/detection) broke the accepted amount of a peak RSS; with room for all of it, 3.
_HEADROOM = 0.1


def accept(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Add an entry to the gomem_accepted.yaml next to gomem.yaml."""
    given = _parser().parse_args(argv)
    gomem_yaml = Path(given.config)
    if not gomem_yaml.exists():
        raise ConfigError(f"there is no {gomem_yaml}", hint="name it: --config PATH")
    kind = _leak_kind(given)
    tests, path = _report(given), accepted_file(gomem_yaml)
    if kind:
        return _accept_leak(given, kind, _test(given.test, tests), path, out)
    units = _units(given.metric, tests, path)
    metric = metric_name(given.metric, units, Place(key="METRIC"))
    test = _test(given.test, tests)
    broken = () if given.mute or given.amount else _broken(test, metric, tests)
    entry = Acceptance(
        test=test,
        metric=metric,
        amount=_said(given.amount, metric, units) if given.amount else None,
        reason=_words("--reason", given.reason),
        owner=_words("--owner", given.owner or _git_user(gomem_yaml.absolute().parent)),
        expires=_expires(given.expires),
        place=Place(),
    )
    for each in _fresh(_by_kind(entry, broken), load_accepted(path, units)):
        added = add(path, each, units)
        what = "muted" if added.amount is None else f"accepted up to {added.amount}"
        kind = f" ({added.limit})" if added.limit else ""
        at = f"{added.place.file}:{added.place.line}"
        out.write(f"{added.metric}{kind} of {added.test} is {what} until {added.expires} by {added.owner}  ({at})\n")
    if any(not limit.visible for limit in broken) and "[" not in metric:
        err.write(f"gomem accept: it is not known how far {metric} scatters: the next run may break more than this;\n")
        err.write("  with --mute it is judged and never fails\n")
    return 0


def _leak_kind(given: argparse.Namespace) -> str:
    """The kind of leak that is asked for, "" for a metric; raises ConfigError for both and for neither."""
    kinds = [kind for kind in KINDS if getattr(given, kind)]
    said = [*kinds, *(["METRIC"] if given.metric else [])]
    if len(said) != 1:
        hint = 'such as: gomem accept TEST live_heap, or: gomem accept TEST --goroutines "main.worker"'
        raise ConfigError(f"{' and '.join(said)} are both given" if said else "what do you accept?", hint=hint)
    if kinds and (given.amount or given.mute):
        raise ConfigError(f"--{kinds[0]} takes no amount: what it names is accepted whole")
    return next(iter(kinds), "")


def _accept_leak(given: argparse.Namespace, kind: str, test: str, path: Path, out: TextIO) -> int:
    written = Located(getattr(given, kind), Place(key=f"--{kind}"), getattr(given, kind))
    entry = KnownLeak(
        test=test,
        kind=kind,
        glob=goroutine_glob(written) if kind == GOROUTINES else _words(f"--{kind}", written.written),
        reason=_words("--reason", given.reason),
        owner=_words("--owner", given.owner or _git_user(path.absolute().parent)),
        expires=_expires(given.expires),
        place=Place(),
    )
    added = add(path, entry, _units("", (), path))
    at = f"{added.place.file}:{added.place.line}"
    out.write(f"{added.kind} '{added.glob}' of {added.test}: accepted until {added.expires} by {added.owner}  ({at})\n")
    return 0


def _by_kind(entry: Acceptance, broken: Sequence[Broken]) -> list[Acceptance]:
    """An entry for each kind of limit that was broken, with the amount it needs; else the entry as it is."""
    kinds = sorted({limit.kind for limit in broken}, key=LIMITS.index)
    return [
        replace(entry, limit=kind, amount=_widest([limit for limit in broken if limit.kind == kind])) for kind in kinds
    ] or [entry]


def _fresh(entries: Sequence[Acceptance], known: Sequence[Acceptance]) -> Sequence[Acceptance]:
    """The entries that are not in the file yet; all of them, to be refused, if none is new."""
    keys = {entry.key for entry in known}
    return [entry for entry in entries if entry.key not in keys] or entries


def _parser() -> Parser:
    parser = Parser("gomem accept", "Accept a broken limit for a time. This adds an entry to gomem_accepted.yaml.")
    parser.add_argument("test", metavar="TEST", help="a test's id, the end of one, or a glob")
    parser.add_argument("metric", nargs="?", metavar="METRIC", help="such as live_heap")
    parser.add_argument("--goroutines", metavar="GLOB", help="in place of METRIC: goroutines that stay, by a function")
    parser.add_argument("--holder", metavar="GLOB", help="in place of METRIC: who holds memory, by its root or path")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why you accept it")
    parser.add_argument("--owner", metavar="NAME", help="who is responsible (default: git's user.name)")
    parser.add_argument(
        "--expires", default="90d", metavar="DATE", help="the last day: 2027-01-31 or 30d (default: 90d)"
    )
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument(
        "--amount", help="how far past the limit: 5%% of it, or in the metric's unit (default: from the report)"
    )
    how_much.add_argument("--mute", action="store_true", help="for a flaky metric: judge it, but never fail")
    parser.add_argument("--report", metavar="PATH", help="a JSON report (default: the last run that broke a limit)")
    parser.add_argument("--config", default="gomem.yaml", metavar="PATH", help="default: gomem.yaml")
    return parser


def _report(given: argparse.Namespace) -> tuple[TestRecord, ...]:
    """The tests of the report; () if the last run kept none and none is needed."""
    if given.report:
        return tuple(read_report(Path(given.report)).tests)
    needs_none = given.amount or given.mute or given.goroutines or given.holder
    return read_broken() if CACHE_FILE.exists() or not needs_none else ()


def _units(wanted: str, tests: Sequence[TestRecord], path: Path) -> dict[str, Unit]:
    """The units of metrics, built-in and in the report; those of plugins too, if these are not enough."""
    measured = {metric.name: metric.unit for test in tests for window in test.windows for metric in window.metrics}
    known = {name: UNITS[unit] for name, unit in measured.items() if unit in UNITS}
    units = {**known, **Registry(builtin_metrics()).units()}
    return units if _suffice(units, wanted, path) else {**known, **every_metric().units()}


def _suffice(units: Mapping[str, Unit], wanted: str, path: Path) -> bool:
    """Whether the units hold the metric that is asked for, and those that are accepted already."""
    try:
        if wanted:
            metric_name(wanted, units, Place())
        load_accepted(path, units)
    except (ConfigError, ConfigErrors):
        return False
    return True


def _test(wanted: str, tests: Sequence[TestRecord]) -> str:
    """The whole id for the end of one, without its parameters if several combinations broke a limit.

    A glob stays as it is, and so does an id that the report does not hold.
    """
    if re.search(r"[*?]", wanted):
        return wanted
    try:
        found = find_tests(wanted, {test.nodeid for test in tests})
    except SeveralTests:
        raise
    except ConfigError:
        if "::" in wanted:
            return wanted
        raise
    return found[0] if len(found) == 1 else found[0].partition("[")[0]


def _said(written: str, metric: str, units: Mapping[str, Unit]) -> Amount:
    unit = accepted_unit(metric, units)
    assert unit is not None
    return amount(written, unit, Place(key="--amount"))


def _broken(test: str, metric: str, tests: tuple[TestRecord, ...]) -> tuple[Broken, ...]:
    """The limits on the metric that the tests broke; raises ConfigError if there is none."""
    meant = set(find_tests(test, {test.nodeid for test in tests}))
    limits = [limit for limit in broken_limits(tests) if limit.nodeid in meant]
    found = tuple(limit for limit in limits if limit.metric == metric)
    if not found:
        others = sorted({limit.metric for limit in limits})
        hint = f"broken there: {', '.join(others)}" if others else "no limit was broken there; give --amount"
        raise ConfigError(f"the report has no broken limit on {metric} of '{test}'", hint=hint)
    return found


def _widest(broken: Sequence[Broken]) -> Amount:
    """The largest excess, with room for the next run, in two digits; as a share of the limit if it has one."""
    rooms = [max(_HEADROOM * limit.by, limit.visible) for limit in broken]
    shares = [
        limit.share * (1 + room / limit.by)
        for limit, room in zip(broken, rooms, strict=True)
        if limit.share is not None and limit.by
    ]
    if len(shares) == len(broken):
        written = f"{_rounded_up(max(shares) * 100):.12g}%"
    else:
        written = f"{_rounded_up(max(limit.by + room for limit, room in zip(broken, rooms, strict=True))):.12g}"
    return amount(written, broken[0].unit, Place(key="--amount"))


def _rounded_up(value: float) -> float:
    if value <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step - 1e-6) * step:.3g}")  # 22.000000000000004 is 22


def _words(option: str, written: str) -> str:
    if not written.strip():
        raise ConfigError(f"{option} must not be empty")
    if not written.isprintable():
        raise ConfigError(f"{option} must be one line of printable text, not {written!r}")
    return written.strip()


def _git_user(folder: Path) -> str:
    try:
        return git(folder, "config", "user.name").strip()
    except GitError:
        raise ConfigError("who is responsible for it?", hint="give --owner NAME: git has no user.name here") from None


def _expires(written: str) -> date:
    today, place = clock.today(), Place(key="--expires")
    days = re.fullmatch(r"([0-9]{1,4})d", written.strip())
    last = today + timedelta(days=int(days[1])) if days else day(written, place)
    if last < today:
        raise ConfigError(f"{last} is over already", place)
    return last
