"""Which broken limits are accepted for a time, and which acceptances have nothing left to accept."""

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

# An amount is written with a few digits and a share is a quotient: equal must still pass.
_EQUAL = 1e-9
_KEPT = (Status.PASS, Status.IMPROVED)


def with_accepted(
    verdicts: Iterable[Verdict], nodeid: str, acceptances: Sequence[Acceptance], today: date
) -> tuple[Verdict, ...]:
    """The verdicts of a test, those that are accepted as warnings that say by whom and why.

    A broken limit is accepted up to the amount, inclusive; one that is broken by more fails, and so does one whose
    acceptance has expired, both saying so. A muted metric fails neither by its limits nor by being unmeasured.
    Of several entries for a metric the one with more text before its first * or ? counts, then an id before a glob, and
    of two for the same tests the one that names the kind of limit.
    """
    return tuple(_with_entry(verdict, _entry_for(verdict, nodeid, acceptances), today) for verdict in verdicts)


def metric_of(verdict: Verdict) -> str:
    """The metric as reports and acceptances name it: with the function glob where the limit is on functions."""
    function = verdict.budget.function
    if verdict.budget.phase:  # no acceptance names it: what is accepted of the window is not of its phases
        return f"{verdict.budget.phase}.{verdict.budget.metric}"
    return f"{verdict.budget.metric}[{function}]" if function else verdict.budget.metric


def excess(verdict: Verdict) -> tuple[float | None, float] | None:
    """How far a limit is broken, as a share of it (None of a limit of 0) and in the metric's unit; None without.

    Of a comparison: how much worse than the baseline it is, not than what the limit on regressions allows.
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
    """Entries of equal rank for one limit of a test, of which neither can be said to count."""
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
        "lengthen what stands before the first * or ? of one of them, or remove one",
    )


def _means(entry: Acceptance, verdict: Verdict) -> bool:
    return entry.metric == metric_of(verdict) and entry.limit in ("", verdict.kind)


def _with_entry(verdict: Verdict, entry: Acceptance | None, today: date) -> Verdict:
    if entry is None:
        return verdict
    by_whom = f"{entry.owner}: {entry.reason}"
    if entry.has_expired(today):
        return _with_words(verdict, f"it was accepted until {entry.expires} ({by_whom}), and that is over")
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
        return f"{accepted} is a share, and of 0 there is none"
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
    """What became of one test in a run. complete: its body ran to the end, so that its verdicts are all there."""

    nodeid: str
    complete: bool
    verdicts: tuple[Verdict, ...]


def vanished(
    acceptances: Iterable[Acceptance], tests: Sequence[Judged], today: date, *, whole: bool
) -> tuple[tuple[Acceptance, str], ...]:
    """The acceptances that have nothing left to accept, each with the reason to remove it.

    Nothing is said of one whose test did not run to its end here. whole: all tests were asked for, so that those that
    ran are all that an entry of several tests (a glob, an id without its parameters) means; else only an entry that
    names one test in full is judged.
    """
    return tuple(
        (entry, reason)
        for entry in acceptances
        if (meant := _all_meant(entry, tests, whole)) and (reason := _nothing_left(entry, meant, today))
    )


def _all_meant(entry: Acceptance, tests: Sequence[Judged], whole: bool) -> list[Judged]:
    """The tests that an entry means; [] where not all of them are known to have run to their end."""
    meant = [test for test in tests if means_test(entry.test, test.nodeid)]
    known = whole or all(test.nodeid == entry.test for test in meant)
    return meant if known and all(test.complete for test in meant) else []


def _nothing_left(entry: Acceptance, meant: Sequence[Judged], today: date) -> str:
    """Why the entry is to be removed, "" where it is not.

    Nothing is said where nothing was judged, as in a run without a comparison. A muted metric is flaky: that its limits
    were kept once proves nothing. An entry that is over accepts nothing either way, and stays only while a broken limit
    has to say so. A warning level is no limit that could break.
    """
    judged = [v for test in meant for v in test.verdicts if _means(entry, v) and v.kind != "warn"]
    kept = all(verdict.status in _KEPT and not verdict.accepted for verdict in judged)
    if judged and kept and not entry.muted:
        return f"{entry.metric} is within its limits again"
    if entry.has_expired(today) and not any(verdict.status in FAILING for verdict in judged):
        return f"what was accepted of {entry.metric} until {entry.expires} is over"
    return ""
