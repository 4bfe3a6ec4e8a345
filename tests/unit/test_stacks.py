"""Reading goroutine stacks: recordings of every release from Go 1.19 on, and text that is cut, wrong or hostile."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.observe import stacks
from pytest_gomem.observe.stacks import MOST_BYTES, Frame, Stack, Stacks, read_stacks

RECORDED = Path(__file__).parent.parent / "recorded"
RELEASES = sorted(path.name for path in RECORDED.glob("go1.*"))
ASKER = """goroutine 12 [running]:
runtime/pprof.writeGoroutineStacks({0x7f5a, 0xc000})
	/go/src/runtime/pprof/pprof.go:759 +0x6b
net/http.(*conn).serve(0xc0)
	/go/src/net/http/server.go:2067 +0x690
created by net/http.(*Server).Serve in goroutine 1
	/go/src/net/http/server.go:3464 +0x485

"""
RECEIVES = """goroutine 7 [chan receive]:
main.(*server).receive(...)
	/srv/app/main.go:48
created by main.start in goroutine 1
	/srv/app/main.go:25 +0xc5
"""
RECEIVE = Stack(
    "chan receive",
    (Frame("main.(*server).receive", "/srv/app/main.go", 48),),
    Frame("main.start", "/srv/app/main.go", 25),
)


def read(text: str) -> Stacks:
    return read_stacks(text.encode())


def state_of(header: str) -> str:
    (stack,) = read(RECEIVES.replace("goroutine 7 [chan receive]:", header)).counts
    return stack.state


def recorded(release: str) -> Stacks:
    return read_stacks((RECORDED / release / "goroutine_debug2.txt").read_bytes())


def test_all_releases_are_recorded():
    """From Go 1.19 to the newest."""
    assert {"go1.19", "go1.21", "go1.27"} <= set(RELEASES)


@pytest.mark.parametrize("release", RELEASES)
def test_each_release_is_read(release):
    """The twelve goroutines of tests/recordings/stacks.go, and nothing that is not understood."""
    found = recorded(release)
    assert (found.total, found.left_out, found.unread, found.is_cut) == (12, 0, 0, False)
    assert {stack.created_by.function for stack in found.counts} == {"main.stacks", "main.(*server).start"}
    waiting = Counter[tuple[str, str]]()
    for stack, count in found.counts.items():
        waiting[stack.state, stack.frames[-1].function] += count
    locked = "sync.Mutex.Lock" if release != "go1.19" else "semacquire"
    generic = next(name for _, name in waiting if name.startswith("main.receiveOf"))
    assert waiting == {
        ("chan receive", "main.(*server).receive"): 3,
        (locked, "main.(*server).lock"): 2,
        ("select (no cases)", "main.stacks.func1"): 1,
        ("chan receive", "main.deep"): 1,
        ("chan receive", generic): 1,
        ("IO wait", "net.(*TCPListener).Accept"): 1,
        ("sleep", "time.Sleep"): 1,
        ("chan send", "main.(*server).start.func1"): 2,
    }


def test_calls_have_their_places():
    """The innermost first, without arguments; inlined calls too."""
    lock = "sync.(*Mutex).Lock(0xc000, {0x1, 0x2?}, ...)\n\t/go/src/sync/mutex.go:46 +0x1f\n"
    (stack,) = read(RECEIVES.replace("main.(*server).receive", f"{lock}main.(*server).receive")).counts
    assert stack.frames == (Frame("sync.(*Mutex).Lock", "/go/src/sync/mutex.go", 46), *RECEIVE.frames)
    assert stack.created_by == RECEIVE.created_by


def test_equal_stacks_count_together():
    """Numbers and arguments of goroutines do not tell them apart."""
    other = RECEIVES.replace("goroutine 7", "goroutine 8").replace("in goroutine 1", "in goroutine 33")
    assert read(f"{RECEIVES}\n{other}").counts == {RECEIVE: 2}


@pytest.mark.parametrize(
    "header",
    [
        "goroutine 7 [select]:",
        "goroutine 7 [select, 12 minutes]:",
        "goroutine 7 [select (scan), 2 minutes, locked to thread]:",
        "goroutine 7 [select (leaked) (scan)]:",
        "goroutine 7 [select (durable), synctest bubble 5]:",
        'goroutine 7 [select labels:{"a]:": "b, c", "d": "e"}]:',
        'goroutine 7 [select, 3 minutes] {a: "b]: {}", c: d}:',
        "goroutine 7 gp=0xc000002380 m=nil [select]:",
        "goroutine 7 gp=0xc000002380 m=3 mp=0xc00008 [select, 3 minutes]:",
    ],
)
def test_the_state_stands_alone(header):
    """Without how long, on which thread, the mark of a scan, and labels."""
    assert state_of(header) == "select"


def test_words_of_a_state_stay():
    """Other words in brackets say what it waits for."""
    assert state_of("goroutine 7 [chan receive (nil chan), 5 minutes]:") == "chan receive (nil chan)"


def test_who_asks_is_not_counted():
    """Nor is the goroutine that reads ahead on its connection; those of other connections are."""
    ahead = RECEIVES.replace("main.start", "net/http.(*connReader).startBackgroundRead").replace(
        "goroutine 1\n", "goroutine {}\n"
    )
    found = read(ASKER + ahead.format(12) + "\n" + ahead.format(13))
    assert found.total == 1
    assert read(RECEIVES + "\n" + ASKER.rstrip() + "\n").total == 2


def test_the_runtimes_own_are_not_counted():
    """They are printed if GOTRACEBACK=system is set, with addresses after each place."""
    mine = RECEIVES.replace(":48", ":48 fp=0xc00 sp=0xc01 pc=0x46")
    assert read(f"{mine}\n{mine.replace('main.start', 'runtime.gcenable')}").counts == {RECEIVE: 1}


def test_what_is_cut_off_is_left_out():
    """A stack that ends in the middle may lack the line that matters."""
    found = read(f"{RECEIVES}\n{RECEIVES}"[:-20])
    assert (dict(found.counts), found.left_out, found.is_cut) == ({RECEIVE: 1}, 1, True)


def test_64_mib_are_read_at_most():
    """That is where runtime/pprof stops."""
    found = read_stacks(f"{RECEIVES}\n{'x' * MOST_BYTES}\n{RECEIVES}".encode())
    assert (dict(found.counts), found.unread, found.is_cut) == ({RECEIVE: 1}, 1, True)


def test_lines_are_bounded(monkeypatch):
    """Short lines take longer to read than they are worth."""
    monkeypatch.setattr(stacks, "_MOST_LINES", 6)
    found = read(f"{RECEIVES}\n\n{RECEIVES}")
    assert (dict(found.counts), found.is_cut) == ({RECEIVE: 1}, True)


def test_a_page_is_no_stack():
    """What came instead is counted by lines."""
    found = read("<html>\n<body>404 page not found (sorry)\n\tx.go:3\n</html>\n")
    assert (found.total, found.unread) == (0, 4)


def test_lines_without_end_are_not_read():
    """A line of some megabytes is none of the runtime's."""
    found = read(RECEIVES.replace("main.(*server).receive", "x" * (1 << 20)))
    assert found.unread == 2  # the call and its place
    assert [stack.frames for stack in found.counts] == [()]


def test_many_different_stacks_are_bounded():
    """20 000 are kept, and goroutines that have one of these count on."""
    texts = [RECEIVES.replace(":48", f":{line}") for line in range(1, 20_101)]
    found = read("\n".join([*texts, texts[0]]))
    assert (len(found.counts), found.total, found.left_out) == (20_000, 20_001, 100)


def test_endless_stacks_are_bounded():
    """The runtime prints some 100 calls of a stack; more are read over."""
    call = "main.f(0x1)\n\t/srv/app/main.go:48 +0x1\n"
    (stack,) = read(RECEIVES.replace("main.(*server).receive(...)\n\t/srv/app/main.go:48\n", call * 300)).counts
    assert len(stack.frames) == 128


PIECES = st.sampled_from(
    [*RECEIVES.splitlines(keepends=True), *ASKER.splitlines(keepends=True), "...101 frames elided...\n", "(", ")\n"]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=20)), max_size=40).map("".join), st.binary(max_size=20))
def test_no_text_is_an_error(text, rest):
    """Whatever a service sends."""
    found = read_stacks(text.encode() + rest)
    assert found.total + found.left_out <= text.count("goroutine") + rest.count(b"goroutine")
