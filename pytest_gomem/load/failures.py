"""Describes requests without an answer, and decides whether a load with failures is accepted."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Iterator

from pytest_gomem.base.errors import LoadError
from pytest_gomem.load.spec import LoadRecord

IS_IT_HTTP = "Does this port speak HTTP/1.1?"
TIMEOUT, TOO_LARGE = "timeout", "answer too large"
_CLOSED, _RESET, _NOT_HTTP = "closed without an answer", "connection reset", "no HTTP/1.1 came back"

# The first match counts: RemoteDisconnected is a ConnectionResetError and a BadStatusLine too.
_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, TIMEOUT),
    (http.client.RemoteDisconnected, _CLOSED),
    (http.client.BadStatusLine, _NOT_HTTP),
    (http.client.IncompleteRead, "answer cut off"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, _RESET),
    (BrokenPipeError, _RESET),
    (socket.gaierror, "unknown host"),
)


# What the end of a service looks like: a dying process closes its connections before it can be reaped.
LOST = frozenset({"closed without an answer", "answer cut off", "connection refused", "connection reset"})


def failure_kind(error: BaseException) -> str:
    """What happened, in the words by which reports count failures; urllib3's wrappers are skipped."""
    chain = list(_causes(error))
    for cause in chain:
        for kind, words in _KINDS:
            if isinstance(cause, kind):
                return words
    root = chain[-1]
    return (isinstance(root, OSError) and root.strerror) or type(root).__name__


def hangs_up(*kinds: str) -> bool:
    """Whether all of these failures are those of a server that does not speak HTTP/1.1.

    A server that speaks only HTTP/2, as for gRPC, hangs up or answers with other bytes.
    """
    return bool(kinds) and set(kinds) <= {_CLOSED, _RESET, _NOT_HTTP}


def hint_for(*kinds: str) -> str:
    """A line with advice if every request so far failed in one of these ways; "" for other failures."""
    if not hangs_up(*kinds):
        return ""
    panic = "" if _NOT_HTTP in kinds else "\n  a handler that panics hangs up too: see its log"
    return f"\n  {IS_IT_HTTP} For gRPC use a client of your own, and say service.count(n){panic}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def refuse_forked(owner: int) -> None:
    """Raise LoadError in any process but `owner`: a forked copy would write into its parent's connections."""
    if os.getpid() != owner:
        raise LoadError(
            "this process was forked from the one that runs the test, which cannot count its requests\n"
            "  make the requests in the test itself: load(..., connections=N) for many at once"
        )


_RATE_KEPT = 0.98  # of the requested rate


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
        "  failed requests cost little, so these figures mean nothing; allow_errors=True accepts them"
    )


def _missed(record: LoadRecord) -> bool:
    asked, achieved = record.rate_asked, record.rate_achieved
    return asked is not None and achieved is not None and achieved < _RATE_KEPT * asked


def _miss_in_words(record: LoadRecord) -> str:
    return (
        f"asked for {record.rate_asked:.6g} requests/s, achieved {record.rate_achieved:.6g}: "
        "with less work, figures look better than they are\n"
        "  the service or this machine cannot keep up: lower rate=, or raise connections=; "
        "allow_missed_rate=True accepts it"
    )
