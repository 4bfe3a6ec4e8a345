"""Which goroutines of two moments count as leaked: by number, by function and creator, and by what is known."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pytest_gomem.attribution.goroutines import goroutine_groups
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.measure.known_goroutines import IDLE, KNOWN, OUTGOING, READS_AHEAD, SIGNALS
from pytest_gomem.measure.left_goroutines import Exempt, LeftGoroutines, Uncounted, Why, left_goroutines, means
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.registry import builtin_metrics, evaluate
from pytest_gomem.observe.stacks import MOST_BYTES, Frame, Stack, Stacks, read_stacks
from pytest_gomem.testing import fake_window

RECORDED = Path(__file__).parent.parent / "recorded"
RELEASES = sorted(path.parent.name for path in RECORDED.glob("*/goroutine_connections.txt"))
DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"


def goroutine(number: int, *calls: str, by: str = "main.start", state: str = "chan receive", creator: int = 1) -> str:
    """One goroutine as Go prints it; calls: innermost first."""
    frames = "".join(f"{call}(0x1)\n\t/srv/app/main.go:{10 + at} +0x1\n" for at, call in enumerate(calls))
    created = f"created by {by} in goroutine {creator}\n\t/srv/app/main.go:99 +0x1\n" if by else ""
    return f"goroutine {number} [{state}]:\n{frames}{created}\n"


def stacks(*texts: str) -> Stacks:
    return read_stacks("".join(texts).encode()) if texts else Stacks({})


def workers(*numbers: int, **said) -> list[str]:
    return [goroutine(number, "main.worker", **said) for number in numbers]


def left(before: list[str], after: list[str], *ignored: str, accepted: tuple[str, ...] = ()) -> LeftGoroutines:
    return left_goroutines(stacks(*before), stacks(*after), Exempt(ignored, accepted))


def test_those_count_that_were_not_there_before():
    """By their numbers, which no two goroutines of a process have."""
    found = left(workers(7), workers(7, 20, 21))
    assert list(found.leaked) == [20, 21]


def test_a_worker_that_was_replaced_does_not_count():
    """One has ended and one has begun, of the same function and creator; whatever they wait for."""
    assert not left(workers(7, 8), workers(8, 20, state="select")).leaked
    assert list(left(workers(7, 8), workers(8, 20, 21)).leaked) == [20]


def test_the_end_of_another_worker_hides_nothing():
    """Of another function, or created by another one."""
    others = [goroutine(5, "main.ticker"), *workers(6, by="main.stop")]
    assert list(left(others, workers(20)).leaked) == [20]


@pytest.mark.parametrize(
    ("glob", "is_meant"),
    [
        ("main.worker", True),
        ("main.*", True),
        ("sync.(*Mutex).Lock", True),
        ("github.com/a/b/pool.(*Pool).start", True),
        ("pool.(*Pool).start", True),  # as reports show it
        ("created by *Pool*", True),
        ("created by main.worker", False),
        ("main.work", False),
        ("worker", False),
    ],
)
def test_a_glob_means_any_function_of_the_stack_or_the_creator(glob, is_meant):
    """The creator alone, if the glob says so."""
    calls = (Frame("sync.(*Mutex).Lock", "mutex.go", 4), Frame("main.worker", "main.go", 8))
    stack = Stack("sync.Mutex.Lock", calls, Frame("github.com/a/b/pool.(*Pool).start", "pool.go", 3))
    assert means(glob, stack) is is_meant
    assert not means("created by *", stack._replace(created_by=None))


def test_what_a_glob_means_does_not_count_and_is_told():
    """It neither leaks, nor does its end hide another."""
    after = [*workers(20, 21), goroutine(30, "main.poll"), goroutine(31, "main.cache")]
    found = left(workers(7), after, "main.worker", "main.gone", "*.worker", accepted=("main.cache",))
    assert list(found.leaked) == [30]
    # One of the two has come in the place of number 7.
    assert found.uncounted == {Uncounted(Why.IGNORED, "main.worker"): 1, Uncounted(Why.ACCEPTED, "main.cache"): 1}
    assert found.unmatched == ("main.gone",)


def leaked(release: str) -> tuple[LeftGoroutines, Counter[str]]:
    """What of the recorded connections counts, and how many by the function that they were started with."""
    after = read_stacks((RECORDED / release / "goroutine_connections.txt").read_bytes())
    found = left_goroutines(Stacks({}), after, Exempt())
    return found, Counter(one.stack.frames[-1].function for one in found.leaked.values())


def test_connections_of_old_and_new_releases_are_recorded():
    """Go 1.19 does not tell the creator's number; Go 1.27 has moved HTTP/2."""
    assert {"go1.19", "go1.21", "go1.26", "go1.27"} <= set(RELEASES)


@pytest.mark.parametrize("release", RELEASES)
def test_idle_connections_do_not_count_and_others_do(release):
    """Of tests/recordings/connections.go: a response that is not closed, a stuck handler, and who waits for it."""
    found, counts = leaked(release)
    assert counts == {
        "net/http.(*persistConn).readLoop": 1,  # of the response
        "net/http.(*persistConn).writeLoop": 1,
        "net/http.(*conn).serve": 1,  # with the stuck handler
        "net/http.(*Client).Get": 1,
        "net/http/httptest.(*Server).goServe.func1": 2,
    }
    told = {rule.name: count for rule, count in found.uncounted.items()}
    assert told == {
        SIGNALS.name: 1,
        READS_AHEAD.name: 1,
        IDLE.name: 5,  # three of HTTP/1, and two goroutines of HTTP/2
        OUTGOING.name: 7,  # two goroutines each of three connections, and one of HTTP/2
    }


