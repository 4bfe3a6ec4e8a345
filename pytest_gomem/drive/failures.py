"""Owns the plain words for a request that got no answer, and for one that is made in the wrong process."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Iterator

from pytest_gomem.errors import LoadError

# The first match counts: RemoteDisconnected is a ConnectionResetError too.
_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, "timeout"),
    (http.client.RemoteDisconnected, "closed without an answer"),
    (http.client.IncompleteRead, "answer cut off"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "connection reset"),
    (BrokenPipeError, "connection reset"),
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
