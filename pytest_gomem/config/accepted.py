"""gomem_accepted.yaml: limits that may stay broken for a time, with reason, owner and last day."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.units import RATIO, Quantity, Unit, parse_quantity
from pytest_gomem.config.budgets import unit_of, unknown_metric
from pytest_gomem.config.fields import Fields, Located, Mistakes, check_version, filled, flag, items, members, text
from pytest_gomem.config.known_leaks import KINDS, KnownLeak, day, parse_known_leak
from pytest_gomem.config.own_metrics import is_own, parsed
from pytest_gomem.config.yaml12 import read_yaml

FILE = "gomem_accepted.yaml"
VERSION = 1
LIMITS = ("max", "min", "regression")
_KEYS = ("test", *KINDS, "metric", "limit", "amount", "muted", "reason", "owner", "expires")
_NAME = re.compile(r"(\w+)(\[.+\])?", re.DOTALL)


@dataclass(frozen=True)
class Amount:
    """How far past a limit or baseline is accepted: a share of it, or an amount in its unit; inclusive."""

    quantity: Quantity
    relative: bool

    def __str__(self) -> str:
        return self.quantity.written


@dataclass(frozen=True)
class Acceptance:
    """One entry: tests (an id or glob) and a metric, until the end of the day `expires` in UTC.

    metric: a name, followed by the glob of a limit on functions: alloc_space[main.encode*].
    amount: None for a muted metric, which is judged and never fails. limit: the kind of limit, "" for any.
    """

    test: str
    metric: str
    amount: Amount | None
    reason: str
    owner: str
    expires: date
    place: Place
    limit: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What may have only one entry."""
        return self.test, self.metric, self.limit

    @property
    def subject(self) -> str:
        """The key as text: "live_heap (regression) of 'test_it.py::test_a'"."""
        kind = f" ({self.limit})" if self.limit else ""
        return f"{self.metric}{kind} of '{self.test}'"

    @property
    def muted(self) -> bool:
        """Whether the metric is judged and never fails."""
        return self.amount is None

    def has_expired(self, today: date) -> bool:
        """Whether its last day is over."""
        return today > self.expires


Entry = Acceptance | KnownLeak


@dataclass(frozen=True)
class AcceptedFile:
    """The entries of the file, in its order."""

    entries: tuple[Entry, ...] = ()

    @property
    def limits(self) -> tuple[Acceptance, ...]:
        """Those on limits."""
        return tuple(entry for entry in self.entries if isinstance(entry, Acceptance))

    @property
    def leaks(self) -> tuple[KnownLeak, ...]:
        """Those on leaks."""
        return tuple(entry for entry in self.entries if isinstance(entry, KnownLeak))


def accepted_file(gomem_yaml: Path) -> Path:
    """The path of the file: next to gomem.yaml."""
    return gomem_yaml.with_name(FILE)


def load_accepted(path: Path, units: Mapping[str, Unit]) -> tuple[Acceptance, ...]:
    """The entries on limits alone, of a file without mistakes; raises ConfigErrors."""
    return read_accepted(path, units).limits


def read_accepted(path: Path, units: Mapping[str, Unit]) -> AcceptedFile:
    """Read and check the file, which may be missing; raises ConfigErrors with all its mistakes."""
    mistakes, found = Mistakes(), AcceptedFile()
    if not path.exists():
        return found
    with mistakes.kept():
        root = read_yaml(path, mistakes)
        fields = Fields(root, ("version", "accepted"), mistakes)
        check_version(root, fields, VERSION, mistakes)
        found = fields.read("accepted", lambda node: _entries(node, units, mistakes), found)
    mistakes.raise_all()
    return found


def _entries(node: Located, units: Mapping[str, Unit], mistakes: Mistakes) -> AcceptedFile:
    found: dict[tuple[str, str, str], Entry] = {}
    for item in items(node) if node.value is not None else ():
        with mistakes.kept():
            kind = next((kind for kind in KINDS if kind in members(item)), None)
            entry = _entry(item, units) if kind is None else parse_known_leak(item, kind)
            first = found.setdefault(entry.key, entry)
            if first is not entry:
                raise item.error(f"{entry.subject} is accepted in line {first.place.line} already")
    return AcceptedFile(tuple(found.values()))


def _entry(node: Located, units: Mapping[str, Unit]) -> Acceptance:
    mistakes = Mistakes()
    fields = Fields(node, _KEYS, mistakes)
    for key in ("test", "metric", "reason", "owner", "expires"):
        if key not in fields.said:
            mistakes.add(node.error(f"has no {key}"))
    metric = fields.read("metric", lambda member: metric_name(filled(member), units, member.place), "")
    unit = accepted_unit(metric, units)
    read_amount = (lambda member: amount(text(member), unit, member.place)) if unit else (lambda member: None)
    entry = Acceptance(
        test=fields.read("test", filled, ""),
        metric=metric,
        amount=fields.read("amount", read_amount, None),
        reason=fields.read("reason", filled, ""),
        owner=fields.read("owner", filled, ""),
        expires=fields.read("expires", lambda member: day(text(member), member.place), date.min),
        place=node.place,
        limit=fields.read("limit", _limit, ""),
    )
    muted = fields.read("muted", flag, False)
    if ("amount" in fields.said) == muted:
        mistakes.add(node.error("needs either an amount or  muted: true"))
    mistakes.raise_all()
    return entry


def _limit(node: Located) -> str:
    if node.value not in LIMITS:
        raise node.error(
            f"{node.shown} is not a kind of limit", f"write one of {', '.join(LIMITS)}, or leave it out for any"
        )
    return text(node)


def metric_name(written: str, units: Mapping[str, Unit], place: Place) -> str:
    """The name of a metric, with a function glob or without; raises ConfigError if there is no such metric."""
    if is_own(written):
        return str(parsed(written, place))
    match = _NAME.fullmatch(written)
    if match is None or unit_of(match[1], units) is None:
        raise unknown_metric(written, match[1] if match else written, units, place)
    return written


def accepted_unit(metric: str, units: Mapping[str, Unit]) -> Unit | None:
    """The unit of a metric by such a name; None if there is none."""
    return unit_of(metric if is_own(metric) else metric.partition("[")[0], units)


def amount(written: str, unit: Unit, place: Place) -> Amount:
    """ "5%" is a share of the limit or baseline, all else is in the metric's unit; raises ConfigError."""
    relative = written.rstrip().endswith("%")
    try:
        return Amount(parse_quantity(written, RATIO if relative else unit), relative)
    except ValueError as error:
        hint = f'a share of the limit such as "5%", or an amount in {unit}'
        raise ConfigError(str(error), place, hint) from None
