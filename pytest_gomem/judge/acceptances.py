"""Applies acceptances to broken limits, and finds acceptances with nothing left to accept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.base.names import literal_prefix, means_test
from pytest_gomem.config.accepted import Acceptance
from pytest_gomem.judge.decide import FAILING
from pytest_gomem.judge.verdict import Accepted, Verdict
from pytest_gomem.stats.decision import Status

# An amount has a few digits and a share is a quotient: values that are equal must pass.
_EQUAL = 1e-9
_KEPT = (Status.PASS, Status.IMPROVED)


def with_accepted(
    verdicts: Iterable[Verdict], nodeid: str, acceptances: Sequence[Acceptance], today: date
) -> tuple[Verdict, ...]:
    """The verdicts of a test; accepted ones become warnings that say by whom and why.

    A broken limit is accepted up to the amount, inclusive. If it is broken by more, or the acceptance has expired, it
    fails and says so. A muted metric never fails, not even if it is unmeasured.
    Of several entries for a metric, the one with more text before its first * or ? counts, then an id before a glob,
    then the one that names the kind of limit.
    """
    return tuple(_with_entry(verdict, _entry_for(verdict, nodeid, acceptances), today) for verdict in verdicts)


def metric_of(verdict: Verdict) -> str:
    """The metric as reports and acceptances name it, with the glob of a limit on functions or types."""
    glob = verdict.budget.glob
    if verdict.budget.phase:  # no acceptance names it: entries are for the window, not for its phases
        return f"{verdict.budget.phase}.{verdict.budget.metric}"
    return f"{verdict.budget.metric}[{glob}]" if glob else verdict.budget.metric


def excess(verdict: Verdict) -> tuple[float | None, float] | None:
    """How far a limit is broken, as a share of it (None for a limit of 0) and in the metric's unit; None if it is not.

    In a comparison: how much worse than the baseline, not how far beyond the limit on regressions.
    """
    if verdict.actual is None or verdict.status is not Status.FAIL:
        return None
    if verdict.kind == "regression":
        return verdict.over, abs(verdict.change or 0.0)
    return verdict.over, abs(verdict.actual - verdict.limit.value)


def _entry_for(verdict: Verdict, nodeid: str, acceptances: Sequence[Acceptance]) -> Acceptance | None:
    if verdict.status not in FAILING:
        return None
    matching = [entry for entry in acceptances if _means(entry, verdict) and means_test(entry.test, nodeid)]
    return max(matching, key=lambda entry: (_rank(entry), entry.limit != ""), default=None)


def _rank(entry: Acceptance) -> tuple[int, bool]:
    prefix = literal_prefix(entry.test)
    return len(prefix), prefix == entry.test


def rivals(acceptances: Iterable[Acceptance], nodeid: str) -> tuple[ConfigError, ...]:
    """Errors for entries of equal rank for one limit of a test."""
    first: dict[tuple[str, str, tuple[int, bool]], Acceptance] = {}
    found = []
    for entry in acceptances:
        if means_test(entry.test, nodeid):
            other = first.setdefault((entry.metric, entry.limit, _rank(entry)), entry)
            if other is not entry:
                found.append(_tie(other, entry, nodeid))
    return tuple(found)


def _tie(one: Acceptance, other: Acceptance, nodeid: str) -> ConfigError:
    return ConfigError(
        f"{one.subject} and of '{other.test}' (line {other.place.line}) are of equal rank for {nodeid}",
        one.place,
        "make the part before the first * or ? of one of them longer, or remove one",
    )


def _means(entry: Acceptance, verdict: Verdict) -> bool:
    return entry.metric == metric_of(verdict) and entry.limit in ("", verdict.kind)


def _with_entry(verdict: Verdict, entry: Acceptance | None, today: date) -> Verdict:
    if entry is None:
        return verdict
    by_whom = f"{entry.owner}: {entry.reason}"
    if entry.has_expired(today):
        return _with_words(verdict, f"it was accepted until {entry.expires} ({by_whom}), and that date has passed")
    if not _covers(entry, verdict):
        if entry.amount is None or verdict.status is Status.UNAVAILABLE:
            return verdict
        return _with_words(verdict, _beyond(entry, verdict, by_whom))
    written = "" if entry.amount is None else str(entry.amount)
    accepted = Accepted(entry.reason, entry.owner, entry.expires, written)
    return replace(verdict, status=Status.WARN, accepted=accepted)


def _beyond(entry: Acceptance, verdict: Verdict, by_whom: str) -> str:
    accepted, by = f"the {entry.amount} accepted until {entry.expires} ({by_whom})", excess(verdict)
    if by is not None and by[0] is None and entry.amount is not None and entry.amount.relative:
        return f"{accepted} is a share, but the limit is 0"
    return f"more than {accepted}"


def _with_words(verdict: Verdict, words: str) -> Verdict:
    return replace(verdict, reason=f"{verdict.reason}; {words}" if verdict.reason else words)


def _covers(entry: Acceptance, verdict: Verdict) -> bool:
    if entry.amount is None:
        return True
    by = excess(verdict)
    if by is None:
        return False
    found, most = by[0] if entry.amount.relative else by[1], entry.amount.quantity.value
    return found is not None and (found <= most or math.isclose(found, most, rel_tol=_EQUAL))


@dataclass(frozen=True)
class Judged:
    """The verdicts of one test in a run. complete: its body ran to its end, so that they are all there."""

    nodeid: str
    complete: bool
    verdicts: tuple[Verdict, ...]


def vanished(
    acceptances: Iterable[Acceptance], tests: Sequence[Judged], today: date, *, whole: bool
) -> tuple[tuple[Acceptance, str], ...]:
    """The acceptances that have nothing left to accept, each with the reason to remove it.

    Entries of tests that did not run to their end are skipped. whole: all tests ran, so that an entry of several tests
    (a glob, an id without its parameters) can be judged; else only entries of one full id are.
    """
    return tuple(
        (entry, reason)
        for entry in acceptances
        if (meant := _all_meant(entry, tests, whole)) and (reason := _nothing_left(entry, meant, today))
    )


def _all_meant(entry: Acceptance, tests: Sequence[Judged], whole: bool) -> list[Judged]:
    """The tests that an entry means; [] if not all of them are known to have run to their end."""
    meant = [test for test in tests if means_test(entry.test, test.nodeid)]
    known = whole or all(test.nodeid == entry.test for test in meant)
    return meant if known and all(test.complete for test in meant) else []


def _nothing_left(entry: Acceptance, meant: Sequence[Judged], today: date) -> str:
    """Why to remove the entry, "" to keep it.

    It is kept if nothing was judged, as in a run without a comparison. It is kept for a muted metric, which is flaky:
    limits kept once prove nothing. An expired entry is kept only while its limit is broken. Warnings don't count.
    """
    judged = [v for test in meant for v in test.verdicts if _means(entry, v) and v.kind != "warn"]
    kept = all(verdict.status in _KEPT and not verdict.accepted for verdict in judged)
    if judged and kept and not entry.muted:
        return f"{entry.metric} is within its limits again"
    if entry.has_expired(today) and not any(verdict.status in FAILING for verdict in judged):
        return f"what was accepted of {entry.metric} until {entry.expires} is over"
    return ""
