"""Leaks that are known for a time: the entries of gomem_accepted.yaml on goroutines and on holders of memory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.config.fields import Fields, Located, Mistakes, filled, text
from pytest_gomem.config.goroutine_globs import goroutine_glob

GOROUTINES, HOLDER = "goroutines", "holder"
KINDS = (GOROUTINES, HOLDER)
_KEYS = ("test", *KINDS, "reason", "owner", "expires")


@dataclass(frozen=True)
class KnownLeak:
    """One entry: tests (an id or glob) and what leaks in them, until the end of the day `expires` in UTC.

    kind: "goroutines" or "holder". glob: of a function on the stack of goroutines, or their creator; or of the root or
    path of a holder.
    """

    test: str
    kind: str
    glob: str
    reason: str
    owner: str
    expires: date
    place: Place

    @property
    def key(self) -> tuple[str, str, str]:
        """What may have only one entry."""
        return self.test, self.kind, self.glob

    @property
    def subject(self) -> str:
        """The key as text: "goroutines 'main.worker' of 'test_it.py::test_a'"."""
        return f"{self.kind} '{self.glob}' of '{self.test}'"

    def has_expired(self, today: date) -> bool:
        """Whether its last day is over."""
        return today > self.expires


def parse_known_leak(node: Located, kind: str) -> KnownLeak:
    """Read one entry; raises ConfigErrors with all its mistakes."""
    mistakes = Mistakes()
    fields = Fields(node, _KEYS, mistakes)
    for key in ("test", "reason", "owner", "expires"):
        if key not in fields.said:
            mistakes.add(node.error(f"has no {key}"))
    if all(one in fields.said for one in KINDS):
        mistakes.add(node.error(f"has both {' and '.join(KINDS)}", "write two entries"))
    entry = KnownLeak(
        test=fields.read("test", filled, ""),
        kind=kind,
        glob=fields.read(kind, goroutine_glob if kind == GOROUTINES else filled, ""),
        reason=fields.read("reason", filled, ""),
        owner=fields.read("owner", filled, ""),
        expires=fields.read("expires", lambda member: day(text(member), member.place), date.min),
        place=node.place,
    )
    mistakes.raise_all()
    return entry


def day(written: str, place: Place) -> date:
    """A date such as 2027-01-31; raises ConfigError."""
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", written.strip()):
            return date.fromisoformat(written.strip())
    except ValueError:
        pass
    raise ConfigError(f"'{written}' is not a date", place, "write it as 2027-01-31")
