"""Owns the plain words for a request that got no answer, and for one that is made in the wrong process."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Iterator

from pytest_gomem.base.errors import LoadError

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


# What a service's end looks like from outside: a dying process closes its connections before it can be reaped.
LOST = frozenset({"closed without an answer", "answer cut off", "connection refused", "connection reset"})


def failure_kind(error: BaseException) -> str:
    """What happened, in the words that reports count failures by; urllib3's wrappers are looked through."""
    chain = list(_causes(error))
    for cause in chain:
        for kind, words in _KINDS:
            if isinstance(cause, kind):
                return words
    root = chain[-1]
    return (isinstance(root, OSError) and root.strerror) or type(root).__name__


def hangs_up(*kinds: str) -> bool:
    """Whether all of these ways to end are those of a server that does not speak HTTP/1.1.

    One of HTTP/2 alone, as gRPC's are, hangs up on it or answers with bytes of its own.
    """
    return bool(kinds) and set(kinds) <= {_CLOSED, _RESET, _NOT_HTTP}


def hint_for(*kinds: str) -> str:
    """What to look at where every request so far ended in one of these ways, as a line below; "" for other ways."""
    if not hangs_up(*kinds):
        return ""
    panic = "" if _NOT_HTTP in kinds else "\n  a handler that panics hangs up too: its log tells"
    return f"\n  {IS_IT_HTTP} For gRPC use a client of your own, and say service.count(n){panic}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def refuse_forked(owner: int) -> None:
    """Raise LoadError in any process but `owner`: a forked copy would write into its parent's connections."""
    if os.getpid() != owner:
        raise LoadError(
            "this process was forked from the one that runs the test, and its requests cannot be counted there\n"
            "  make the requests in the test itself: load(..., connections=N) for many at once"
        )