def test_the_writer_of_an_open_response_is_told_by_its_creator():
    """Both writers of a pair of connections wait alike."""
    idle = ("bufio.(*Reader).Peek", "net/http.(*persistConn).readLoop")
    texts = [
        goroutine(4, "net/http.(*persistConn).writeLoop", creator=50),
        goroutine(5, "net/http.(*persistConn).readLoop", state="select", creator=50),
        goroutine(6, *idle, creator=60),
        goroutine(7, "net/http.(*persistConn).writeLoop", creator=60),
    ]
    assert sorted(left([], texts).leaked) == [4, 5]


def test_more_idle_connections_than_go_keeps_are_a_leak():
    """A transport for each request keeps one each."""
    calls = ("bufio.(*Reader).Peek", "net/http.(*persistConn).readLoop")
    many = [goroutine(number, *calls, creator=number + 1000) for number in range(1, 102)]
    assert not left([], many[:100]).leaked
    assert len(left([], many).leaked) == 101


@pytest.mark.parametrize(
    "function",
    [
        "net/http.(*http2serverConn).serve",
        "net/http/internal/http2.(*serverConn).serve",
        "golang.org/x/net/http2.(*serverConn).serve",
    ],
)
def test_a_handler_that_is_a_connection_of_http2_is_idle(function):
    """h2c takes over the connection inside of a handler; the handlers of its requests have their own goroutines."""
    calls = (function, "main.handler", "net/http.serverHandler.ServeHTTP", "net/http.(*conn).serve")
    assert not left([], [goroutine(9, *calls)]).leaked
    assert left([], [goroutine(9, "main.wait", *calls)]).leaked


def test_connections_of_a_grpc_server_do_not_count_and_its_handlers_do():
    """Three goroutines of each, as google.golang.org/grpc 1.76 starts them; those of a client connection count."""
    grpc, transport = "google.golang.org/grpc", "google.golang.org/grpc/internal/transport"
    own = [
        goroutine(21, f"{transport}.NewServerTransport.func3", by=f"{transport}.NewServerTransport"),
        goroutine(22, f"{transport}.(*http2Server).keepalive", by=f"{transport}.NewServerTransport"),
        goroutine(23, f"{grpc}.(*Server).handleRawConn.func1", by=f"{grpc}.(*Server).handleRawConn"),
    ]
    others = [
        goroutine(
            30, "main.(*server).Check", f"{grpc}.(*Server).serveStreams.func2.1", by=f"{grpc}.(*Server).serveStreams"
        ),
        goroutine(31, f"{transport}.(*http2Client).reader", by=f"{transport}.NewHTTP2Client"),
    ]
    assert list(left([], [*own, *others]).leaked) == [30, 31]


def test_the_agents_goroutines_do_not_count():
    """Whatever a reading has started."""
    own = [
        goroutine(3, "main.(*pytestGomemAgent).accept", by="main.pytestGomemStart"),
        goroutine(4, "main.(*pytestGomemAgent).serve", by="main.(*pytestGomemAgent).accept"),
    ]
    assert not left([], own).leaked


def test_the_document_names_every_rule():
    """With its cause."""
    text = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    for known in KNOWN:
        name = known.name if known.name.startswith("gRPC") else known.name[0].upper() + known.name[1:]
        assert f"| {name} |" in text


def read(found: LeftGoroutines, **values):
    return evaluate(fake_window(left=found, **values), builtin_metrics())["leaked_goroutines"]


def test_the_metric_tells_what_it_does_not_count():
    """Those that are ignored, and those that a rule knows."""
    reading = read(left([], [*workers(20), goroutine(30, "main.poll"), goroutine(31, "os/signal.loop")], "main.poll"))
    assert isinstance(reading, Reading), reading
    assert reading.value == 1
    assert reading.note == "1 more not counted: ignored by 'main.poll'; 1 more not counted: the signal handler"


def test_stacks_that_are_not_whole_bound_the_metric():
    """After the window there may be more; before it, nothing is known of what is new."""
    cut = f"{''.join(workers(20, 21))}{'x' * MOST_BYTES}".encode()
    found = left_goroutines(stacks(*workers(1)), read_stacks(cut), Exempt())
    result = read(found)
    assert result.bounds == (1, 5)  # one of the two that were read, and the other 4 of those at rest
    assert "the stacks of 2 goroutines were read, and there are more" in result.reason
    result = read(left_goroutines(read_stacks(cut), stacks(), Exempt()))
    assert (result.bounds, result.reason.partition(",")[0]) == (None, "before the window")


def test_groups_tell_how_many_leaked_for_how_long_and_for_ever():
    """Go tells whole minutes; the first look tells how old they are at least."""
    after = [
        *workers(20, state="select"),
        *workers(21, state="select, 3 minutes"),
        *workers(22, state="select (leaked)"),
        goroutine(30, "main.poll"),
    ]
    found = left_goroutines(stacks(goroutine(30, "main.poll")), stacks(*after), Exempt())
    found = LeftGoroutines(found.before, found.after, found.leaked, ages={20: 2.0, 21: 1.5}, blocked=frozenset({22}))
    first, second = goroutine_groups([found.before], [found.after], GoModule("example.com/app"), found)
    assert (first.function, first.leaked, first.waiting, first.age, first.blocked) == ("main.worker", 3, 180.0, 2.0, 1)
    assert (second.leaked, second.waiting, second.age, second.blocked) == (0, None, None, 0)
