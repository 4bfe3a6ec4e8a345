"""Groups of goroutines: which function they are charged to, how they are counted, and what is shown of their stacks."""

from __future__ import annotations

from pytest_gomem.attribution.goroutines import GoroutineGroup, goroutine_groups
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.launch.overlay import AGENT_FILE
from pytest_gomem.observe.stacks import Frame, Stack, Stacks

MODULE = GoModule("example.com/app", "example.com/app/cmd/api")
GO = "/usr/local/go/src"
SEMAPHORE = Frame("internal/sync.runtime_SemacquireMutex", f"{GO}/runtime/sema.go", 95)
SLOW = Frame("internal/sync.(*Mutex).lockSlow", f"{GO}/internal/sync/mutex.go", 149)
LOCK = Frame("sync.(*Mutex).Lock", f"{GO}/sync/mutex.go", 46)
FORCE = Frame("main.(*mu).forceLock", "/srv/app/cmd/api/mu.go", 12)
HANDLE = Frame("example.com/app/web.(*Server).Handle", "/srv/app/web/server.go", 40)
START = Frame("main.start", "/srv/app/cmd/api/main.go", 9)
POLL = Frame("internal/poll.runtime_pollWait", f"{GO}/runtime/netpoll.go", 351)
READ = Frame("bufio.(*Reader).Peek", f"{GO}/bufio/bufio.go", 148)
READ_LOOP = Frame("net/http.(*persistConn).readLoop", f"{GO}/net/http/transport.go", 2205)
DIAL = Frame("net/http.(*Transport).dialConn", f"{GO}/net/http/transport.go", 1900)

BLOCKED = Stack("sync.Mutex.Lock", (SEMAPHORE, SLOW, LOCK, FORCE), HANDLE)
MAIN = Stack("IO wait", (POLL, START), None)


def stacks(*counted: tuple[Stack, int]) -> Stacks:
    return Stacks(dict(counted))


def group_of(stack: Stack, module: GoModule = MODULE) -> GoroutineGroup:
    (found,) = goroutine_groups((), (stacks((stack, 1)),), module)
    return found


def growths(before: tuple[Stacks, ...], after: tuple[Stacks, ...]) -> list[tuple[str, int | None, int]]:
    return [(group.function, group.before, group.after) for group in goroutine_groups(before, after, MODULE)]


def test_a_group_is_the_users_function_nearest_to_the_top():
    """Not the standard library's, in which all goroutines that wait for a lock end."""
    assert group_of(BLOCKED) == GoroutineGroup(
        "sync.Mutex.Lock",
        "main.(*mu).forceLock",
        "cmd/api/mu.go",
        12,
        "example.com/app/web.(*Server).Handle (web/server.go:40)",
        None,
        1,
        ("sync.(*Mutex).Lock (sync/mutex.go:46)", "main.(*mu).forceLock (cmd/api/mu.go:12)"),
    )


def test_without_a_function_of_the_users_it_is_the_one_that_was_started():
    """The call at the top tells only that it waits for the network."""
    found = group_of(Stack("IO wait", (POLL, READ, READ_LOOP), DIAL))
    assert (found.function, found.file, found.line) == (
        "net/http.(*persistConn).readLoop",
        "net/http/transport.go",
        2205,
    )
    assert found.created_by == "net/http.(*Transport).dialConn (net/http/transport.go:1900)"
    assert found.stack[0] == "bufio.(*Reader).Peek (bufio/bufio.go:148)"


def test_a_library_comes_before_the_standard_library():
    """The call of a third-party module nearest to the top says whose goroutine it is."""
    loop = Frame("github.com/redis/go-redis/v9.(*pool).reap", "/go/pkg/mod/github.com/redis/go-redis/v9@v9.1.0/p.go", 8)
    found = group_of(Stack("select", (POLL, READ, loop), START))
    assert (found.function, found.file) == (loop.function, "github.com/redis/go-redis/v9@v9.1.0/p.go")


def test_a_module_may_have_no_domain():
    """It is the user's own all the same."""
    own = Stack("select", (POLL, Frame("app/web.wait", "/srv/app/web/web.go", 3), READ_LOOP), START)
    assert group_of(own, GoModule("app", "app")).function == "app/web.wait"


