"""Goroutines that Go itself starts and keeps: each is told by a rule of its own, with the cause and the Go release."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pytest_gomem.observe.stacks import Goroutine, Stack

# net/http bundles golang.org/x/net/http2 with a prefix, up to Go 1.26; from 1.27 on it is a package of its own.
_HTTP2 = r"(net/http\.\(\*http2|(golang\.org/x/net|net/http/internal)/http2\.\(\*)"
_SERVES_HTTP2 = re.compile(rf"{_HTTP2}serverConn\)\.(serve|readFrames)(\.func\d+)?")
_READS_HTTP2 = re.compile(rf"{_HTTP2}[cC]lientConn\)\.readLoop")
_GRPC = "google.golang.org/grpc"
_READS_GRPC = f"{_GRPC}.(*Server).handleRawConn.func1"
_GRPC_CREATORS = (f"{_GRPC}/internal/transport.NewServerTransport", f"{_GRPC}/internal/transport.newHTTP2Server")
_READS, _WRITES = "net/http.(*persistConn).readLoop", "net/http.(*persistConn).writeLoop"
# As many as http.DefaultTransport keeps idle; more are no pool.
_MOST_IDLE = 100


@dataclass(frozen=True)
class KnownGoroutine:
    """Goroutines that are no leak. name: as reports call them. cause: who starts them, and why they stay.

    since: the Go releases that have them. means: whether a stack is one of theirs.
    """

    name: str
    cause: str
    since: str
    means: Callable[[Stack], bool]


def started_with(stack: Stack) -> str:
    """The function of the go statement; "" if the stack is empty."""
    return stack.frames[-1].function if stack.frames else ""


def _calls(stack: Stack, function: str) -> bool:
    return any(frame.function == function for frame in stack.frames)


def _is_agents(stack: Stack) -> bool:
    names = (started_with(stack), stack.created_by.function if stack.created_by else "")
    return any(name.startswith(("main.pytestGomem", "main.(*pytestGomem")) for name in names)


def _is_signal_handler(stack: Stack) -> bool:
    return started_with(stack) == "os/signal.loop"


def _is_idle_connection(stack: Stack) -> bool:
    """Without a handler on the stack it waits for a request. A handler of h2c is the HTTP/2 connection itself."""
    if _SERVES_HTTP2.fullmatch(started_with(stack)):
        return True
    if started_with(stack) != "net/http.(*conn).serve":
        return False
    return not _calls(stack, "net/http.serverHandler.ServeHTTP") or _innermost_serves_http2(stack)


def _innermost_serves_http2(stack: Stack) -> bool:
    own = (frame.function for frame in stack.frames if not frame.function.startswith(("runtime.", "internal/")))
    return _SERVES_HTTP2.fullmatch(next(own, "")) is not None


def _is_grpc_connection(stack: Stack) -> bool:
    """What reads a connection, writes to it and pings it; a handler has a goroutine of its own."""
    creator = stack.created_by.function if stack.created_by else ""
    return creator in _GRPC_CREATORS or started_with(stack) == _READS_GRPC


def _reads_ahead(stack: Stack) -> bool:
    return started_with(stack) == "net/http.(*connReader).backgroundRead"


def _is_idle_outgoing(stack: Stack) -> bool:
    """Between two responses it peeks for the next one; in one whose body stays open it selects."""
    if _READS_HTTP2.fullmatch(started_with(stack)):
        return True
    return started_with(stack) == _READS and _calls(stack, "bufio.(*Reader).Peek")


AGENT = KnownGoroutine("the agent's own", "pytest-gomem reads the service by them", "every release", _is_agents)
SIGNALS = KnownGoroutine(
    "the signal handler", "the first signal.Notify starts it, and it never ends", "every release", _is_signal_handler
)
IDLE = KnownGoroutine(
    "idle connections of clients",
    "net/http serves each connection by a goroutine (HTTP/2: by two), which waits for the next request until the "
    "client closes it",
    "every release; the HTTP/2 package was moved in Go 1.27",
    _is_idle_connection,
)
GRPC = KnownGoroutine(
    "gRPC connections of clients",
    "a gRPC server serves each connection by three goroutines, until the client closes it",
    "any, with google.golang.org/grpc",
    _is_grpc_connection,
)
READS_AHEAD = KnownGoroutine(
    "readers behind a handler",
    "while a handler runs, net/http watches its connection; the handler's goroutine is the one that counts",
    "every release",
    _reads_ahead,
)
OUTGOING = KnownGoroutine(
    "idle connections to other services",
    "an http.Transport keeps them for the next request, each with two goroutines; only up to "
    f"{_MOST_IDLE} connections, which is what http.DefaultTransport keeps",
    "every release; the HTTP/2 package was moved in Go 1.27",
    _is_idle_outgoing,
)
KNOWN = (AGENT, SIGNALS, IDLE, GRPC, READS_AHEAD, OUTGOING)


def open_responses(goroutines: Iterable[Goroutine]) -> int:
    """How many of them read a connection of net/http whose response is neither read to its end nor closed."""
    return sum(started_with(one.stack) == _READS and not _is_idle_outgoing(one.stack) for one in goroutines)


def known_goroutines(goroutines: Iterable[Goroutine]) -> dict[int, KnownGoroutine]:
    """Those that a rule means, by number."""
    found: dict[int, KnownGoroutine] = {}
    by_stack: dict[Stack, KnownGoroutine | None] = {}
    writers: list[Goroutine] = []
    for goroutine in goroutines:
        stack = goroutine.stack
        if stack not in by_stack:
            by_stack[stack] = next((known for known in KNOWN if known.means(stack)), None)
        known = by_stack[stack]
        if known is not None:
            found[goroutine.number] = known
        elif started_with(stack) == _WRITES:
            writers.append(goroutine)
    return _with_writers(found, writers, {one.number: one for one in goroutines})


def _with_writers(
    found: dict[int, KnownGoroutine], writers: list[Goroutine], all_of_them: dict[int, Goroutine]
) -> dict[int, KnownGoroutine]:
    """As many writers as idle readers: a writer waits alike on an idle connection and on one that is in use.

    The pair has one creator, whose number tells which writer it is from Go 1.21 on.
    """
    readers = [all_of_them[number] for number, known in found.items() if known is OUTGOING]
    if len(readers) > _MOST_IDLE:
        return {number: known for number, known in found.items() if known is not OUTGOING}
    idle = {reader.creator for reader in readers if reader.creator is not None}
    pairs = sum(started_with(reader.stack) == _READS for reader in readers)
    writers.sort(key=lambda writer: (writer.creator not in idle, writer.number))
    return {**found, **{writer.number: OUTGOING for writer in writers[:pairs]}}
