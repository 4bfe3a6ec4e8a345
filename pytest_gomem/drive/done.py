"""Owns whether a load counts as done: its failed requests, and a rate that was missed."""

from __future__ import annotations

from pytest_gomem.base.errors import LoadError
from pytest_gomem.drive.failures import hint_for
from pytest_gomem.drive.record import LoadRecord

_RATE_KEPT = 0.98  # of the rate asked for


def judge_load(record: LoadRecord, allow_errors: bool, allow_missed_rate: bool, unsent: int = 0) -> None:
    """Raise LoadError for failed requests, and for a rate missed by more than 2%, unless they are allowed.

    unsent: how many requests of fixed work were not sent any more after a timeout.
    """
    faults = []
    if record.errors and not allow_errors:
        faults.append(_errors_in_words(record, unsent))
    if _missed(record) and not allow_missed_rate:
        faults.append(_miss_in_words(record))
    if faults:
        raise LoadError("\n".join(faults))


def _errors_in_words(record: LoadRecord, unsent: int) -> str:
    failed = ((name, count) for name, count in record.statuses if not name.isdigit() or int(name) >= 400)
    by_count = sorted(failed, key=lambda item: (-item[1], item[0]))
    kinds = ", ".join(f"{count} x {name}" for name, count in by_count)
    hint = hint_for(*(name for name, _ in record.statuses))
    rest = f"\n  {unsent} more were not sent: a connection ends with its first timeout" if unsent else ""
    return (
        f"{record.errors} of {record.requests} requests failed{': ' if kinds else ''}{kinds}{rest}{hint}\n"
        "  requests that fail cost little, so that these figures say nothing; allow_errors=True accepts them"
    )


def _missed(record: LoadRecord) -> bool:
    asked, achieved = record.rate_asked, record.rate_achieved
    return asked is not None and achieved is not None and achieved < _RATE_KEPT * asked


def _miss_in_words(record: LoadRecord) -> str:
    return (
        f"asked for {record.rate_asked:.6g} requests/s, achieved {record.rate_achieved:.6g}: "
        "less work than asked looks lean too\n"
        "  the service or this machine cannot keep up: lower rate=, or raise connections=; "
        "allow_missed_rate=True accepts it"
    )