def test_the_runtimes_last_call_is_not_what_was_started():
    """GOTRACEBACK=system prints runtime.goexit below it."""
    goexit = Frame("runtime.goexit", f"{GO}/runtime/asm_amd64.s", 1693)
    assert group_of(Stack("IO wait", (POLL, READ, READ_LOOP, goexit), DIAL)).function == READ_LOOP.function


def test_the_main_goroutine_was_created_by_nobody():
    """Its creation is no line of Go."""
    assert group_of(MAIN).created_by == ""


def test_largest_growth_comes_first():
    """What was there before counts less, and what ended comes last."""
    many = Stack("select", (START,), HANDLE)
    gone = Stack("sleep", (HANDLE,), START)
    before = stacks((many, 1000), (BLOCKED, 2), (gone, 5))
    after = stacks((many, 1001), (BLOCKED, 302))
    assert growths((before,), (after,)) == [
        ("main.(*mu).forceLock", 2, 302),
        ("main.start", 1000, 1001),
        ("example.com/app/web.(*Server).Handle", 5, 0),
    ]


def test_state_and_creation_tell_groups_apart():
    """One function may wait in two ways, and be started in two places."""
    other_state = BLOCKED._replace(state="runnable")
    other_start = BLOCKED._replace(created_by=START)
    assert len(growths((), (stacks((BLOCKED, 3), (other_state, 2), (other_start, 1)),))) == 3


def test_lines_may_differ_between_two_versions():
    """A line above it was added: the goroutines are the same. The place is that of the later stacks."""
    moved = BLOCKED._replace(frames=(LOCK, FORCE._replace(line=15)), created_by=HANDLE._replace(line=44))
    (found,) = goroutine_groups((stacks((BLOCKED, 300)),), (stacks((moved, 301)),), MODULE)
    assert (found.before, found.after, found.line) == (300, 301, 15)
    assert found.created_by.endswith("server.go:44)")


def test_several_rounds_count_as_their_mean():
    """A side may have more rounds than the other; a goroutine of one round in three is rounded away."""
    before = (stacks((BLOCKED, 2)), stacks((BLOCKED, 3)))
    after = (stacks((BLOCKED, 300)), stacks((BLOCKED, 302)), stacks((BLOCKED, 301), (MAIN, 1)))
    assert growths(before, after) == [("main.(*mu).forceLock", 2, 301)]


def test_the_agent_is_in_no_group():
    """Nor is what net/http/pprof runs, even below a handler of the user's."""
    agent = Stack("IO wait", (POLL, Frame("main.(*pytestGomemAgent).accept", f"/tmp/x/{AGENT_FILE}", 150)), START)
    endpoint = Stack("runnable", (Frame("net/http/pprof.Index", f"{GO}/net/http/pprof/pprof.go", 397), HANDLE), START)
    assert growths((), (stacks((agent, 2), (endpoint, 1), (BLOCKED, 1)),)) == [("main.(*mu).forceLock", None, 1)]


def test_a_stack_is_shown_by_six_calls():
    """A function that calls itself is one of them."""
    deep = [START, START._replace(line=10), *(Frame(f"main.f{n}", "/srv/app/cmd/api/main.go", n) for n in range(9))]
    shown = group_of(Stack("select", tuple(deep), HANDLE)).stack
    assert [call.partition(" ")[0] for call in shown] == ["main.start", *(f"main.f{n}" for n in range(5))]


def test_a_stack_of_the_runtime_alone_is_shown():
    """Nothing else is known of it."""
    assert group_of(Stack("runnable", (POLL,), None)).stack == (
        "internal/poll.runtime_pollWait (runtime/netpoll.go:351)",
    )


def test_a_stack_without_calls_is_counted():
    """Lines that nobody understood may have been on it."""
    assert group_of(Stack("select", (), None)).function == "<unknown>"


def test_groups_are_bounded():
    """The 50 that grew most."""
    many = [(BLOCKED._replace(state=f"state {n}"), n) for n in range(1, 100)]
    found = goroutine_groups((), (stacks(*many),), MODULE)
    assert (len(found), found[0].after) == (50, 99)
